/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/rate_key.h"
#include "xen-hooks/store.h"
#include "xen-hooks/vif_look.h"

#define BACKEND "backend/vif"

#define RETRY_NS     UINT64_C(100000000) /* xenstored does not answer */
#define LOOK_NS      UINT64_C(1000000000)
#define INTERFACE_NS UINT64_C(20000000) /* its interface is not there yet */

enum {
	EVENTS_AT_ONCE = 8192,
	LOOKS_AT_ONCE = 64, /* what was seen of them is acted upon, then more */
};

struct entry {
	struct vifwatch_vif vif;
	bool dirty;       /* look at its keys again */
	bool name_is_new; /* watched, and not told of yet */
	enum vif_state told_state;
	char told_wrong[VIFKEYS_TEXT_BYTES];
};

struct vifwatch {
	struct vifwatch_owner owner;
	struct store *store; /* NULL: no connection */
	struct entry **entries;
	size_t entries_room;
	struct vifwatch_stats stats;
	uint64_t next_ns;
	uint64_t look_ns; /* is the connection still there?  Nothing tells */
	bool was_connected;
	bool dirty;    /* some entry is */
	bool rescan;   /* look which vifs there are */
	bool relook;   /* look whether there are policies */
	bool policies; /* of single guests: there are some */
	bool policies_watched;
	struct viflook looks[LOOKS_AT_ONCE]; /* of `looked` */
	struct entry *looked[LOOKS_AT_ONCE];
};

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

static struct entry *find(const struct vifwatch *watch, uint32_t domain,
			  uint32_t handle)
{
	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct entry *entry = watch->entries[i];

		if (entry->vif.keys.domain == domain &&
		    entry->vif.keys.handle == handle)
			return entry;
	}
	return NULL;
}

static void name_of(const struct entry *entry, char ret_path[STORE_PATH_BYTES])
{
	snprintf(ret_path, STORE_PATH_BYTES, VIFKEYS_DOMAIN "%u/name",
		 entry->vif.keys.domain);
}

/* Its policy may go by that, and no key of the vif tells when it becomes
 * another.  A driver domain may not know it, nor watch as much. */
static void watch_name(struct vifwatch *watch, struct entry *entry)
{
	char path[STORE_PATH_BYTES];

	name_of(entry, path);
	entry->name_is_new = store_watch(watch->store, path) == 0;
}

static struct entry *add(struct vifwatch *watch, uint32_t domain,
			 uint32_t handle)
{
	size_t count = watch->stats.vifs, room = watch->entries_room;
	struct entry **entries, *entry;

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
	watch_name(watch, entry);
	return entry;
}

static void touch(struct vifwatch *watch, uint32_t domain, uint32_t handle)
{
	struct entry *entry = find(watch, domain, handle);

	if (entry == NULL)
		entry = add(watch, domain, handle);
	if (entry == NULL) {
		watch->stats.beyond++;
		return;
	}
	entry->dirty = true;
	watch->dirty = true;
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
	if (store_watch(watch->store, BACKEND) < 0 ||
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
		watch_name(watch, watch->entries[i]);
}

static void touch_domain(struct vifwatch *watch, uint32_t domain)
{
	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct entry *entry = watch->entries[i];

		if (entry->vif.keys.domain != domain)
			continue;
		entry->dirty = true;
		watch->dirty = true;
	}
}

/* Of a guest with one vif or several. */
static void take_name(struct vifwatch *watch, uint32_t domain)
{
	bool is_new = false;

	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct entry *entry = watch->entries[i];

		if (entry->vif.keys.domain != domain)
			continue;
		is_new |= entry->name_is_new;
		entry->name_is_new = false;
	}
	if (!is_new)
		touch_domain(watch, domain);
}

