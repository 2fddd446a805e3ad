/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_REMEMBERED_H
#define SHAPER_DAEMON_REMEMBERED_H

/*
 * What is remembered of guests that are away, by uuid: their keys, an hour
 * long, in a bounded file beside the state file.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/daemon/memory.h"
#include "shaper/daemon/state.h"

enum {
	REMEMBERED_MAX = 256, /* who would be forgotten next makes room */
	REMEMBERED_KEYS_MAX = 128,
};

#define REMEMBERED_NS UINT64_C(3600000000000)

struct remembered;

struct remembered_guest {
	char uuid[STATE_UUID_BYTES];
	uint64_t until_ns;
	struct memory_record *keys; /* REMEMBERED_KEYS_MAX; zone "": its own */
	size_t count;
};

struct remembered *remembered_new(void); /* NULL: out of memory */
void remembered_free(struct remembered *guests);

/* One more key of a guest; the stricter, if it has that key.  false: it has
 * REMEMBERED_KEYS_MAX, or there is no memory. */
bool remembered_add(struct remembered *guests, const char *uuid,
		    const struct memory_record *key, uint64_t now_ns);

/* NULL: nothing is remembered.  Valid until the next call that adds, forgets
 * or advances. */
const struct remembered_guest *remembered_find(const struct remembered *guests,
					       const char *uuid);
const struct remembered_guest *remembered_at(const struct remembered *guests,
					     size_t at);
size_t remembered_count(const struct remembered *guests);

/* Its keys of these addresses (0: all of them) to ret_keys, REMEMBERED_KEYS_MAX
 * at most, and forgotten here.  Returns how many. */
size_t remembered_take(struct remembered *guests, const char *uuid,
		       const struct pump_guest *guest,
		       struct memory_record *ret_keys);

/* Forget whose time is over. */
void remembered_advance(struct remembered *guests, uint64_t now_ns);

/* 0 or -errno.  Not waited for the disk. */
int remembered_save(const struct remembered *guests, const char *path,
		    uint64_t wall_ns, uint64_t now_ns);

/* Adds those of a file.  0; -errno (-ENOENT: there is none); 1: it is not
 * used, and ret_why says why. */
int remembered_load(struct remembered *guests, const char *path,
		    uint64_t wall_ns, uint64_t now_ns, const char **ret_why);

#endif
