/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_IFNAMES_H
#define SHAPER_IO_IFNAMES_H

/*
 * Interface numbers to names and MTUs, kept up to date by what the kernel tells
 * (rtnetlink), so that no packet costs a system call.  One per thread.
 */

#include <stdbool.h>
#include <stdint.h>

struct ifnames;

enum { IFNAMES_MAX = 65536, IFNAMES_NAME_SIZE = 16 };

/* All interfaces of this network namespace.  0 or -errno. */
int ifnames_new(struct ifnames **ret_names);
void ifnames_free(struct ifnames *names);

/* Readable when interfaces came, went or have changed; then update. */
int ifnames_fd(const struct ifnames *names);

/* Take in what the kernel has told, and ask for all of it where something was
 * lost.  0 or -errno (-EAGAIN: a list has a gap, again and again); what was
 * known stays. */
int ifnames_update(struct ifnames *names);

/* Grows whenever a name or MTU that was given may have become wrong. */
uint32_t ifnames_generation(const struct ifnames *names);

/*
 * Of an interface in a VRF, the VRF's name: what comes by it is routed as if it
 * had come by that, and leaves by itself.  Borrowed until the next update;
 * NULL: no such interface is known.
 */
const char *ifnames_get(const struct ifnames *names, uint32_t ifindex);

bool ifnames_has_vrf(const struct ifnames *names, uint32_t ifindex);

/* The largest of its ports', if it is a VRF.  0: it is not known. */
uint32_t ifnames_mtu_bytes(const struct ifnames *names, uint32_t ifindex);

#endif
