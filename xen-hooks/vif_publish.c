/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/store.h"

#define HOME      "symtap/vif"
#define SECOND_NS UINT64_C(1000000000)
#define HOME_NS   (10 * SECOND_NS)    /* the tool stack may make one later */
#define ATTACH_NS UINT64_C(100000000) /* to be guarded within that is usual */

enum { PATH_BYTES = 64 };

enum leaf { STATE, S, HELD, SINCE, WAY, WRONG, LEAVES };

static const char *const names[LEAVES] = { "state", "S",   "held",
					   "since", "way", "wrong" };

struct row {
	uint32_t domain, handle;
	char state[16];
	char wrong[VIFPUBLISH_TEXT_BYTES];
	struct vif_figures figures;
	char written[LEAVES][VIFPUBLISH_TEXT_BYTES];
	bool has[LEAVES]; /* it stands there */
	bool changed, gone;
	bool is_new;      /* not looked at yet */
	uint64_t next_ns; /* not before that */
};

struct vifpublish {
	struct row *rows;
	size_t count, room;
	struct vifpublish_stats stats;
	size_t at;        /* where the next turn begins */
	bool begins;      /* clean up first */
	bool is_closed;   /* we may not write */
	uint64_t home_ns; /* not tried again before that */
};

struct vifpublish *vifpublish_new(void)
{
	return calloc(1, sizeof(struct vifpublish));
}

void vifpublish_free(struct vifpublish *publish)
{
	if (publish == NULL)
		return;
	free(publish->rows);
	free(publish);
}

const struct vifpublish_stats *
vifpublish_stats(const struct vifpublish *publish)
{
	return &publish->stats;
}

/* ------ what is to be told */

static struct row *find(const struct vifpublish *publish, uint32_t domain,
			uint32_t handle)
{
	for (size_t i = 0; i < publish->count; i++)
		if (publish->rows[i].domain == domain &&
		    publish->rows[i].handle == handle)
			return &publish->rows[i];
	return NULL;
}

static struct row *add(struct vifpublish *publish, uint32_t domain,
		       uint32_t handle)
{
	size_t room = publish->room ? 2 * publish->room : 16;
	struct row *rows = publish->rows;

	if (publish->count == publish->room) {
		rows = realloc(rows, room * sizeof(*rows));
		if (rows == NULL)
			return NULL;
		publish->rows = rows;
		publish->room = room;
	}
	rows += publish->count++;
	memset(rows, 0, sizeof(*rows));
	rows->domain = domain;
	rows->handle = handle;
	rows->is_new = true;
	return rows;
}

bool vifpublish_state(struct vifpublish *publish, uint32_t domain,
		      uint32_t handle, const char *state, const char *wrong)
{
	struct row *row = find(publish, domain, handle);

	if (row == NULL)
		row = add(publish, domain, handle);
	if (row == NULL)
		return false;
	row->gone = false;
	row->changed = true;
	if (!row->has[STATE])
		row->next_ns = 0;
	snprintf(row->state, sizeof(row->state), "%s", state);
	snprintf(row->wrong, sizeof(row->wrong), "%s", wrong);
	if (strcmp(state, "active") != 0)
		memset(&row->figures, 0, sizeof(row->figures));
	return true;
}

void vifpublish_figures(struct vifpublish *publish, uint32_t domain,
			uint32_t handle, const struct vif_figures *figures)
{
	struct row *row = find(publish, domain, handle);

	if (row == NULL || row->gone)
		return;
	row->figures = *figures;
	row->figures.way[sizeof(row->figures.way) - 1] = '\0';
	row->changed = true;
}

void vifpublish_forget(struct vifpublish *publish, uint32_t domain,
		       uint32_t handle)
{
	struct row *row = find(publish, domain, handle);

	if (row == NULL)
		return;
	row->gone = true;
	row->changed = true;
	row->next_ns = 0;
}

void vifpublish_begin(struct vifpublish *publish)
{
	publish->begins = true;
	publish->is_closed = false;
	publish->home_ns = 0;
	for (size_t i = 0; i < publish->count; i++) {
		struct row *row = &publish->rows[i];

		memset(row->has, 0, sizeof(row->has));
		row->changed = true;
		row->next_ns = 0;
	}
}

/* ------ in XenStore */

static const char *state_of(const struct row *row)
{
	if (strcmp(row->state, "active") != 0)
		return row->state;
	if (row->figures.is_unguarded)
		return "off";
	return row->figures.since_s != 0 ? "held" : "active";
}

static void text_of(const struct row *row, enum leaf leaf,
		    char ret_text[VIFPUBLISH_TEXT_BYTES])
{
	const struct vif_figures *figures = &row->figures;
	int32_t s_centi = figures->s_centi;

	switch (leaf) {
	case STATE:
		snprintf(ret_text, VIFPUBLISH_TEXT_BYTES, "%s", state_of(row));
		break;
	case S:
		snprintf(ret_text, VIFPUBLISH_TEXT_BYTES, "%s%d.%02d",
			 s_centi < 0 ? "-" : "", abs(s_centi / 100),
			 abs(s_centi % 100));
		break;
	case HELD:
		snprintf(ret_text, VIFPUBLISH_TEXT_BYTES, "%u",
			 figures->held_pkts);
		break;
	case SINCE:
		snprintf(ret_text, VIFPUBLISH_TEXT_BYTES, "%" PRIu64,
			 figures->since_s);
		break;
	case WAY:
		snprintf(ret_text, VIFPUBLISH_TEXT_BYTES, "%s", figures->way);
		break;
	case WRONG:
		snprintf(ret_text, VIFPUBLISH_TEXT_BYTES, "%s", row->wrong);
		break;
	case LEAVES:
		break;
	}
}

