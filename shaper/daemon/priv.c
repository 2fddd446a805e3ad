/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITY(number) (UINT64_C(1) << (number))
#define NET_ADMIN          CAPABILITY(CAP_NET_ADMIN)
#define LOADER             (NET_ADMIN | CAPABILITY(CAP_BPF))

int priv_find(const char *name, struct priv_user *ret_user)
{
	struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (entry == NULL)
		return errno != 0 && errno != ENOENT ? -errno : -ESRCH;
	ret_user->uid = entry->pw_uid;
	ret_user->gid = entry->pw_gid;
	return 0;
}

static int capabilities_get(struct __user_cap_data_struct sets[2])
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return syscall(SYS_capget, &header, sets) < 0 ? -errno : 0;
}

static uint64_t permitted(const struct __user_cap_data_struct sets[2])
{
	return (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
}

static uint64_t effective(const struct __user_cap_data_struct sets[2])
{
	return (uint64_t)sets[1].effective << 32 | sets[0].effective;
}

static int capabilities_keep(uint64_t keep)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32),
		  .permitted = (uint32_t)(keep >> 32) },
	};

	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

/* Needs CAP_SETPCAP; without it the set is as the service manager left it,
 * and no_new_privs makes it meaningless. */
static void limit_bounding_set(uint64_t keep)
{
	int capability;

	for (capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(keep & CAPABILITY(capability)))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int become(const struct priv_user *user)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* A drop that did not work must not go unnoticed. */
static int check_dropped(const struct priv_user *user, uint64_t keep)
{
	struct __user_cap_data_struct sets[2];
	int error = capabilities_get(sets);

	if (error < 0)
		return error;
	if (permitted(sets) != keep || effective(sets) != keep ||
	    sets[0].inheritable != 0 || sets[1].inheritable != 0)
		return -ENOTRECOVERABLE;
	if (user != NULL && user->uid != 0 && setresuid(0, 0, 0) == 0)
		return -ENOTRECOVERABLE;
	return 0;
}

static int drop(const struct priv_user *user, uint64_t keep)
{
	struct __user_cap_data_struct sets[2];
	bool any = keep != 0;
	int error = capabilities_get(sets);

	if (error < 0)
		return error;
	/* CAP_SYS_ADMIN may have stood for CAP_BPF. */
	keep &= permitted(sets);
	if (any && (keep & NET_ADMIN) == 0)
		return -EPERM;
	if (geteuid() != 0)
		user = NULL;
	limit_bounding_set(keep);
	if (user != NULL)
		error = become(user);
	if (error < 0)
		return error;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	error = capabilities_keep(keep);
	if (error < 0)
		return error;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return check_dropped(user, keep);
}

int priv_drop(const struct priv_user *user)
{
	return drop(user, NET_ADMIN);
}

int priv_drop_loader(const struct priv_user *user)
{
	return drop(user, LOADER);
}

int priv_drop_all(void)
{
	return drop(NULL, 0);
}
