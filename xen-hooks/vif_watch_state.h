/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_WATCH_STATE_H
#define XEN_HOOKS_VIF_WATCH_STATE_H

/* Internal to vif_watch*.c. */

#include "xen-hooks/store.h"
#include "xen-hooks/vif_look.h"
#include "xen-hooks/vif_watch.h"

#define VIFWATCH_BACKEND "backend/vif"

enum {
	/* What was seen of them is acted upon, then more. */
	VIFWATCH_LOOKS_AT_ONCE = 64,
};

struct vifwatch_entry {
	struct vifwatch_vif vif;
	bool dirty;       /* look at its keys again */
	bool name_is_new; /* watched, and not told of yet */
	enum vif_state told_state;
	char told_wrong[VIFKEYS_TEXT_BYTES];
};

struct vifwatch {
	struct vifwatch_owner owner;
	struct store *store; /* NULL: no connection */
	struct vifwatch_entry **entries;
	size_t entries_room;
	struct vifwatch_stats stats;
	uint64_t next_ns;
	uint64_t look_ns; /* is the connection still there?  Nothing tells */
	bool was_connected;
	bool dirty;    /* some entry is */
	bool rescan;   /* look which vifs there are */
	bool relook;   /* look whether there are policies */
	bool policies; /* of single guests: there are some */
	bool policies_watched;
	struct viflook looks[VIFWATCH_LOOKS_AT_ONCE]; /* of `looked` */
	struct vifwatch_entry *looked[VIFWATCH_LOOKS_AT_ONCE];
};

/* ------ vif_watch_vifs.c: those that are known */

struct vifwatch_entry *vifwatch_find(const struct vifwatch *watch,
				     uint32_t domain, uint32_t handle);
/* Its keys are to be looked at; one that is new is known from now on. */
void vifwatch_touch(struct vifwatch *watch, uint32_t domain, uint32_t handle);
/* Those of one guest, which are known. */
void vifwatch_touch_domain(struct vifwatch *watch, uint32_t domain);
bool vifwatch_has_domain(const struct vifwatch *watch, uint32_t domain);

/* Where its guest's name stands. */
void vifwatch_name_of(const struct vifwatch_entry *entry,
		      char ret_path[STORE_PATH_BYTES]);
/* Its policy may go by that, and no key of the vif tells when it becomes
 * another.  A driver domain may not know it, nor watch as much. */
void vifwatch_follow_name(struct vifwatch *watch, struct vifwatch_entry *entry);

/* ------ vif_watch_events.c: what XenStore tells.  false: the connection is
 * lost */

bool vifwatch_take_events(struct vifwatch *watch);
/* Which there are. */
bool vifwatch_rescan(struct vifwatch *watch);

#endif
