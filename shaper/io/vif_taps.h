/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_VIF_TAPS_H
#define SHAPER_IO_VIF_TAPS_H

/*
 * Who listens to everything at an interface (tcpdump, lldpd, a DHCP server).
 * Each packet is copied for him before anything else sees it, and then belongs
 * to nobody any more: its sender does not wait, wherever it does.
 */

#include <stdbool.h>
#include <stdint.h>

enum { VIFTAPS_MAX = 256 };

struct viftaps {
	uint32_t ifindexes[VIFTAPS_MAX]; /* 0: of all interfaces */
	uint32_t count;
};

/* 0 or -errno; more than there is room for count as one of all interfaces. */
int viftaps_read(struct viftaps *ret_taps);

/* One line of /proc/net/packet.  Pure.  false: it is none, or no such tap. */
bool viftaps_parse(const char *line, uint32_t *ret_ifindex);

bool viftaps_has(const struct viftaps *taps, uint32_t ifindex);

#endif
