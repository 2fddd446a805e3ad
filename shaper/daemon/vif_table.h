/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_TABLE_H
#define SHAPER_DAEMON_VIF_TABLE_H

/*
 * What is shown of the vifs, guarded or not: as the process that follows
 * XenStore says, with what the engines measure of each.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/daemon/vif_process.h"
#include "xen-hooks/netback_counters.h"

struct viftable;

enum { VIFTABLE_WHY_BYTES = 512 };

struct viftable_row {
	struct vifkeys keys;
	enum vif_state state;
	char wrong[VIFKEYS_TEXT_BYTES]; /* "": nothing */
	char why[VIFTABLE_WHY_BYTES];   /* this way, and no other; "" */
	int32_t slots;                  /* of the ring, in use; -1: unknown */
	bool has_counters;              /* of the guard in netback */
	uint64_t counters[NETBACKCOUNTERS];
	struct vif_figures figures;
	struct vif_figures told; /* to XenStore */
	bool is_told;
};

/* NULL: out of memory. */
struct viftable *viftable_new(void);
void viftable_free(struct viftable *table);

/* One that says how a vif is now.  false: out of memory. */
bool viftable_see(struct viftable *table, const struct vif_order *order);
/* Where its packets wait from now on, and why there; `is_unguarded` by the
 * policy.  A vif that is not known is ignored. */
void viftable_way(struct viftable *table, const struct vifkeys *keys,
		  const char *way, const char *why, bool is_unguarded);

/* Nothing waits, as far as is known; what is measured is added anew. */
void viftable_forget_figures(struct viftable *table);
/* Of the keys behind this interface. */
void viftable_add(struct viftable *table, const char *interface,
		  int32_t s_centi, uint32_t held_pkts, uint64_t since_s);

/* What its guard in netback counted; viftable_forget_figures forgets it. */
void viftable_counters(struct viftable *table, const char *interface,
		       const uint64_t counters[NETBACKCOUNTERS]);

size_t viftable_count(const struct viftable *table);
struct viftable_row *viftable_at(const struct viftable *table, size_t at);

/* "active", and of these also "held" and "off" */
const char *viftable_state(const struct viftable_row *row);

#endif
