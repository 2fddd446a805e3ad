/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_HEIR_H
#define SHAPER_DAEMON_HEIR_H

/*
 * A process that waits for the end of the daemon, however it ends, and then
 * takes away what would hold packets without it.
 */

#include <stdint.h>
#include <sys/types.h>

struct priv_user;

struct heir {
	int life; /* it lives until this is closed */
	pid_t process;
};

/*
 * While there are privileges, and before there are threads.  `user`: who it
 * turns into; NULL: stays who it is.  at_end runs in that process, with
 * CAP_NET_ADMIN; the next daemon may have begun, so it takes away only the
 * device of `ifindex`, and what sends packets there.  0 or -errno.
 */
int heir_start(struct heir *heir, const struct priv_user *user,
	       uint32_t ifindex, void (*at_end)(uint32_t ifindex));

/* It ends, at_end included. */
void heir_end(struct heir *heir);

#endif
