/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_WATCH_H
#define XEN_HOOKS_VIF_WATCH_H

/*
 * The vifs whose backend is this domain, as XenStore tells of them: which there
 * are, what their keys say, and what is to be done about each (vif.h).  The
 * owner does it and says when it is done.  One thread.
 *
 *	vifwatch_new
 *	  poll vifwatch_fd(), and vifwatch_next_ns()
 *	  vifwatch_advance		calls on_action, any number of times
 *	  vifwatch_done			after each VIF_DO_GUARD and VIF_DO_DRAIN
 *	vifwatch_free
 *
 * xenstored may come and go: meanwhile all vifs stay as they are.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/vif.h"
#include "xen-hooks/vif_keys.h"

struct store;
struct vifwatch;

enum { VIFWATCH_VIFS_MAX = 4096 };

struct vifwatch_vif {
	struct vifkeys keys;
	enum vif_state state;
	char wrong[VIFKEYS_TEXT_BYTES]; /* with its keys, or why it is not
					 * guarded; "": nothing */
};

struct vifwatch_stats {
	uint64_t events;     /* that XenStore told of */
	uint64_t reads;      /* of a vif's keys, all of them */
	uint64_t wrong;      /* values that were wrong */
	uint64_t beyond;     /* vifs above VIFWATCH_VIFS_MAX */
	uint64_t reconnects; /* to xenstored, after the first */
	uint32_t vifs;
	bool connected;
	int error; /* of the last try to connect, -errno; 0: it did */
};

struct vifwatch_owner {
	/* EXPECT, GUARD or DRAIN; `vif` is valid during the call.  It may call
	 * vifwatch_done itself. */
	void (*on_action)(void *self, const struct vifwatch_vif *vif,
			  enum vif_action action);
	/* A value of the tool stack's became wrong, or wrong in another way. */
	void (*on_wrong)(void *self, const char *wrong);
	/* Somebody wrote the key `rate` of a vif, maybe we.  NULL: no
	 * matter. */
	void (*on_rate)(void *self, uint32_t domain, uint32_t handle);
	/* Its state has changed, or what is wrong; VIF_ABSENT: it is
	 * forgotten. */
	void (*on_seen)(void *self, const struct vifwatch_vif *vif);
	/* Does an interface of this name exist? */
	bool (*has_interface)(void *self, const char *name);
	void *self;
};

/* NULL: out of memory.  Connects with the first vifwatch_advance. */
struct vifwatch *vifwatch_new(const struct vifwatch_owner *owner);
void vifwatch_free(struct vifwatch *watch);

/* -1: there is no connection, see vifwatch_next_ns. */
int vifwatch_fd(const struct vifwatch *watch);

/* When vifwatch_advance has something to do although nothing is readable, or
 * UINT64_MAX. */
uint64_t vifwatch_next_ns(const struct vifwatch *watch);
void vifwatch_advance(struct vifwatch *watch, uint64_t now_ns);

/* VIF_GUARDED, VIF_REFUSED (with the reason) or VIF_DRAINED of a vif. */
void vifwatch_done(struct vifwatch *watch, uint32_t domain, uint32_t handle,
		   enum vif_event event, const char *wrong);

/* For whoever writes as well; NULL: there is no connection. */
struct store *vifwatch_store(const struct vifwatch *watch);

/* The vif at `at` of vifwatch_stats()->vifs, in no order. */
const struct vifwatch_vif *vifwatch_at(const struct vifwatch *watch, size_t at);
const struct vifwatch_stats *vifwatch_stats(const struct vifwatch *watch);

#endif
