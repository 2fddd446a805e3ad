/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xen-hooks/store.h"

/* Whose mistake a wrong value is. */
enum owner { TOOL_STACK, GUEST, ADVICE };

static bool take(struct viflook *look, const char *name, const void *value,
		 size_t length_bytes, enum owner owner)
{
	char why[VIFKEYS_TEXT_BYTES];

	if (vifkeys_set(&look->keys, name, value, length_bytes, why))
		return true;
	look->wrongs++;
	/* A guest cannot get rid of its guard by a value of its own. */
	if (owner == GUEST)
		return true;
	look->wrong |= owner == TOOL_STACK;
	memcpy(look->why, why, sizeof(why));
	return true;
}

static bool read_key(struct store *store, struct viflook *look,
		     const char *path, const char *name, enum owner owner)
{
	static char value[VIFKEYS_VALUE_BYTES];
	ssize_t length = store_read(store, path, value, sizeof(value));

	if (length == -ENOTCONN)
		return false;
	return length < 0 || take(look, name, value, (size_t)length, owner);
}

static bool read_backend(struct store *store, struct viflook *look)
{
	char path[STORE_PATH_BYTES];

	for (const char *const *each = vifkeys_backend; *each; each++) {
		snprintf(path, sizeof(path), "backend/vif/%u/%u/%s",
			 look->keys.domain, look->keys.handle, *each);
		if (!read_key(store, look, path, *each, TOOL_STACK))
			return false;
	}
	return true;
}

static bool read_domain(struct store *store, struct viflook *look)
{
	uint32_t domain = look->keys.domain;
	char path[STORE_PATH_BYTES];

	snprintf(path, sizeof(path), "/local/domain/%u/name", domain);
	if (!read_key(store, look, path, "name", TOOL_STACK))
		return false;
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domain);
	if (!read_key(store, look, path, "uuid", TOOL_STACK))
		return false;
	snprintf(path, sizeof(path),
		 "/local/domain/%u/device/vif/%u/multi-queue-num-queues",
		 domain, look->keys.handle);
	return read_key(store, look, path, "multi-queue-num-queues", GUEST);
}

/* Who may write a folder may put another in its place.  1, 0 or -errno. */
static int is_ours(struct store *store, const char *path)
{
	const char *const paths[] = { VIFLOOK_HOME, VIFLOOK_POLICY, path };
	int ours = 1;

	for (size_t i = 0; i < 3 && ours == 1; i++)
		ours = store_is_ours(store, paths[i]);
	return ours;
}

/* false: the connection is lost.  *ret_found: there is one, good or not. */
static bool read_policy(struct store *store, struct viflook *look,
			const char *name, bool *ret_found)
{
	static char value[VIFKEYS_VALUE_BYTES];
	char path[STORE_PATH_BYTES];
	ssize_t length;
	int ours;

	snprintf(path, sizeof(path), VIFLOOK_POLICY "/%s", name);
	length = store_read(store, path, value, sizeof(value));
	*ret_found = length >= 0 || length == -EMSGSIZE;
	if (!*ret_found)
		return length != -ENOTCONN;
	ours = is_ours(store, path);
	if (ours == -ENOTCONN)
		return false;
	if (ours == 1)
		return take(look, "policy", value,
			    length < 0 ? sizeof(value) : (size_t)length,
			    ADVICE);
	look->wrongs++;
	snprintf(look->why, sizeof(look->why),
		 "vif %u/%u: policy: ignored, since a guest can write it",
		 look->keys.domain, look->keys.handle);
	return true;
}

static bool read_policies(struct store *store, struct viflook *look)
{
	bool found = false;
	char number[16];

	if (look->keys.uuid[0] != '\0' &&
	    !read_policy(store, look, look->keys.uuid, &found))
		return false;
	snprintf(number, sizeof(number), "%u", look->keys.domain);
	return found || read_policy(store, look, number, &found);
}

static void on_policy(void *self, const char *name)
{
	bool *any = self;

	(void)name;
	*any = true;
}

bool viflook_policies(struct store *store, bool *ret_any)
{
	bool any = false;

	if (store_list(store, VIFLOOK_POLICY, on_policy, &any) == -ENOTCONN)
		return false;
	*ret_any = any;
	return true;
}

bool viflook_read(struct store *store, uint32_t domain, uint32_t handle,
		  bool policies, struct viflook *ret_look)
{
	char path[STORE_PATH_BYTES], state;
	ssize_t length;

	memset(ret_look, 0, sizeof(*ret_look));
	vifkeys_init(&ret_look->keys, domain, handle);
	snprintf(path, sizeof(path), "backend/vif/%u/%u/state", domain, handle);
	length = store_read(store, path, &state, sizeof(state));
	if (length == -ENOTCONN)
		return false;
	ret_look->there = length >= 0 || length == -EMSGSIZE;
	return !ret_look->there ||
	       (read_backend(store, ret_look) && read_domain(store, ret_look) &&
		(!policies || read_policies(store, ret_look)));
}
