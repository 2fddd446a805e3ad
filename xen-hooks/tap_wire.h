/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_WIRE_H
#define XEN_HOOKS_TAP_WIRE_H

/*
 * A way for messages between carrier and judge.  None of its calls waits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xen-hooks/tap_message.h"

struct tapwire {
	void *self;
	int fd; /* poll for reading */

	/* The other end has connected: it may come later than the wire. */
	bool (*has_other)(void *self);
	/* Before anything else when fd is readable. */
	void (*wake)(void *self);
	/* One or more messages, as long as the longest at most.  All of them,
	 * or nothing: 0; -EAGAIN: no room now; or -errno, the other end is
	 * gone. */
	int (*send)(void *self, const uint8_t *bytes, size_t count);
	/* A message of so many bytes would find room now.  When not, there is
	 * something to read before long: the other end answers what it read. */
	bool (*has_room)(void *self, size_t bytes);
	/* So much of what was said was not read yet, about; 0 when another
	 * message would not wait for long.  fd tells when it was read, polled
	 * for room_events too. */
	size_t (*unread_bytes)(void *self);
	short room_events;
	/* What has come, a message or a part of one; `room` is for the longest
	 * at least.  0: nothing for now; or -errno, the other end is gone. */
	ssize_t (*receive)(void *self, uint8_t *ret_bytes, size_t room);
	void (*close)(void *self);
};

/* What came, until it is a message. */
struct tapinbox {
	size_t from, end;
	uint8_t bytes[2 * TAPMESSAGE_BYTES_MAX];
};

/* 1: a message, valid until the next call; 0: none for now; or -errno, -EPROTO
 * when what came is none. */
int tapinbox_next(struct tapinbox *inbox, const struct tapwire *wire,
		  struct tapmessage *ret_message);

/* 0 or -errno, as the wire's send. */
int tapwire_say(const struct tapwire *wire, const struct tapmessage *message);

#endif
