/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vifs that are known: see vif_watch_state.h. */
#include <stdio.h>
#include <stdlib.h>

#include "xen-hooks/vif_watch_state.h"

struct vifwatch_entry *vifwatch_find(const struct vifwatch *watch,
				     uint32_t domain, uint32_t handle)
{
	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct vifwatch_entry *entry = watch->entries[i];

		if (entry->vif.keys.domain == domain &&
		    entry->vif.keys.handle == handle)
			return entry;
	}
	return NULL;
}

void vifwatch_name_of(const struct vifwatch_entry *entry,
		      char ret_path[STORE_PATH_BYTES])
{
	snprintf(ret_path, STORE_PATH_BYTES, VIFKEYS_DOMAIN "%u/name",
		 entry->vif.keys.domain);
}

void vifwatch_follow_name(struct vifwatch *watch, struct vifwatch_entry *entry)
{
	char path[STORE_PATH_BYTES];

	vifwatch_name_of(entry, path);
	entry->name_is_new = store_watch(watch->store, path) == 0;
}

static struct vifwatch_entry *add(struct vifwatch *watch, uint32_t domain,
				  uint32_t handle)
{
	size_t count = watch->stats.vifs, room = watch->entries_room;
	struct vifwatch_entry **entries, *entry;

	if (count == VIFWATCH_VIFS_MAX)
		return NULL;
	if (count == room) {
		room = room ? 2 * room : 64;
		entries = realloc(watch->entries, room * sizeof(*entries));
		if (entries == NULL)
			return NULL;
		watch->entries = entries;
		watch->entries_room = room;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	vifkeys_init(&entry->vif.keys, domain, handle);
	watch->entries[watch->stats.vifs++] = entry;
	vifwatch_follow_name(watch, entry);
	return entry;
}

void vifwatch_touch(struct vifwatch *watch, uint32_t domain, uint32_t handle)
{
	struct vifwatch_entry *entry = vifwatch_find(watch, domain, handle);

	if (entry == NULL)
		entry = add(watch, domain, handle);
	if (entry == NULL) {
		watch->stats.beyond++;
		return;
	}
	entry->dirty = true;
	watch->dirty = true;
}

void vifwatch_touch_domain(struct vifwatch *watch, uint32_t domain)
{
	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct vifwatch_entry *entry = watch->entries[i];

		if (entry->vif.keys.domain != domain)
			continue;
		entry->dirty = true;
		watch->dirty = true;
	}
}

bool vifwatch_has_domain(const struct vifwatch *watch, uint32_t domain)
{
	for (size_t i = 0; i < watch->stats.vifs; i++)
		if (watch->entries[i]->vif.keys.domain == domain)
			return true;
	return false;
}
