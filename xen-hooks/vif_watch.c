/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/vif_watch_state.h"

#define RETRY_NS     UINT64_C(100000000) /* xenstored does not answer */
#define LOOK_NS      UINT64_C(1000000000)
#define INTERFACE_NS UINT64_C(20000000) /* its interface is not there yet */

struct vifwatch *vifwatch_new(const struct vifwatch_owner *owner)
{
	struct vifwatch *watch = calloc(1, sizeof(*watch));

	if (watch != NULL)
		watch->owner = *owner;
	return watch;
}

void vifwatch_free(struct vifwatch *watch)
{
	if (watch == NULL)
		return;
	store_close(watch->store);
	for (size_t i = 0; i < watch->stats.vifs; i++)
		free(watch->entries[i]);
	free(watch->entries);
	free(watch);
}

int vifwatch_fd(const struct vifwatch *watch)
{
	return watch->store ? store_fd(watch->store) : -1;
}

struct store *vifwatch_store(const struct vifwatch *watch)
{
	return watch->store;
}

uint64_t vifwatch_next_ns(const struct vifwatch *watch)
{
	uint64_t next_ns = watch->next_ns;

	if (watch->dirty || watch->rescan)
		return 0;
	if (watch->store != NULL && watch->look_ns < next_ns)
		next_ns = watch->look_ns;
	return next_ns;
}

const struct vifwatch_vif *vifwatch_at(const struct vifwatch *watch, size_t at)
{
	return &watch->entries[at]->vif;
}

const struct vifwatch_stats *vifwatch_stats(const struct vifwatch *watch)
{
	return &watch->stats;
}

/* ------ xenstored */

static void disconnect(struct vifwatch *watch, uint64_t now_ns)
{
	store_close(watch->store);
	watch->store = NULL;
	watch->stats.connected = false;
	watch->next_ns = now_ns + RETRY_NS;
	watch->rescan = false;
	watch->dirty = false;
}

static void connect_again(struct vifwatch *watch, uint64_t now_ns)
{
	if (now_ns < watch->next_ns)
		return;
	watch->stats.error = store_open(&watch->store);
	if (watch->stats.error < 0) {
		watch->store = NULL;
		watch->next_ns = now_ns + RETRY_NS;
		return;
	}
	if (store_watch(watch->store, VIFWATCH_BACKEND) < 0 ||
	    store_watch(watch->store, VIFLOOK_POLICY) == -ENOTCONN) {
		disconnect(watch, now_ns);
		return;
	}
	watch->stats.reconnects += watch->was_connected;
	watch->stats.connected = true;
	watch->was_connected = true;
	watch->next_ns = UINT64_MAX;
	watch->rescan = true;
	watch->relook = true;
	watch->policies_watched = false;
	for (size_t i = 0; i < watch->stats.vifs; i++)
		vifwatch_follow_name(watch, watch->entries[i]);
}

/* ------ one of them */

/* Its guest can send, or somebody waits with that for the guard. */
static bool is_ready(const struct vifkeys *keys)
{
	return keys->state == XENBUS_CONNECTED ||
	       (keys->is_announced && (keys->state == XENBUS_INIT_WAIT ||
				       keys->state == XENBUS_INITIALISED));
}

static void again_within(struct vifwatch *watch, struct vifwatch_entry *entry,
			 uint64_t until_ns)
{
	entry->dirty = true;
	if (watch->next_ns > until_ns)
		watch->next_ns = until_ns;
}

static enum vif_event event_of(struct vifwatch *watch,
			       struct vifwatch_entry *entry,
			       const struct viflook *look, uint64_t now_ns)
{
	const struct vifkeys *keys = &look->keys;

	if (look->error == 0 &&
	    (!look->there || keys->state == XENBUS_CLOSING ||
	     keys->state == XENBUS_CLOSED))
		return VIF_LEAVING;
	/* What the former guest is charged with leaves with that. */
	if (entry->vif.state == VIF_ACTIVE &&
	    vifkeys_is_another(keys, &entry->vif.keys))
		return VIF_LEAVING;
	/* Half a guard would be none: the former keys stay in force. */
	if (look->wrong || look->error < 0)
		return entry->vif.state == VIF_ACTIVE ? VIF_USABLE : VIF_SEEN;
	if (!is_ready(keys))
		return VIF_SEEN;
	if (!watch->owner.has_interface(watch->owner.self, keys->interface)) {
		again_within(watch, entry, now_ns + INTERFACE_NS);
		return VIF_SEEN;
	}
	return vifkeys_equal(keys, &entry->vif.keys) ? VIF_USABLE : VIF_CHANGED;
}

static void act(struct vifwatch *watch, struct vifwatch_entry *entry,
		enum vif_event event)
{
	enum vif_action action = vif_step(&entry->vif.state, event);

	switch (action) {
	case VIF_DO_NOTHING:
		return;
	case VIF_DO_FORGET:
		entry->dirty = true;
		watch->dirty = true;
		return;
	case VIF_DO_EXPECT:
	case VIF_DO_GUARD:
	case VIF_DO_DRAIN:
		watch->owner.on_action(watch->owner.self, &entry->vif, action);
		return;
	}
}

