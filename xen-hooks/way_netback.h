/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_WAY_NETBACK_H
#define XEN_HOOKS_WAY_NETBACK_H

/*
 * The way `netback`: vifs that the module symtap_netback guards on the guest's
 * ring.  It decides by itself; here it is told whose a vif is, and asked what
 * it counted.  Needs CAP_NET_ADMIN.
 */

#include <stdbool.h>
#include <stdint.h>

#include "policy/gate_params.h"

struct vifkeys;
struct waynetback;

/* As many as the module has: xen-hooks/netback/guard.h. */
enum { WAYNETBACK_COUNTERS = 16 };

struct waynetback_settings {
	const struct vifkeys *keys; /* its MAC and addresses */
	bool overwrites;            /* another's MAC, instead of dropping */
	struct gate_params gate;
	bool holds_pairs, holds_flows; /* neither: only counted */
	uint32_t slots;                /* withheld of each queue's ring */
	uint32_t slots_per_key;        /* then it is dropped; 0: it waits */
};

/* 0 or -errno; whether the module is there is another question. */
int waynetback_open(struct waynetback **ret_way);
void waynetback_close(struct waynetback *way); /* NULL is fine */

/* What this host lacks for it; NULL: nothing. */
const char *waynetback_lacks(struct waynetback *way);

/* Guard it, or change how.  0 or -errno. */
int waynetback_set(struct waynetback *way, const char *interface,
		   const struct waynetback_settings *settings);
/* What waits goes on. */
int waynetback_unset(struct waynetback *way, const char *interface);

int waynetback_counters(struct waynetback *way, const char *interface,
			uint64_t ret_counters[WAYNETBACK_COUNTERS]);
/* Packets that wait now. */
uint64_t waynetback_waiting(const uint64_t counters[WAYNETBACK_COUNTERS]);

#endif
