/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NET_WATCH_H
#define SHAPER_IO_NET_WATCH_H

/* Has anything about this machine's interfaces or their addresses changed? */

#include <stdint.h>

struct netwatch;

/* 0 or -errno. */
int netwatch_new(struct netwatch **ret_watch);
void netwatch_free(struct netwatch *watch);

/*
 * Another number than the last time: look anew at whatever was read of them
 * before that.  It changes for more than that, never for less.
 */
uint64_t netwatch_look(struct netwatch *watch);

#endif
