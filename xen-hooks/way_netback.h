/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_WAY_NETBACK_H
#define XEN_HOOKS_WAY_NETBACK_H

/*
 * The way `netback`: vifs that the module symtap_netback guards on the guest's
 * ring.  It decides by itself; here it is told whose a vif is, and asked what
 * it counted.  Needs CAP_NET_ADMIN.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/credit_params.h"
#include "policy/gate_params.h"
#include "policy/rate_params.h"
#include "xen-hooks/netback_counters.h"

struct pump_record;
struct vifkeys;
struct waynetback;

struct waynetback_settings {
	const struct vifkeys *keys; /* its MAC and addresses */
	bool overwrites;            /* another's MAC, instead of dropping */
	struct gate_params gate;
	bool holds_pairs, holds_flows; /* one of them, at least */
	bool observes;          /* what should wait goes on, and is counted */
	uint32_t slots;         /* withheld of each queue's ring */
	uint32_t slots_per_key; /* then it is dropped; 0: it waits */
	/* Where it holds anything. */
	bool wants_consent; /* `evidence` */
	struct credit_params credit;
	uint32_t first_contacts_per_s, connections_per_s; /* 0: any number */
	struct rate_params rate;
	uint32_t mark; /* bits that are added to the mark of what was judged */
};

/* 0 or -errno; whether the module is there is another question. */
int waynetback_open(struct waynetback **ret_way);
void waynetback_close(struct waynetback *way); /* NULL is fine */

/* What this host lacks for it; NULL: nothing. */
const char *waynetback_lacks(struct waynetback *way);

/* Guard it, or change how.  0 or -errno. */
int waynetback_set(struct waynetback *way, const char *interface,
		   const struct waynetback_settings *settings);
/* 0: there is a guard of it; or -errno. */
int waynetback_look(struct waynetback *way, const char *interface);
/* What waits goes on. */
int waynetback_unset(struct waynetback *way, const char *interface);

/* How a vif does that is guarded there. */
struct waynetback_state {
	char interface[16]; /* "": all together, and those that are gone */
	uint64_t counters[NETBACKCOUNTERS];
	uint64_t waits_ns; /* that which has waited longest; 0: nothing */
	uint32_t offered_pkts, heard_pkts; /* of the key with the largest S */
	uint32_t over_keys;                /* their threshold */
	uint32_t expected_keys;
};
/* `each` hears of all together, and then of each vif. */
int waynetback_all(struct waynetback *way,
		   void (*each)(void *self,
				const struct waynetback_state *state),
		   void *self);
/* Packets that wait now. */
uint64_t waynetback_waiting(const struct waynetback_state *state);

/* Keys of a vif that wait, and then those that are near their threshold, with
 * their VLAN as zone: at most `max`. */
int waynetback_keys(struct waynetback *way, const char *interface,
		    struct pump_record *ret_records, size_t max,
		    size_t *ret_count);

/* Give one back: the stricter of both is kept.  -EINVAL: there are no such keys
 * there; -ENOSPC: no place. */
int waynetback_give(struct waynetback *way, const char *interface,
		    const struct pump_record *record);

#endif
