/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_PRIV_H
#define SHAPER_DAEMON_PRIV_H

/*
 * What the daemon may do once it is set up: CAP_NET_ADMIN, no new privileges,
 * and the system calls it needs.  In order: priv_find, priv_drop, priv_confine,
 * then the threads.
 */

#include <stdbool.h>
#include <sys/types.h>

struct priv_user {
	uid_t uid;
	gid_t gid;
};

/* 0 or -errno; -ESRCH: no such user. */
int priv_find(const char *name, struct priv_user *ret_user);

/*
 * Become `user` (NULL, or not root: stay who we are) with CAP_NET_ADMIN in the
 * permitted and effective sets and in no other, and give up new privileges for
 * good.  Supplementary groups are left behind with root.  Before any thread is
 * made.  0 or -errno; -EPERM: there is no CAP_NET_ADMIN to keep.
 */
int priv_drop(const struct priv_user *user);

/* The same with no capability at all, staying who we are. */
int priv_drop_all(void);

/*
 * From now on, for every thread: system calls that are not on the list fail
 * with EPERM; those that only an intruder would make (execve, ptrace, mount,
 * loading modules, ...) kill the process.  0 or -errno.
 */
int priv_confine(void);

/*
 * The same for the process that attaches the kernel program (loader.h): it
 * keeps CAP_BPF beside CAP_NET_ADMIN, and can make no map and load no program
 * any more, open no file, and speak to nobody but the daemon and netlink.
 */
int priv_drop_loader(const struct priv_user *user);
int priv_confine_loader(void);

#endif
