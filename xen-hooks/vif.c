/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif.h"

static enum vif_action go(enum vif_state *state, enum vif_state next,
			  enum vif_action action)
{
	*state = next;
	return action;
}

#define ON(state, event) ((unsigned int)(state)*8 + (unsigned int)(event))

enum vif_action vif_step(enum vif_state *state, enum vif_event event)
{
	switch (ON(*state, event)) {
	case ON(VIF_ABSENT, VIF_SEEN):
	case ON(VIF_GONE, VIF_SEEN):
		return go(state, VIF_ATTACHING, VIF_DO_EXPECT);
	case ON(VIF_ABSENT, VIF_USABLE):
	case ON(VIF_ABSENT, VIF_CHANGED):
	case ON(VIF_GONE, VIF_USABLE):
	case ON(VIF_GONE, VIF_CHANGED):
	case ON(VIF_ATTACHING, VIF_USABLE):
	case ON(VIF_ATTACHING, VIF_CHANGED):
		return go(state, VIF_ATTACHING, VIF_DO_GUARD);
	case ON(VIF_ATTACHING, VIF_GUARDED):
		return go(state, VIF_ACTIVE, VIF_DO_NOTHING);

	case ON(VIF_ACTIVE, VIF_CHANGED):
		return go(state, VIF_ACTIVE, VIF_DO_GUARD);

	/* A guest that disconnects may come back as another: its penalties
	 * are kept by its uuid, its guard is not. */
	case ON(VIF_ACTIVE, VIF_SEEN):
	case ON(VIF_ACTIVE, VIF_LEAVING):
	case ON(VIF_ATTACHING, VIF_LEAVING):
		return go(state, VIF_DRAINING, VIF_DO_DRAIN);
	case ON(VIF_DRAINING, VIF_DRAINED):
		return go(state, VIF_GONE, VIF_DO_FORGET);

	/* The rest changes nothing.  A guard that is refused is asked for again
	 * with the next event; while draining, what comes back waits. */
	default:
		return VIF_DO_NOTHING;
	}
}

const char *vif_state_name(enum vif_state state)
{
	switch (state) {
	case VIF_ABSENT:
		return "absent";
	case VIF_ATTACHING:
		return "attaching";
	case VIF_ACTIVE:
		return "active";
	case VIF_DRAINING:
		return "draining";
	case VIF_GONE:
		return "gone";
	}
	return "?";
}
