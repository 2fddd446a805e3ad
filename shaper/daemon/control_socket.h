/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_CONTROL_SOCKET_H
#define SHAPER_DAEMON_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A listening, non-blocking AF_UNIX stream socket at `path` with these
 * permission bits and group ("": ours).  A left-over socket is replaced, the
 * last folder is made (0755) when missing.  0 or -errno; -EADDRINUSE: somebody
 * answers there.
 */
int control_socket_open(const char *path, mode_t mode, const char *group,
			int backlog, bool *ret_made_folder, int *ret_fd);

/*
 * A name in this network namespace that one daemon has, as long as it lives;
 * -EALREADY: one of root, of ours or of `user` has it.  -1: a stranger has it,
 * who is in nobody's way.  Drop what connects to it, now and then.  -errno.
 */
int control_socket_claim(uid_t user, int *ret_fd);

/* Pass that folder on, for the socket to be removed in the end.  0 or -errno.
 */
int control_socket_give_folder(const char *path, uid_t uid, gid_t gid);

#endif
