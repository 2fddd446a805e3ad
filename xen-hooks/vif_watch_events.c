/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What XenStore tells of vifs, their guests' names and policies: see
 * vif_watch_state.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xen-hooks/rate_key.h"
#include "xen-hooks/vif_watch_state.h"

enum { EVENTS_AT_ONCE = 8192 };

/* Of a guest with one vif or several. */
static void take_name(struct vifwatch *watch, uint32_t domain)
{
	bool is_new = false;

	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct vifwatch_entry *entry = watch->entries[i];

		if (entry->vif.keys.domain != domain)
			continue;
		is_new |= entry->name_is_new;
		entry->name_is_new = false;
	}
	if (!is_new)
		vifwatch_touch_domain(watch, domain);
}

/* Of one guest, or of any of them. */
static void touch_policy(struct vifwatch *watch, const char *name)
{
	char number[16];

	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct vifwatch_entry *entry = watch->entries[i];
		const struct vifkeys *keys = &entry->vif.keys;

		snprintf(number, sizeof(number), "%u", keys->domain);
		if (name != NULL && strcmp(name, number) != 0 &&
		    keys->uuid[0] != '\0' && strcmp(name, keys->uuid) != 0)
			continue;
		entry->dirty = true;
		watch->dirty = true;
	}
}

static void take_policy(struct vifwatch *watch, const char *path)
{
	size_t length = strlen(VIFLOOK_POLICY);
	bool one = strncmp(path, VIFLOOK_POLICY "/", length + 1) == 0;

	/* The first tells only that there is a watch. */
	if (!watch->policies_watched) {
		watch->policies_watched = true;
		return;
	}
	watch->relook = true;
	touch_policy(watch, one ? path + length + 1 : NULL);
}

/* What guards a vif is not made of its rate, which changes often while it is
 * paused. */
static bool is_rate(struct vifwatch *watch, const char *path, uint32_t domain,
		    uint32_t handle)
{
	const char *name = strrchr(path, '/') + 1;

	if (strcmp(name, RATEKEY_NOTE) == 0)
		return true;
	if (strcmp(name, "rate") != 0)
		return false;
	if (watch->owner.on_rate != NULL)
		watch->owner.on_rate(watch->owner.self, domain, handle);
	return true;
}

/* Of what comes below a folder there are events of its own; when it goes there
 * is none but the folder's. */
static void take_place(struct vifwatch *watch, const char *path)
{
	const char *place = path + strlen(VIFWATCH_BACKEND);
	uint32_t domain, handle;

	if (*place == '\0')
		watch->rescan = true;
	else if (vifkeys_parse_domain(place + 1, &domain))
		vifwatch_touch_domain(watch, domain);
	else if (vifkeys_parse_place(place + 1, &domain, &handle) &&
		 !is_rate(watch, path, domain, handle))
		vifwatch_touch(watch, domain, handle);
}

bool vifwatch_take_events(struct vifwatch *watch)
{
	char path[STORE_PATH_BYTES];
	uint32_t domain;
	int got = 0;

	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		got = store_next(watch->store, path);
		if (got <= 0)
			break;
		watch->stats.events++;
		if (vifkeys_parse_name(path, &domain))
			take_name(watch, domain);
		else if (strncmp(path, VIFWATCH_BACKEND,
				 strlen(VIFWATCH_BACKEND)) == 0)
			take_place(watch, path);
		else
			take_policy(watch, path);
	}
	return got >= 0;
}

struct scan {
	struct vifwatch *watch;
	const char *domain; /* NULL: of all domains */
	bool lost;
};

static void scan_name(void *self, const char *name)
{
	struct scan *scan = self, below = *scan;
	char place[STORE_PATH_BYTES];
	uint32_t domain, handle;

	if (scan->domain != NULL) {
		snprintf(place, sizeof(place), "%s/%.8s", scan->domain, name);
		if (vifkeys_parse_place(place, &domain, &handle))
			vifwatch_touch(scan->watch, domain, handle);
		return;
	}
	if (!vifkeys_parse_domain(name, &domain))
		return;
	below.domain = name;
	snprintf(place, sizeof(place), VIFWATCH_BACKEND "/%s", name);
	if (store_list(scan->watch->store, place, scan_name, &below) ==
	    -ENOTCONN)
		scan->lost = true;
}

bool vifwatch_rescan(struct vifwatch *watch)
{
	struct scan scan = { .watch = watch };

	watch->rescan = false;
	for (size_t i = 0; i < watch->stats.vifs; i++)
		watch->entries[i]->dirty = true;
	watch->dirty = true;
	if (store_list(watch->store, VIFWATCH_BACKEND, scan_name, &scan) ==
	    -ENOTCONN)
		scan.lost = true;
	return !scan.lost;
}
