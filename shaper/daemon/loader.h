/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_LOADER_H
#define SHAPER_DAEMON_LOADER_H

/*
 * A process of its own that loads the kernel program, and then keeps what is
 * needed to attach it: the daemon, which reads packets, never has that.  It
 * does what it is asked for over a socket pair, one thing at a time, knows no
 * more than these six questions, and ends with the daemon, however that ends:
 * then the program leaves its interfaces.
 *
 * Main thread only, which waits for each answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/fast.h"

struct loader;
struct priv_user;

/* What a program before this one, of a daemon that was killed, has left. */
struct loader_heritage {
	int slots, memory; /* descriptors, the caller's to close; -1: none */
	uint32_t slots_count;
};

/* Before there are threads.  `user`: who it turns into once it has loaded the
 * program; NULL: stays who it is.  0 or -errno. */
int loader_start(const struct priv_user *user, struct loader **ret_loader);

/*
 * Once.  `pin`: the folder of a BPF file system where the table outlives the
 * daemon; "": nowhere.  0 or -errno, and ret_text says why this kernel has no
 * fast path.  When it has one: why there is no pin; "": there is one.
 *
 * A kernel that looks through the program for long goes on with that beside us,
 * when the pump needs none (options->pump_only); until it is done loader_attach
 * is -EAGAIN.
 */
int loader_load(struct loader *loader, const struct fast_options *options,
		const char *pin, struct fast **ret_fast,
		struct loader_heritage *ret_heritage,
		char ret_text[FAST_TEXT_BYTES]);

/* Does nothing where it is attached already.  0 or -errno; ret_text is the way
 * ("tcx", "clsact"), or what is wrong. */
int loader_attach(struct loader *loader, uint32_t ifindex,
		  char ret_text[FAST_TEXT_BYTES]);
bool loader_is_attached(struct loader *loader, uint32_t ifindex);
/* All that it was attached to, and not detached from. */
bool loader_is_complete(struct loader *loader);
/* As far as can be told without asking it. */
bool loader_is_there(struct loader *loader);
void loader_detach(struct loader *loader, uint32_t ifindex);

/* It is there, and answers. */
bool loader_answers(const struct loader *loader);

/* Detach everything, remove the pin, end it.  NULL is fine. */
void loader_free(struct loader *loader);

#endif
