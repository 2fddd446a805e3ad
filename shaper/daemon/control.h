/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_CONTROL_H
#define SHAPER_DAEMON_CONTROL_H

/*
 * The operator's socket: lines in (requests.h), one line of JSON out for each
 * (answers.h), in order.  A client has one request under way, and the next is
 * read when it has taken the answer; so what one may cost is bounded, and the
 * engines are asked between two batches only.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct control;
struct event_base;
struct mailbox;
struct status;
struct travel;

enum {
	CONTROL_CLIENTS_MAX = 32,
	CONTROL_CLIENTS_KEPT = 8, /* of these, for root and our own user */
	CONTROL_IDLE_S = 120,
	CONTROL_WRITE_S = 10, /* to take some of an answer */
};

struct control_config {
	const char *path;
	mode_t mode;       /* permission bits of the socket */
	const char *group; /* who owns it beside us; "": our own */
	bool is_only;      /* there may be no other in this network */
	uid_t user;        /* whom such a one may have become */
	struct status *status;
	struct mailbox *const *mailboxes;
	size_t mailboxes_count;

	struct travel *travel; /* export, import */

	/* Somebody reads the status. */
	void (*on_read)(void *self);
	/* Somebody asks for a reload; answer with control_reloaded when it is
	 * done, at once or later. */
	void (*on_reload)(void *self, uint64_t token);
	void *self;
};

/*
 * Listen.  A socket that nobody listens on is replaced, and a missing last
 * folder of the path is made.  The caller ignores SIGPIPE.  `path` is copied,
 * `group` is read until control_give, and what else `config` points to outlives
 * it.  0 or -errno; -EADDRINUSE: another daemon answers there; -EALREADY:
 * another is the only one.
 */
int control_new(struct event_base *base, const struct control_config *config,
		struct control **ret_control);

/*
 * Close all clients and remove the socket.  After the mailboxes are freed,
 * since what is under way answers here.
 */
void control_free(struct control *control);

/* Once a second: accept again, if that failed. */
void control_advance(struct control *control);

/* Pass the socket to the user we are going to be.  0 or -errno. */
int control_give(struct control *control, uid_t uid, gid_t gid);

/* The outcome of a reload; a client that left is not missed.  `text` is one
 * line: what is now in force, or why nothing changed. */
void control_reloaded(struct control *control, uint64_t token, bool ok,
		      const char *text);

#endif
