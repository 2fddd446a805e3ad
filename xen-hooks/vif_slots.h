/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_SLOTS_H
#define XEN_HOOKS_VIF_SLOTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many requests of a guest netback has taken and not answered yet, in all
 * queues of the vif, as it tells root in debugfs.  -1: it does not.
 */
int32_t vifslots_read(const char *interface, uint16_t queues);

/* In the text of one queue's io_ring_qN.  Pure. */
int32_t vifslots_parse(const char *text, size_t length_bytes);

#endif
