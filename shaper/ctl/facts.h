/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_FACTS_H
#define SHAPER_CTL_FACTS_H

/*
 * What this machine says about itself, as far as it concerns a gateway, and
 * what is wrong with it.  Gathering and judging are apart: the second is pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/hooks.h"
#include "shaper/io/marks.h"
#include "shaper/io/nft_flowtables.h"

struct findings;
struct json_t;
struct policy;

enum {
	FACTS_UNKNOWN = -1, /* not there, or not ours to read */
	FACTS_QUEUES_MAX = 256,
	FACTS_FLOWTABLES_MAX = 8,
	FACTS_INTERFACES_MAX = 64,
	FACTS_PROGRAMS_MAX = 64,
	FACTS_MARKS_MAX = 4,
	FACTS_NAME_BYTES = 64,
};

struct facts_queue { /* a line of /proc/net/netfilter/nfnetlink_queue */
	uint32_t number;
	uint32_t port; /* netlink port of who listens */
};

struct facts_interface {
	char name[16];
	bool guarded;
	bool fast;       /* the fast path is wanted there, */
	bool direct;     /* and packets leave past the bridge */
	char bridge[16]; /* if that is so: whose port it is; "": nobody's */
	bool lro, tc_offload;
};

struct facts {
	/* wanted: from the daemon, or from the policy file */
	bool runs;   /* the daemon answers */
	bool is_tap; /* packets are another machine's */
	bool bridged, ipv4, ipv6;
	char method[16]; /* "queue", "target", or "" */
	uint32_t queues[FACTS_QUEUES_MAX];
	size_t queues_count;
	struct facts_interface interfaces[FACTS_INTERFACES_MAX];
	size_t interfaces_count;
	uint32_t mark_bits; /* of the fast path; 0: it is not wanted */

	/* found */
	long ip_forward, ipv6_forward;
	bool has_bridge; /* an interface of this machine is one */
	long bridge_iptables, bridge_ip6tables, bridge_vlan, bridge_pppoe;
	long conntrack_used, conntrack_max;
	char clock[FACTS_NAME_BYTES]; /* "": unknown */
	bool has_netfilter;           /* /proc/net/netfilter is there */
	bool has_bound;               /* `bound` could be read */
	struct facts_queue bound[FACTS_QUEUES_MAX];
	size_t bound_count;
	int flowtables_error; /* 0 or -errno */
	struct nftflowtable flowtables[FACTS_FLOWTABLES_MAX];
	size_t flowtables_count;
	struct hooks_program programs[FACTS_PROGRAMS_MAX];
	size_t programs_count;
	struct marks_user marks[FACTS_MARKS_MAX]; /* others than us */
	size_t marks_count;                       /* there may be more */
};

/* What a running daemon wants: `status` is its answer. */
void facts_want_status(struct facts *facts, const struct json_t *status);
/* What a daemon that does not run would want. */
void facts_want_policy(struct facts *facts, const struct policy *policy);

/* What is found below `root`: "" for this machine. */
void facts_read(struct facts *facts, const char *root);
/* What the kernel says beside files: flow tables, who is at the interfaces
 * that are wanted, who uses the mark. */
void facts_ask_kernel(struct facts *facts);

/* Who sees packets beside us; part of the next. */
void facts_judge_bypass(const struct facts *facts, struct findings *findings);

/* Cannot fail. */
void facts_judge(const struct facts *facts, struct findings *findings);

#endif