static void tell(struct vifwatch *watch, struct vifwatch_entry *entry)
{
	const struct vifwatch_vif *vif = &entry->vif;

	if (entry->told_state == vif->state &&
	    strcmp(entry->told_wrong, vif->wrong) == 0)
		return;
	entry->told_state = vif->state;
	memcpy(entry->told_wrong, vif->wrong, sizeof(vif->wrong));
	watch->owner.on_seen(watch->owner.self, vif);
}

/* Who is not guarded by its keys is known by what they are now. */
static bool takes_keys(const struct vifwatch_vif *vif,
		       const struct viflook *look, enum vif_event event)
{
	return event == VIF_CHANGED ||
	       (look->there &&
		(vif->state == VIF_ABSENT || vif->state == VIF_ATTACHING));
}

static void renew(struct vifwatch *watch, struct vifwatch_entry *entry,
		  struct viflook *look, uint64_t now_ns)
{
	struct vifwatch_vif *vif = &entry->vif;
	enum vif_event event;

	watch->stats.wrong += look->wrongs;
	if (look->error < 0) {
		snprintf(look->why, sizeof(look->why),
			 "vif %u/%u: XenStore does not tell of it: %s",
			 vif->keys.domain, vif->keys.handle,
			 strerror(-look->error));
		again_within(watch, entry, now_ns + LOOK_NS);
	}
	event = event_of(watch, entry, look, now_ns);
	if (look->why[0] != '\0' && strcmp(look->why, vif->wrong) != 0)
		watch->owner.on_wrong(watch->owner.self, look->why);
	memcpy(vif->wrong, look->why, sizeof(vif->wrong));
	if (takes_keys(vif, look, event))
		vif->keys = look->keys;
	act(watch, entry, event);
	tell(watch, entry);
}

static bool is_forgotten(const struct vifwatch_entry *entry)
{
	return !entry->dirty &&
	       (entry->vif.state == VIF_ABSENT || entry->vif.state == VIF_GONE);
}

static void forget(struct vifwatch *watch, struct vifwatch_entry *entry)
{
	char path[STORE_PATH_BYTES];

	entry->vif.state = VIF_ABSENT;
	entry->vif.wrong[0] = '\0';
	tell(watch, entry);
	vifwatch_name_of(entry, path);
	if (!vifwatch_has_domain(watch, entry->vif.keys.domain))
		store_unwatch(watch->store, path);
	free(entry);
}

static void sweep(struct vifwatch *watch)
{
	size_t i = 0;

	while (i < watch->stats.vifs) {
		struct vifwatch_entry *entry = watch->entries[i];

		if (!is_forgotten(entry)) {
			i++;
			continue;
		}
		watch->entries[i] = watch->entries[--watch->stats.vifs];
		forget(watch, entry);
	}
}

/* The next of those that are to be looked at, from *at on.  How many. */
static size_t look(struct vifwatch *watch, size_t *at)
{
	size_t count = 0;

	for (; *at < watch->stats.vifs && count < VIFWATCH_LOOKS_AT_ONCE;
	     ++*at) {
		struct vifwatch_entry *entry = watch->entries[*at];
		const struct vifkeys *keys = &entry->vif.keys;

		if (!entry->dirty)
			continue;
		entry->dirty = false;
		watch->looked[count] = entry;
		memset(&watch->looks[count], 0, sizeof(watch->looks[count]));
		vifkeys_init(&watch->looks[count++].keys, keys->domain,
			     keys->handle);
	}
	watch->stats.reads += count;
	viflook_read(watch->store, watch->policies, watch->looks, count);
	return count;
}

/* false: the connection is lost. */
static bool renew_all(struct vifwatch *watch, uint64_t now_ns)
{
	size_t at = 0, count;

	if (watch->next_ns <= now_ns) {
		watch->next_ns = UINT64_MAX;
		watch->dirty = true;
	}
	if (watch->relook) {
		int error = viflook_policies(watch->store, &watch->policies);

		if (error == -ENOTCONN)
			return false;
		watch->relook = error < 0;
	}
	if (!watch->dirty)
		return true;
	/* What happens meanwhile sets it again. */
	watch->dirty = false;
	while ((count = look(watch, &at)) > 0)
		for (size_t i = 0; i < count; i++) {
			if (watch->looks[i].error == -ENOTCONN)
				return false;
			renew(watch, watch->looked[i], &watch->looks[i],
			      now_ns);
		}
	sweep(watch);
	return true;
}

void vifwatch_advance(struct vifwatch *watch, uint64_t now_ns)
{
	if (watch->store == NULL)
		connect_again(watch, now_ns);
	if (watch->store == NULL)
		return;
	watch->look_ns = now_ns + LOOK_NS;
	if (!vifwatch_take_events(watch) ||
	    (watch->rescan && !vifwatch_rescan(watch)) ||
	    !renew_all(watch, now_ns))
		disconnect(watch, now_ns);
}

void vifwatch_done(struct vifwatch *watch, uint32_t domain, uint32_t handle,
		   enum vif_event event, const char *wrong)
{
	struct vifwatch_entry *entry = vifwatch_find(watch, domain, handle);

	if (entry == NULL)
		return;
	if (event == VIF_REFUSED)
		snprintf(entry->vif.wrong, sizeof(entry->vif.wrong), "%s",
			 wrong);
	act(watch, entry, event);
	tell(watch, entry);
}
