/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_STORE_H
#define XEN_HOOKS_STORE_H

/*
 * XenStore, by libxenstore: the only file that knows it.  Every call asks
 * xenstored and waits for its answer.  Once a call gave -ENOTCONN, so does
 * every other: close it and open anew.
 *
 * Paths are absolute, or relative to the own domain's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct store;

enum {
	STORE_PATH_BYTES = 256,
	STORE_LIST_MAX = 65536,
};

/* 0 or -errno. */
int store_open(struct store **ret_store);
void store_close(struct store *store); /* NULL is fine */

/* Our own. */
uint32_t store_domain(const struct store *store);

/* Changes at `path` and below it, and once at once.  -EEXIST: they are watched
 * already. */
int store_watch(struct store *store, const char *path);
void store_unwatch(struct store *store, const char *path);

/* Readable when there may be a change. */
int store_fd(const struct store *store);

/* 1: something changed at ret_path, as it was given to store_watch with what is
 * below; 0: nothing more for now; or -errno. */
int store_next(struct store *store, char ret_path[STORE_PATH_BYTES]);

/* How long the value is, -EMSGSIZE if it has more than `room` bytes, or another
 * -errno.  Any bytes may be in it. */
ssize_t store_read(struct store *store, const char *path, void *ret_value,
		   size_t room);

/* Whatever is missing above it is made, with the permissions of what is above
 * that.  0 or -errno. */
int store_write(struct store *store, const char *path, const void *value,
		size_t length_bytes);

/* With all that is below it.  0, also if it is not there, or -errno. */
int store_remove(struct store *store, const char *path);

/* A node of ours: besides us `domain` alone may read it, and nobody may write
 * it.  0 or -errno. */
int store_show(struct store *store, const char *path, uint32_t domain);

/* The same with nobody who may read it. */
int store_hide(struct store *store, const char *path);

/* 1: nobody but domain 0 and ourselves may write it; 0: somebody else may; or
 * -errno. */
int store_is_ours(struct store *store, const char *path);

/*
 * What is read, written and removed from here to store_end is one: all of it or
 * nothing, and as if nobody else had done anything meanwhile.  store_end gives
 * -EAGAIN when somebody had: begin again.  0 or -errno; after an error of
 * store_begin there is nothing to end.
 */
int store_begin(struct store *store);
int store_end(struct store *store, bool commit);

/* Names of the nodes at `path`, in any order.  How many, or -errno. */
ssize_t store_list(struct store *store, const char *path,
		   void (*on_name)(void *self, const char *name), void *self);

#endif
