/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIFS_STATE_H
#define SHAPER_DAEMON_VIFS_STATE_H

/* What vifs.c (who is there) and vifs_policy.c (how they are guarded) share,
 * and nobody else sees. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shaper/daemon/travel.h"
#include "shaper/daemon/vif_netback.h"
#include "shaper/daemon/vif_process.h"
#include "shaper/daemon/vif_ways.h"
#include "shaper/io/vif_taps.h"

struct vif {
	struct vifkeys keys;
	bool leaving;
	struct letting_go *going; /* leaving; NULL: out of memory */
	bool waits;               /* the process is to hear of it */
	bool guarded;             /* by these keys, in rules and engines */
	bool applied;    /* the policy that is being taken over has it */
	bool refused;    /* the way that was asked for cannot be had */
	bool in_netback; /* is to be guarded there */
	bool is_there;   /* is so, as far as is known */
	bool was_told;   /* by the module, this second */
	bool has_keys;   /* there, that are worth asking for */
	struct waynetback_settings netback;
	char netback_wrong[64]; /* it has refused these keys; "": it has not */
	bool asks_ring;
	const char *ring_lacks; /* when its way was chosen */
	bool listened;          /* way queue: its guest does not wait */
	enum policy_way way;
	char why[WAY_TEXT_BYTES];  /* that way, or none */
	char told[WAY_TEXT_BYTES]; /* logged last */
};

struct vifs {
	struct daemon *daemon;
	int fd;
	bool has_looked; /* the process: all that were there are known */
	int pace_fd;     /* whoever can pause vifs; engines write there */
	struct vif *list;
	size_t count, room;
	struct waynetback *netback; /* NULL: it cannot be asked */
	const char *netback_lacks;  /* when ways were chosen */
	size_t noted;               /* whose keys are read next */
	struct viftable *table;     /* also of those that are not guarded */
	struct vifpoll *poll;
	FILE *taps_list;     /* NULL: it could not be opened */
	struct viftaps taps; /* when ways were chosen, or looked at */
	uint64_t seen;       /* by netwatch_look, when they were looked at */
	bool is_settled;     /* and were as they should be */
	bool failed;         /* their guard: tried again in a second */
};

/* One that leaves. */
struct letting_go {
	struct vifs *vifs;
	struct vifkeys keys;
	size_t departures; /* under way */
	uint64_t released_pkts;
};

struct travel_vif vifs_travel(const struct vifkeys *keys);

/* To the process: what was done about a vif. */
void vifs_report(struct vifs *vifs, const struct vifkeys *keys,
		 enum vif_event event, const char *wrong);

/* Its guard is away: once all that it held is, too, the process hears of it. */
void vifs_drain(struct vifs *vifs, const struct vifkeys *keys,
		struct letting_go *going);

void vifs_remove_at(struct vifs *vifs, size_t at);

#endif
