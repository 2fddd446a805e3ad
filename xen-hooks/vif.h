/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_VIF_H
#define XEN_HOOKS_VIF_H

/*
 * The life of one vif, as a state machine: what was seen in XenStore, or was
 * done about it, is an event; the answer is what to do next.  Pure.
 *
 *	absent     nothing of it is known
 *	attaching  it is there, its guard is not in place yet
 *	active     it is guarded
 *	draining   it leaves: what is held for it is let go, penalties are saved
 *	gone       nothing is held any more; forget it, and look again whether
 *	           it came back meanwhile
 */

enum vif_state {
	VIF_ABSENT,
	VIF_ATTACHING,
	VIF_ACTIVE,
	VIF_DRAINING,
	VIF_GONE,
};

enum vif_event {
	VIF_SEEN,    /* it is there, and cannot be used: not connected, no
		      * interface, a key that is wrong */
	VIF_USABLE,  /* connected, and all keys are as they were */
	VIF_CHANGED, /* connected, and some key is another */
	VIF_LEAVING, /* closing, or its node or domain is no more */
	VIF_GUARDED, /* done: its guard is in place */
	VIF_REFUSED, /* its guard cannot be had */
	VIF_DRAINED, /* done: nothing is held for it */
};

enum vif_action {
	VIF_DO_NOTHING,
	VIF_DO_EXPECT, /* it is new: what is remembered of its guest may be
			* given back, before its first packet */
	VIF_DO_GUARD,  /* put its guard in place, or renew it; then GUARDED or
			* REFUSED */
	VIF_DO_DRAIN,  /* take its guard away; then DRAINED */
	VIF_DO_FORGET,
};

/* *state becomes the next one.  Any event may come in any state. */
enum vif_action vif_step(enum vif_state *state, enum vif_event event);

/* "absent", "attaching" .. */
const char *vif_state_name(enum vif_state state);

#endif
