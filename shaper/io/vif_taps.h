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
#include <stdio.h>

enum { VIFTAPS_MAX = 256 };

struct viftaps {
	uint32_t ifindexes[VIFTAPS_MAX]; /* 0: of all interfaces */
	uint32_t count;
};

/* The list, to be read again and again; NULL and errno: it cannot be. */
FILE *viftaps_open(void);

/* More than there is room for count as one of all interfaces. */
void viftaps_read(FILE *list, struct viftaps *ret_taps);
bool viftaps_equal(const struct viftaps *a, const struct viftaps *b);

/* One line of /proc/net/packet.  Pure.  false: it is none, or no such tap. */
bool viftaps_parse(const char *line, uint32_t *ret_ifindex);

bool viftaps_has(const struct viftaps *taps, uint32_t ifindex);

#endif
