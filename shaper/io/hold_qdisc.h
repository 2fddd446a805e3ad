/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_HOLD_QDISC_H
#define SHAPER_IO_HOLD_QDISC_H

/*
 * Where packets wait uncopied, with the memory of whoever sent them still
 * charged for it: a device of our own, symtap-hold (ifb), which gives what is
 * redirected to it back to the interface that it came by, but only when told.
 * Knows nothing of packets: somebody redirects them there, with the class in
 * skb->priority, and says which class lets its next one go.
 *
 * A class lets one packet go each time that it is told to.  Left alone it lets
 * one go each `leak_ns`: so who died while packets waited holds nobody for
 * ever.  Super-packets longer than `longest_bytes` are taken apart on their way
 * in.
 *
 * By one thread at a time, with CAP_NET_ADMIN; holdqdisc_new also with
 * CAP_NET_RAW.  No system call here waits, but for whoever else changes
 * interfaces at that moment (the kernel's rtnl lock).
 */

#include <stdbool.h>
#include <stdint.h>

struct holdqdisc;

enum {
	HOLDQDISC_CLASSES = 72,      /* 1 .., made at once */
	HOLDQDISC_CLASSES_MAX = 256, /* 1 .. */
	HOLDQDISC_TEXT_BYTES = 256,
};

struct holdqdisc_options {
	const char *name;       /* of the device; NULL: symtap-hold */
	uint32_t room_pkts;     /* of each class; 0: the bounds are yours */
	bool later;             /* classes are made by holdqdisc_make */
	uint32_t longest_bytes; /* of a frame: MTU and headers; at most 60000 */
	uint64_t leak_ns;
};

/* Takes the place of one that was left behind; what waited there is dropped.
 * 0 or -errno; then ret_wrong says what this kernel has not. */
int holdqdisc_new(const struct holdqdisc_options *options,
		  struct holdqdisc **ret_hold,
		  char ret_wrong[HOLDQDISC_TEXT_BYTES]);

/* A class that is not there yet, shut.  0 or -errno. */
int holdqdisc_make(struct holdqdisc *hold, uint32_t class);

/* Another handle of the same device, for another thread.  As holdqdisc_new. */
int holdqdisc_share(const struct holdqdisc *hold, struct holdqdisc **ret_share);

/* What waits is dropped, but by a share: let it go before. */
void holdqdisc_free(struct holdqdisc *hold);

/* The one of this index that a process left which was killed, from another.
 * 0 or -errno: -ENODEV, there may be a new one of its name. */
int holdqdisc_remove(uint32_t ifindex);

uint32_t holdqdisc_ifindex(const struct holdqdisc *hold);

/* skb->priority of class n is this + n. */
uint32_t holdqdisc_major(void);

/* One packet, now.  When none waits there, the next that comes.  0 or
 * -errno. */
int holdqdisc_let_go(struct holdqdisc *hold, uint32_t class);

/* All of its packets, and those that come; or, as at the beginning, none but
 * who is let go, and maybe one more.  0 or -errno. */
int holdqdisc_open(struct holdqdisc *hold, uint32_t class);
int holdqdisc_shut(struct holdqdisc *hold, uint32_t class);

#endif
