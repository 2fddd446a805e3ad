/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_look.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "xen-hooks/rate_key.h"
#include "xen-hooks/store.h"

enum {
	HELPERS = 3,     /* besides who was asked */
	FOR_HELPERS = 8, /* vifs, of which there are more than that */
};

/* Whose mistake a wrong value is; ADVICE: a guard can do without. */
enum owner { TOOL_STACK, GUEST, ADVICE };

static void take(struct viflook *look, const char *name, const void *value,
		 size_t length_bytes, enum owner owner)
{
	char why[VIFKEYS_TEXT_BYTES];

	if (vifkeys_set(&look->keys, name, value, length_bytes, why))
		return;
	look->wrongs++;
	/* A guest cannot get rid of its guard by a value of its own. */
	if (owner == GUEST)
		return;
	if (owner == TOOL_STACK || !look->wrong)
		snprintf(look->why, sizeof(look->why), "%s", why);
	look->wrong |= owner == TOOL_STACK;
}

/* In a driver domain not all may be read. */
static bool is_none(ssize_t length)
{
	return length == -ENOENT || length == -EACCES || length == -EPERM;
}

/* 0 or -errno. */
static int read_key(struct store *store, struct viflook *look, const char *path,
		    const char *name, enum owner owner)
{
	char value[VIFKEYS_VALUE_BYTES];
	ssize_t length = store_read(store, path, value, sizeof(value));

	if (length >= 0)
		take(look, name, value, (size_t)length, owner);
	if (length >= 0 || is_none(length) ||
	    (owner == GUEST && length != -ENOTCONN))
		return 0;
	return (int)length;
}

/* ------ the backend's node */

struct names {
	struct viflook *look;
	uint32_t known; /* a bit for each of vifkeys_backend */
};

static void on_name(void *self, const char *name)
{
	struct names *names = self;

	for (size_t i = 0; vifkeys_backend[i] != NULL; i++)
		if (strcmp(name, vifkeys_backend[i]) == 0)
			names->known |= UINT32_C(1) << i;
	if (strcmp(name, "state") == 0)
		names->look->there = true;
	if (strcmp(name, RATEKEY_NOTE) == 0)
		names->look->keys.is_limited = true;
}

/* Each question takes as long: only what is there is asked for. */
static int read_backend(struct store *store, struct viflook *look)
{
	struct names names = { .look = look };
	char path[STORE_PATH_BYTES / 2], key[STORE_PATH_BYTES];
	ssize_t count;
	int error = 0;

	snprintf(path, sizeof(path), "backend/vif/%u/%u", look->keys.domain,
		 look->keys.handle);
	count = store_list(store, path, on_name, &names);
	if (count < 0)
		return count == -ENOENT ? 0 : (int)count;
	for (size_t i = 0; look->there && error == 0; i++) {
		const char *name = vifkeys_backend[i];

		if (name == NULL)
			break;
		if (!(names.known >> i & 1))
			continue;
		snprintf(key, sizeof(key), "%s/%s", path, name);
		error = read_key(store, look, key, name, TOOL_STACK);
	}
	return error;
}

static int read_domain(struct store *store, struct viflook *look)
{
	uint32_t domain = look->keys.domain;
	char path[STORE_PATH_BYTES];
	int error;

	snprintf(path, sizeof(path), "/local/domain/%u/name", domain);
	error = read_key(store, look, path, "name", ADVICE);
	if (error < 0)
		return error;
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domain);
	error = read_key(store, look, path, "uuid", ADVICE);
	if (error < 0)
		return error;
	snprintf(path, sizeof(path),
		 "/local/domain/%u/device/vif/%u/multi-queue-num-queues",
		 domain, look->keys.handle);
	return read_key(store, look, path, "multi-queue-num-queues", GUEST);
}

/* ------ what is wanted for its guest */

/* Who may write a folder may put another in its place.  1, 0 or -errno. */
static int is_ours(struct store *store, const char *path)
{
	const char *const paths[] = { VIFLOOK_HOME, VIFLOOK_POLICY, path };
	int ours = 1;

	for (size_t i = 0; i < 3 && ours == 1; i++)
		ours = store_is_ours(store, paths[i]);
	return ours;
}

/* 0 or -errno.  *ret_found: there is one, good or not. */
static int read_policy(struct store *store, struct viflook *look,
		       const char *name, bool *ret_found)
{
	char value[VIFKEYS_VALUE_BYTES], path[STORE_PATH_BYTES];
	ssize_t length;
	int ours;

	snprintf(path, sizeof(path), VIFLOOK_POLICY "/%s", name);
	length = store_read(store, path, value, sizeof(value));
	*ret_found = length >= 0 || length == -EMSGSIZE;
	if (!*ret_found)
		return is_none(length) ? 0 : (int)length;
	ours = is_ours(store, path);
	if (ours < 0 && !is_none(ours))
		return ours;
	if (ours == 1) {
		take(look, "policy", value,
		     length < 0 ? sizeof(value) : (size_t)length, ADVICE);
		return 0;
	}
	look->wrongs++;
	snprintf(look->why, sizeof(look->why),
		 "vif %u/%u: policy: ignored, since a guest can write it",
		 look->keys.domain, look->keys.handle);
	return 0;
}

static int read_policies(struct store *store, struct viflook *look)
{
	bool found = false;
	char number[16];
	int error = 0;

	if (look->keys.uuid[0] != '\0')
		error = read_policy(store, look, look->keys.uuid, &found);
	snprintf(number, sizeof(number), "%u", look->keys.domain);
	return error < 0 || found ? error
				  : read_policy(store, look, number, &found);
}

static void on_policy(void *self, const char *name)
{
	bool *any = self;

	(void)name;
	*any = true;
}

int viflook_policies(struct store *store, bool *ret_any)
{
	bool any = false;
	ssize_t count = store_list(store, VIFLOOK_POLICY, on_policy, &any);

	if (count < 0 && !is_none(count))
		return (int)count;
	*ret_any = any;
	return 0;
}

/* ------ all of it */

static int read_one(struct store *store, struct viflook *look, bool policies)
{
	int error = read_backend(store, look);

	if (error == 0 && look->there)
		error = read_domain(store, look);
	if (error == 0 && look->there && policies)
		error = read_policies(store, look);
	return error;
}

struct work {
	struct viflook *looks;
	size_t count;
	atomic_size_t next;
	bool policies;
};

static void read_some(struct store *store, struct work *work)
{
	size_t at;

	while ((at = atomic_fetch_add(&work->next, 1)) < work->count) {
		struct viflook *look = &work->looks[at];

		look->error = read_one(store, look, work->policies);
	}
}

static void *help(void *self)
{
	struct store *store;

	if (store_open(&store) < 0)
		return NULL;
	read_some(store, self);
	store_close(store);
	return NULL;
}

/* Without any who helps it takes longer. */
void viflook_read(struct store *store, bool policies, struct viflook *looks,
		  size_t count)
{
	struct work work = { .looks = looks,
			     .count = count,
			     .policies = policies };
	pthread_t helpers[HELPERS];
	size_t begun = 0;

	while (count > FOR_HELPERS && begun < HELPERS &&
	       pthread_create(&helpers[begun], NULL, help, &work) == 0)
		begun++;
	read_some(store, &work);
	while (begun > 0)
		pthread_join(helpers[--begun], NULL);
}
