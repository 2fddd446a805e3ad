/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/rate_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "xen-hooks/rate_pace.h"
#include "xen-hooks/store.h"

enum {
	FORMER_BYTES = 1024, /* the longest that is kept */
	TRIES = 8,           /* somebody else always came between */
};

/* What stands in the two keys; its texts end in a zero. */
struct rate {
	char now[FORMER_BYTES];
	bool is_there;
	char ours[RATEKEY_VALUE_BYTES]; /* "": we wrote nothing */
	char former[FORMER_BYTES];      /* the operator's */
	bool had_former;
};

struct place {
	char node[STORE_PATH_BYTES / 2];
	char rate[STORE_PATH_BYTES];
	char note[STORE_PATH_BYTES];
};

static void find(struct place *place, uint32_t domain, uint32_t handle)
{
	snprintf(place->node, sizeof(place->node),
		 "backend/vif/%" PRIu32 "/%" PRIu32, domain, handle);
	snprintf(place->rate, sizeof(place->rate), "%s/rate", place->node);
	snprintf(place->note, sizeof(place->note), "%s/" RATEKEY_NOTE,
		 place->node);
}

/* 1: read; 0: there is none; or -errno. */
static int read_text(struct store *store, const char *path, char *ret_text,
		     size_t room)
{
	ssize_t length = store_read(store, path, ret_text, room - 1);

	if (length == -ENOENT)
		return 0;
	if (length < 0)
		return (int)length;
	ret_text[length] = '\0';
	return strlen(ret_text) == (size_t)length ? 1 : -EINVAL;
}

/* "OURS" or "OURS\nFORMER". */
static void take_note(struct rate *rate, const char *note)
{
	size_t length = strcspn(note, "\n");

	if (length >= sizeof(rate->ours))
		return;
	memcpy(rate->ours, note, length);
	rate->ours[length] = '\0';
	rate->had_former = note[length] == '\n';
	if (rate->had_former)
		snprintf(rate->former, sizeof(rate->former), "%s",
			 note + length + 1);
}

static int read_rate(struct store *store, const struct place *place,
		     struct rate *rate)
{
	char note[RATEKEY_VALUE_BYTES + FORMER_BYTES];
	int got;

	memset(rate, 0, sizeof(*rate));
	got = read_text(store, place->rate, rate->now, sizeof(rate->now));
	if (got < 0)
		return got;
	rate->is_there = got == 1;
	got = read_text(store, place->note, note, sizeof(note));
	if (got == 1)
		take_note(rate, note);
	return got < 0 ? got : 0;
}

static bool is_ours(const struct rate *rate)
{
	return rate->ours[0] != '\0' && rate->is_there &&
	       strcmp(rate->now, rate->ours) == 0;
}

/* Whatever is not ours is the operator's latest word. */
static void note_operator(struct rate *rate)
{
	if (is_ours(rate))
		return;
	rate->had_former = rate->is_there;
	memcpy(rate->former, rate->now, sizeof(rate->former));
}

uint32_t ratekey_window_bytes(const char *value, uint32_t queues)
{
	uint64_t bytes, microseconds;
	char behind;

	if (strlen(value) > RATEKEY_VALUE_BYTES ||
	    strspn(value, "0123456789,") != strlen(value) ||
	    sscanf(value, "%9" SCNu64 ",%9" SCNu64 "%c", &bytes, &microseconds,
		   &behind) != 2 ||
	    microseconds == 0)
		return UINT32_MAX;
	bytes = bytes * queues * RATEPACE_WINDOW_US / microseconds;
	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static int write_rate(struct store *store, const struct place *place,
		      const struct rate *rate)
{
	char note[RATEKEY_VALUE_BYTES + FORMER_BYTES];
	int length = snprintf(note, sizeof(note), "%s%s%s", rate->ours,
			      rate->had_former ? "\n" : "",
			      rate->had_former ? rate->former : "");
	int error = store_write(store, place->note, note, (size_t)length);

	if (error == 0 && !is_ours(rate))
		error = store_write(store, place->rate, rate->ours,
				    strlen(rate->ours));
	return error;
}

/* The node must be there: to write into it would make it. */
static int is_gone(struct store *store, const struct place *place)
{
	char path[STORE_PATH_BYTES], state;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/state", place->node);
	length = store_read(store, path, &state, sizeof(state));
	return length < 0 && length != -EMSGSIZE ? (int)length : 0;
}

static int limit(struct store *store, const struct place *place,
		 uint32_t queues, uint32_t window_bytes, struct rate *rate)
{
	int error = is_gone(store, place);

	if (error == 0)
		error = read_rate(store, place, rate);
	if (error < 0)
		return error;
	note_operator(rate);
	if (rate->had_former &&
	    ratekey_window_bytes(rate->former, queues) <= window_bytes)
		snprintf(rate->ours, sizeof(rate->ours), "%.*s",
			 RATEKEY_VALUE_BYTES - 1, rate->former);
	else
		snprintf(rate->ours, sizeof(rate->ours), "%" PRIu32 ",%d",
			 window_bytes / queues, RATEPACE_WINDOW_US);
	return write_rate(store, place, rate);
}

static int restore(struct store *store, const struct place *place)
{
	struct rate rate;
	int error = read_rate(store, place, &rate);

	if (error < 0 || rate.ours[0] == '\0')
		return error;
	if (is_ours(&rate) && rate.had_former)
		error = store_write(store, place->rate, rate.former,
				    strlen(rate.former));
	else if (is_ours(&rate))
		error = store_remove(store, place->rate);
	return error == 0 ? store_remove(store, place->note) : error;
}

int ratekey_limit(struct store *store, uint32_t domain, uint32_t handle,
		  uint32_t queues, uint32_t window_bytes,
		  char ret_value[RATEKEY_VALUE_BYTES])
{
	struct place place;
	struct rate rate;
	int error = -EAGAIN, ended;

	find(&place, domain, handle);
	for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
		error = store_begin(store);
		if (error < 0)
			return error;
		error = limit(store, &place, queues ? queues : 1, window_bytes,
			      &rate);
		ended = store_end(store, error == 0);
		if (error == 0)
			error = ended;
	}
	if (error == 0)
		memcpy(ret_value, rate.ours, RATEKEY_VALUE_BYTES);
	return error;
}

int ratekey_free(struct store *store, uint32_t domain, uint32_t handle)
{
	struct place place;
	int error = -EAGAIN, ended;

	find(&place, domain, handle);
	for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
		error = store_begin(store);
		if (error < 0)
			return error;
		error = restore(store, &place);
		ended = store_end(store, error == 0);
		if (error == 0)
			error = ended;
	}
	return error;
}

int ratekey_is(struct store *store, uint32_t domain, uint32_t handle,
	       const char *value)
{
	char now[FORMER_BYTES];
	struct place place;
	int got;

	find(&place, domain, handle);
	got = read_text(store, place.rate, now, sizeof(now));
	return got == 1 ? strcmp(now, value) == 0 : got;
}
