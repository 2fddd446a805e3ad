/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_CLIENT_H
#define SHAPER_CTL_CLIENT_H

/* One connection to the daemon's control socket: a line out, a line in. */

#include <stddef.h>

enum {
	CLIENT_WAIT_MS = 10000,
	CLIENT_ANSWER_BYTES = 32 << 20, /* longer is not from our daemon */
};

struct client {
	int fd; /* -1: not connected */
};

/* 0 or -errno. */
int client_open(struct client *client, const char *path);
void client_close(struct client *client);

/*
 * Send `request` (no newline) and wait for the answer, without its newline,
 * to be freed by the caller.  0 or -errno: -ETIMEDOUT; -ECONNRESET: the daemon
 * closed; -EMSGSIZE.  After an error: client_close.
 */
int client_ask(struct client *client, const char *request, char **ret_answer);

#endif
