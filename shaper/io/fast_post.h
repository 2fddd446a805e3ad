/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_POST_H
#define SHAPER_IO_FAST_POST_H

/*
 * The program tells of packets by one ring, which one engine reads.  What is
 * another's it hands on: one writer, one reader, no lock, and a bound.
 */

#include <stdbool.h>
#include <stddef.h>

struct fast_event;
struct fastpost;

enum { FASTPOST_EVENTS = 4096 };

/* 0 or -errno. */
int fastpost_new(struct fastpost **ret_post);
/* NULL is fine. */
void fastpost_free(struct fastpost *post);

/* false: there is no room. */
bool fastpost_put(struct fastpost *post, const struct fast_event *event);
/* Wake its reader up, if anything was put since the last time. */
void fastpost_ring(struct fastpost *post);

/* Readable when it was rung, until it is silenced: before what is there is
 * taken. */
int fastpost_fd(const struct fastpost *post);
void fastpost_silence(struct fastpost *post);
/* What is there, in order; no system call.  `on_event` must not free.  Returns
 * how many. */
size_t fastpost_take(struct fastpost *post,
		     void (*on_event)(void *self,
				      const struct fast_event *event),
		     void *self);

#endif
