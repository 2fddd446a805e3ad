/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_LOADER_WIRE_H
#define SHAPER_DAEMON_LOADER_WIRE_H

/* What the daemon and its loader say to each other: one message each way. */

#include <stdint.h>
#include <sys/types.h>

#include "shaper/io/fast.h"

struct priv_user;

enum loader_what {
	LOADER_LOAD = 1,
	LOADER_ATTACH,
	LOADER_DETACH,
	LOADER_IS_ATTACHED,
	LOADER_IS_COMPLETE,
	LOADER_END,
};

enum {
	LOADER_PIN_BYTES = 108,
	LOADER_FDS = 3,     /* of struct fast_fds, in order */
	LOADER_FDS_MAX = 5, /* and of what was left: table, memory */
};

struct loader_request {
	uint32_t what;
	uint32_t ifindex;
	uint32_t slots;
	uint32_t pump_only;
	char pin[LOADER_PIN_BYTES];
};

struct loader_answer {
	int32_t error;
	uint32_t left_slots; /* 0: nothing was left */
	char text[FAST_TEXT_BYTES];
};

/* The loader's whole life, as a child of `daemon`. */
_Noreturn void loader_serve(int socket, const struct priv_user *user,
			    pid_t daemon);

#endif