/* To the guest. */
static bool is_shown(enum leaf leaf)
{
	return leaf == STATE || leaf == S || leaf == HELD || leaf == SINCE;
}

/* 0 or -errno. */
static int write_leaf(struct vifpublish *publish, struct store *store,
		      struct row *row, enum leaf leaf)
{
	char path[PATH_BYTES], text[VIFPUBLISH_TEXT_BYTES];
	int error;

	text_of(row, leaf, text);
	if (row->has[leaf] && strcmp(text, row->written[leaf]) == 0)
		return 0;
	snprintf(path, sizeof(path), HOME "/%u/%u/%s", row->domain, row->handle,
		 names[leaf]);
	error = store_write(store, path, text, strlen(text));
	if (error == 0 && !row->has[leaf] && is_shown(leaf))
		error = store_show(store, path, row->domain);
	if (error < 0)
		return error;
	publish->stats.writes++;
	row->has[leaf] = true;
	memcpy(row->written[leaf], text, sizeof(text));
	return 0;
}

static bool has_other(const struct vifpublish *publish, const struct row *row)
{
	for (size_t i = 0; i < publish->count; i++)
		if (&publish->rows[i] != row &&
		    publish->rows[i].domain == row->domain)
			return true;
	return false;
}

static int remove_row(struct vifpublish *publish, struct store *store,
		      struct row *row, uint64_t now_ns)
{
	char path[PATH_BYTES];
	int error;

	row->next_ns = now_ns + SECOND_NS;
	if (has_other(publish, row))
		snprintf(path, sizeof(path), HOME "/%u/%u", row->domain,
			 row->handle);
	else
		snprintf(path, sizeof(path), HOME "/%u", row->domain);
	error = store_remove(store, path);
	if (error < 0)
		return error;
	*row = publish->rows[--publish->count];
	return 0;
}

/* Of many that come, each one's state is there before the rest of any. */
static int write_row(struct vifpublish *publish, struct store *store,
		     struct row *row, uint64_t now_ns)
{
	bool is_first = !row->has[STATE];
	int error = write_leaf(publish, store, row, STATE);

	row->next_ns = now_ns;
	if (error == 0 && is_first)
		return 0;
	row->next_ns += SECOND_NS;
	for (int leaf = STATE + 1; leaf < LEAVES && error == 0; leaf++)
		error = write_leaf(publish, store, row, (enum leaf)leaf);
	row->changed = error < 0; /* then again, in a second */
	return error;
}

/* A folder of ours that nobody else can look into. */
static int clean_up(struct store *store)
{
	int error = store_remove(store, HOME);

	if (error == 0)
		error = store_write(store, HOME, "", 0);
	return error == 0 ? store_hide(store, HOME) : error;
}

/* Who waits for a guard need not wait for the next second as well. */
static bool waits(struct row *row, uint64_t now_ns)
{
	if (row->is_new && strcmp(row->state, "attaching") == 0 &&
	    row->wrong[0] == '\0')
		row->next_ns = now_ns + ATTACH_NS;
	row->is_new = false;
	return row->next_ns > now_ns;
}

/* What one vif lacks need not be wrong with the next: a quota, or it has gone
 * meanwhile. */
static int advance_rows(struct vifpublish *publish, struct store *store,
			uint64_t now_ns)
{
	size_t left = publish->count, written = 0;
	int error = 0;

	while (left-- > 0 && publish->count > 0 && error != -ENOTCONN &&
	       written < VIFPUBLISH_AT_ONCE) {
		struct row *row = &publish->rows[publish->at % publish->count];

		if (!row->changed || waits(row, now_ns)) {
			publish->at++;
			continue;
		}
		written++;
		error = row->gone ? remove_row(publish, store, row, now_ns)
				  : write_row(publish, store, row, now_ns);
		publish->stats.failed += error < 0 && error != -ENOTCONN;
		publish->at++;
	}
	return error == -ENOTCONN ? error : 0;
}

int vifpublish_advance(struct vifpublish *publish, struct store *store,
		       uint64_t now_ns)
{
	bool was_closed = publish->is_closed;
	int error;

	if (store == NULL || now_ns < publish->home_ns)
		return 0;
	if (publish->begins) {
		error = clean_up(store);
		if (error == -ENOTCONN)
			return error;
		if (error < 0) {
			publish->is_closed = true;
			publish->home_ns = now_ns + HOME_NS;
			return was_closed ? 0 : error;
		}
		publish->begins = false;
		publish->is_closed = false;
	}
	return advance_rows(publish, store, now_ns);
}

uint64_t vifpublish_next_ns(const struct vifpublish *publish)
{
	uint64_t next_ns = UINT64_MAX;

	if (publish->is_closed)
		return publish->home_ns;
	for (size_t i = 0; i < publish->count; i++) {
		const struct row *row = &publish->rows[i];

		if (row->changed && row->next_ns < next_ns)
			next_ns = row->next_ns;
	}
	return publish->begins ? 0 : next_ns;
}
