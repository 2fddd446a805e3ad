/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_FEED_H
#define SIM_FEED_H

/*
 * The frames of a capture, read, uncompressed and parsed ahead by a thread of
 * its own: judging them is another's work, and both take their time.
 */

#include <stddef.h>

#include "sim/frame.h"

enum { FEED_FRAMES = 512 }; /* at a time, at most */

struct feed;

/* Until it is freed, nobody else may use the capture.  NULL: out of memory or
 * threads; the capture is as it was. */
struct feed *feed_new(struct capture *capture);
/* Waits for a read that is under way. */
void feed_free(struct feed *feed);

/* The next frames, borrowed until the next call.  0: that was all, and what
 * capture_next said is in feed_status, the capture again the caller's. */
size_t feed_next(struct feed *feed, const struct frame **ret_frames);
enum capture_status feed_status(const struct feed *feed);

/* As capture_read_bytes, when those frames had been read. */
uint64_t feed_read_bytes(const struct feed *feed);

#endif
