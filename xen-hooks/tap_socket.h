/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_SOCKET_H
#define XEN_HOOKS_TAP_SOCKET_H

/*
 * The tap's wire as a Unix socket: between two processes of one kernel, and in
 * tests without Xen.
 */

#include "xen-hooks/tap_wire.h"

/* One end of a SOCK_SEQPACKET pair; it is closed with the wire. */
void tapsocket_wire(int fd, struct tapwire *ret_wire);

/* The judge's end.  0 or -errno, the wire is none then. */
int tapsocket_connect(const char *path, struct tapwire *ret_wire);

/* The carrier's: a socket to accept from; what was at `path` is replaced. */
int tapsocket_listen(const char *path);
/* -EAGAIN: there is nobody yet. */
int tapsocket_accept(int fd, struct tapwire *ret_wire);

#endif
