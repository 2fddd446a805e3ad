/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TAP_FRAMES_H
#define SHAPER_DAEMON_TAP_FRAMES_H

/* How frames of an intercepting judge leave. */

#include <stddef.h>
#include <stdint.h>

/* A socket that hears nothing, before privileges are dropped; or -errno. */
int tap_frames_open(void);

/* One whole frame.  0 or -errno. */
int tap_frames_send(int fd, const char *interface, const uint8_t *frame,
		    size_t count);

#endif
