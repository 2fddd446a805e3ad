/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_PROTOCOL_H
#define XEN_HOOKS_NETBACK_PROTOCOL_H

/*
 * How a vif's guard inside of netback is set and read: generic netlink, family
 * "symtap_vif".  Every command needs CAP_NET_ADMIN where the machine began and
 * names a vif by NETGUARD_INTERFACE.  Shared by module and daemon.
 */

#define NETGUARD_FAMILY "symtap_vif"

enum { NETGUARD_VERSION = 1 };

enum netguard_command {
	NETGUARD_SET = 1, /* all but NETGUARD_COUNTERS; what waits goes on
			   * waiting, penalties stand */
	NETGUARD_UNSET,   /* what waits goes on */
	NETGUARD_GET,     /* is answered by NETGUARD_COUNTERS */
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
	NETGUARD_ATTRIBUTES
};

#endif