/* Of one guest, or of any of them. */
static void touch_policy(struct vifwatch *watch, const char *name)
{
	char number[16];

	for (size_t i = 0; i < watch->stats.vifs; i++) {
		struct entry *entry = watch->entries[i];
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
	const char *place = path + strlen(BACKEND);
	uint32_t domain, handle;

	if (*place == '\0')
		watch->rescan = true;
	else if (vifkeys_parse_domain(place + 1, &domain))
		touch_domain(watch, domain);
	else if (vifkeys_parse_place(place + 1, &domain, &handle) &&
		 !is_rate(watch, path, domain, handle))
		touch(watch, domain, handle);
}

/* false: the connection is lost. */
static bool take_events(struct vifwatch *watch)
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
		else if (strncmp(path, BACKEND, strlen(BACKEND)) == 0)
			take_place(watch, path);
		else
			take_policy(watch, path);
	}
	return got >= 0;
}

/* ------ which there are */

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
			touch(scan->watch, domain, handle);
		return;
	}
	if (!vifkeys_parse_domain(name, &domain))
		return;
	below.domain = name;
	snprintf(place, sizeof(place), BACKEND "/%s", name);
	if (store_list(scan->watch->store, place, scan_name, &below) ==
	    -ENOTCONN)
		scan->lost = true;
}

static bool rescan(struct vifwatch *watch)
{
	struct scan scan = { .watch = watch };

	watch->rescan = false;
	for (size_t i = 0; i < watch->stats.vifs; i++)
		watch->entries[i]->dirty = true;
	watch->dirty = true;
	if (store_list(watch->store, BACKEND, scan_name, &scan) == -ENOTCONN)
		scan.lost = true;
	return !scan.lost;
}

/* ------ one of them */

/* Its guest can send, or somebody waits with that for the guard. */
static bool is_ready(const struct vifkeys *keys)
{
	return keys->state == XENBUS_CONNECTED ||
	       (keys->is_announced && (keys->state == XENBUS_INIT_WAIT ||
				       keys->state == XENBUS_INITIALISED));
}

static void again_within(struct vifwatch *watch, struct entry *entry,
			 uint64_t until_ns)
{
	entry->dirty = true;
	if (watch->next_ns > until_ns)
		watch->next_ns = until_ns;
}

static enum vif_event event_of(struct vifwatch *watch, struct entry *entry,
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

static void act(struct vifwatch *watch, struct entry *entry,
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

static void tell(struct vifwatch *watch, struct entry *entry)
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

static void renew(struct vifwatch *watch, struct entry *entry,
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

static bool is_forgotten(const struct entry *entry)
{
	return !entry->dirty &&
	       (entry->vif.state == VIF_ABSENT || entry->vif.state == VIF_GONE);
}

static bool has_vif(const struct vifwatch *watch, uint32_t domain)
{
	for (size_t i = 0; i < watch->stats.vifs; i++)
		if (watch->entries[i]->vif.keys.domain == domain)
			return true;
	return false;
}

static void forget(struct vifwatch *watch, struct entry *entry)
{
	char path[STORE_PATH_BYTES];

	entry->vif.state = VIF_ABSENT;
	entry->vif.wrong[0] = '\0';
	tell(watch, entry);
	name_of(entry, path);
	if (!has_vif(watch, entry->vif.keys.domain))
		store_unwatch(watch->store, path);
	free(entry);
}

static void sweep(struct vifwatch *watch)
{
	size_t i = 0;

	while (i < watch->stats.vifs) {
		struct entry *entry = watch->entries[i];

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

	for (; *at < watch->stats.vifs && count < LOOKS_AT_ONCE; ++*at) {
		struct entry *entry = watch->entries[*at];
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
	if (!take_events(watch) || (watch->rescan && !rescan(watch)) ||
	    !renew_all(watch, now_ns))
		disconnect(watch, now_ns);
}

void vifwatch_done(struct vifwatch *watch, uint32_t domain, uint32_t handle,
		   enum vif_event event, const char *wrong)
{
	struct entry *entry = find(watch, domain, handle);

	if (entry == NULL)
		return;
	if (event == VIF_REFUSED)
		snprintf(entry->vif.wrong, sizeof(entry->vif.wrong), "%s",
			 wrong);
	act(watch, entry, event);
	tell(watch, entry);
}
