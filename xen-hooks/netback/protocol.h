/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_PROTOCOL_H
#define XEN_HOOKS_NETBACK_PROTOCOL_H

/*
 * How a vif's guard inside of netback is set and read: generic netlink, family
 * "symtap_vif".  Every command needs CAP_NET_ADMIN where the machine began and
 * names a vif by NETGUARD_INTERFACE.  Shared by module and daemon.
 *
 * What is dumped comes in messages of bounded size, as netlink has it; a vif
 * that comes or goes meanwhile is told once or not at all.
 */

#define NETGUARD_FAMILY "symtap_vif"

/* In every message; who speaks another is refused with -EPROTONOSUPPORT. */
enum { NETGUARD_VERSION = 3 };

enum netguard_command {
	NETGUARD_SET = 1, /* all but NETGUARD_COUNTERS; what waits goes on
			   * waiting, penalties stand */
	NETGUARD_UNSET,   /* what waits goes on */
	/* NETGUARD_INTERFACE, _SUMMARY and _COUNTERS.  A dump without a name is
	 * of all vifs, and before these are the counters of all together, under
	 * no name; those of vifs that are gone are among them. */
	NETGUARD_GET,
	/* A dump: NETGUARD_RECORDS, in the order of guard_state_tell, of at
	 * most NETGUARD_MOST keys. */
	NETGUARD_GET_KEYS,
	/* NETGUARD_RECORDS: see guard_state_put.  -ENOSPC: not all of them were
	 * taken. */
	NETGUARD_PUT_KEYS,
};

enum {
	NETGUARD_RECORDS_MOST = 8, /* in a message */
	NETGUARD_KEYS_MOST = 128,  /* that are told if nobody says */
};

enum netguard_attribute {
	NETGUARD_INTERFACE = 1, /* its name */
	NETGUARD_MAC,           /* 6 bytes; not there: any */
	NETGUARD_OVERWRITES,    /* flag: another's MAC becomes this one */
	NETGUARD_PREFIXES,      /* struct frame_prefix each, 64 at most */
	NETGUARD_RATIO_Q16,     /* u32; the next three u64: gate_params.h */
	NETGUARD_WINDOW_NS,
	NETGUARD_FIRST_DELAY_NS,
	NETGUARD_MAX_DELAY_NS,
	NETGUARD_SCOPES,           /* u32, enum guard_scope */
	NETGUARD_SLOTS,            /* u32, withheld of each queue's ring */
	NETGUARD_SLOTS_PER_KEY,    /* u32, then it is dropped; 0: it waits */
	NETGUARD_OTHER_PKTS_PER_S, /* u32, 0: any number */
	NETGUARD_KEYS,             /* u32; heeded when the guard is made */
	NETGUARD_COUNTERS, /* u64 each, in the order of GUARD_COUNTERS */
	NETGUARD_PADDING,
	NETGUARD_WANTS_CONSENT, /* flag: `evidence: consent` */
	NETGUARD_FLOOR_PKTS,    /* u32 each: credit_params.h */
	NETGUARD_PATIENCE_PKTS,
	NETGUARD_EARNED_PKTS,
	NETGUARD_FIRST_CONTACTS_PER_S, /* u32, 0: any number */
	NETGUARD_CONNECTIONS_PER_S,    /* u32 of each pair, 0: any number */
	NETGUARD_RATE_PKTS_PER_S, /* u32, the next two u64: rate_params.h */
	NETGUARD_RATE_BYTES_PER_S,
	NETGUARD_RATE_BURST_NS,
	NETGUARD_MODE,    /* u32, enum guard_mode; not there: interpose */
	NETGUARD_SUMMARY, /* struct guard_summary */
	NETGUARD_RECORDS, /* struct guard_record each */
	NETGUARD_MOST,    /* u32 */
	NETGUARD_MARK,    /* u32, bits that are added to the mark of a packet
			   * that was judged; not there: none */
	NETGUARD_ATTRIBUTES
};

#endif
