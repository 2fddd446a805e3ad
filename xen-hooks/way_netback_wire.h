/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_WAY_NETBACK_WIRE_H
#define XEN_HOOKS_WAY_NETBACK_WIRE_H

/* Internal to way_netback*.c: a question to the module, and its answers.  The
 * kernel has answered when it has the question: nobody waits. */

#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/netback/protocol.h"
#include "xen-hooks/way_netback.h"

struct nlmsghdr;

/* Begin one; `interface` NULL: it names no vif.  0 or -errno. */
int waynetback_begin(struct waynetback *way, const char *interface,
		     enum netguard_command command,
		     struct nlmsghdr **ret_message);
/* The same, of a dump. */
int waynetback_begin_dump(struct waynetback *way, const char *interface,
			  enum netguard_command command,
			  struct nlmsghdr **ret_message);

/* `take` hears of each message; NULL: there is none.  0 or -errno, also the
 * kernel's. */
int waynetback_ask(struct waynetback *way, const struct nlmsghdr *message,
		   int (*take)(const struct nlmsghdr *message, void *self),
		   void *self);

#endif
