/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_RULES_H
#define SHAPER_IO_NFT_RULES_H

/*
 * The kernel's part of the policy: tables named "symtap" of our own, and
 * nothing else.  Packets that the kernel can decide never reach user space;
 * the rest goes to one NFQUEUE per shard.
 *
 *	nftrules_open
 *	  nftrules_install       at start; takes over what an earlier run left
 *	  nftrules_update        a new policy, in place, no packet lost: what
 *	                         differs is changed, and nothing else written
 *	  nftrules_verify        is it still what we made?
 *	  nftrules_leave_blocking, or nftrules_remove      at the end
 *	nftrules_close
 *
 * Not for several threads at once, the refuser included.  All functions that
 * may fail return 0 or -errno, and nftrules_error() then says what went wrong,
 * for the log.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftrules;
struct policy;
struct pump_refusal;

/* Of the mark's four bits: their packet was judged inside of netback. */
enum { NFTRULES_MARK_JUDGED = 13 };

/* Does the kernel track connections here, and does it translate them?  Held
 * packets need a waiting room then: see NFTRULES_QUEUE_ROOM. */
enum nftrules_conntrack {
	NFTRULES_CONNTRACK_LOOK, /* look at the other tables and decide */
	NFTRULES_CONNTRACK_NONE,
	NFTRULES_CONNTRACK_TRACKS,
	NFTRULES_CONNTRACK_TRANSLATES,
};

struct nftrules_config {
	const struct policy *policy; /* borrowed for the call */
	uint32_t shard_seed;         /* as shard_of() gets it */
	uint8_t shards;              /* engines: 1..SHARDS_MAX */
	uint16_t log_group;          /* nflog group of `log` rules */
	enum nftrules_conntrack conntrack;
	bool fast; /* the kernel program is there that policy->fast asks for */
	/* Where it is attached: packets in are told there, not queued. */
	const uint32_t *fast_ifindexes; /* borrowed for the call */
	size_t fast_count;
	/* `direct`: ports by which others are reached, so that few packets out
	 * come here.  Of those that are guarded none is asked. */
	const uint32_t *uplinks; /* borrowed for the call */
	size_t uplinks_count;
};

/* 0: *ret_rules is the caller's to close.  Nothing is changed yet. */
int nftrules_open(struct nftrules **ret_rules);

/* Leaves the tables as they are.  NULL is fine. */
void nftrules_close(struct nftrules *rules);

/* What the last failure was; "" when there was none.  Borrowed. */
const char *nftrules_error(const struct nftrules *rules);

/* -EBUSY: a bridge or sysctl that we may not touch; the text names it.  What
 * fails may be in force all the same, when it could not be read back: update to
 * what was before. */
int nftrules_install(struct nftrules *rules,
		     const struct nftrules_config *config);
int nftrules_update(struct nftrules *rules,
		    const struct nftrules_config *config);

/* Reads everything back.  -ESTALE: it is not what was installed. */
int nftrules_verify(struct nftrules *rules);

/* Where frames come by br_netfilter: is it on for the bridges that it was
 * switched on for?  Not for one that was made anew. */
bool nftrules_bridges_are_on(const struct nftrules *rules);

/* fail: closed.  From now on what would be queued is dropped, until install
 * or nftrules_uninstall. */
int nftrules_leave_blocking(struct nftrules *rules);

/* Release what is held first: removing a table drops whatever waits in any
 * queue of this network namespace. */
int nftrules_remove(struct nftrules *rules);

/* What any run, also one that was killed, left here: tables and sysctls. */
int nftrules_uninstall(struct nftrules *rules);

/* --- queue numbers --- */

enum nftrules_queue {
	NFTRULES_QUEUE_MAIN, /* GSO packets whole */
	NFTRULES_QUEUE_HOLD, /* no rule leads here: by verdict only */
	NFTRULES_QUEUE_ROOM, /* before conntrack: out packets of a flow whose
			      * first packet is still on its way */
};

/* The number of an engine's queue. */
uint16_t nftrules_queue_number(uint16_t first_queue, uint8_t shards,
			       uint8_t shard, enum nftrules_queue queue);

/* Is the waiting room in use under what was installed last? */
bool nftrules_has_room(const struct nftrules *rules);

/* How packets reach the queues here: "queue" or "target"; "" before install. */
const char *nftrules_method(const struct nftrules *rules);

/* --- refusals --- */

struct nftrules_refuser;

/* After install; one for all engines. */
int nftrules_refuser_open(struct nftrules *rules,
			  struct nftrules_refuser **ret_refuser);
void nftrules_refuser_close(struct nftrules_refuser *refuser);

/*
 * Carry out `count` refusals in one transaction.  interfaces[i] is where the
 * guarded end of refusals[i] lives.  Refusals that find no place are counted
 * in *ret_full, not an error.
 */
int nftrules_refuse(struct nftrules_refuser *refuser,
		    const struct pump_refusal *refusals,
		    const char *const *interfaces, size_t count,
		    size_t *ret_full, uint64_t now_ns);

/*
 * When nftrules_refuser_advance has something to do, or NS_NEVER: once the last
 * refusal has run out, nobody's packets need a closer look any more.
 */
uint64_t nftrules_refuser_next_ns(const struct nftrules_refuser *refuser);
int nftrules_refuser_advance(struct nftrules_refuser *refuser, uint64_t now_ns);

/* --- somebody else's hand --- */

enum nftrules_event {
	NFTRULES_QUIET,   /* nothing that concerns us */
	NFTRULES_ALTERED, /* our tables were changed or removed: install again
			   */
	NFTRULES_UNSURE,  /* messages were lost: nftrules_verify, and
			   * nftrules_look_for_conntrack */
	NFTRULES_CONNTRACK_CHANGED, /* NAT or tracking came: nftrules_update */
};

/* Readable when nftrules_watch has something to read. */
int nftrules_watch_fd(const struct nftrules *rules);
/* Reads until nothing is left; the gravest of what was seen.  -errno: broken.
 */
int nftrules_watch(struct nftrules *rules, enum nftrules_event *ret_event);
/* Differs from before when others may have changed their rules, as far as that
 * was watched. */
uint64_t nftrules_others(const struct nftrules *rules);
/* 1: NAT or tracking came; 0: none did; or -errno. */
int nftrules_look_for_conntrack(struct nftrules *rules);
/* Is something tracked by what nobody told of, such as iptables-legacy's rules?
 * Then nftrules_look_for_conntrack says 1. */
bool nftrules_has_tracking_come(const struct nftrules *rules);

/* --- `log` rules --- */

struct nftrules_log {
	int32_t priority; /* of the rule that matched */
	bool out;
	uint8_t src[16], dst[16];    /* IPv4 as ::ffff:a.b.c.d */
	uint16_t src_port, dst_port; /* ICMP echo: the identifier in both */
	uint8_t proto, tcp_flags;
	uint32_t length_bytes;
	char in_interface[16], out_interface[16];
};

int nftrules_log_fd(const struct nftrules *rules);
/* true: one more; false: none left for now.  `ret_lost` counts messages that
 * the kernel could not deliver or that could not be read. */
bool nftrules_next_log(struct nftrules *rules, struct nftrules_log *ret_log,
		       uint64_t *ret_lost);

/* --- what the kernel counted --- */

struct nftrules_counter {
	char name[40]; /* "transit", "spoofed lan0", "rule 10 drop", .. */
	uint64_t pkts, bytes;
};

struct nftrules_offender {
	char interface[16];
	uint8_t mac[6];
	uint8_t addr[16]; /* what it claimed to be */
	uint64_t pkts, bytes;
	uint64_t seen_ago_ns;
};

/* Up to `max` each; *ret_count is how many.  A set that changes while it is
 * read may miss some. */
int nftrules_counters(struct nftrules *rules,
		      struct nftrules_counter *ret_counters, size_t max,
		      size_t *ret_count);
int nftrules_offenders(struct nftrules *rules,
		       struct nftrules_offender *ret_offenders, size_t max,
		       size_t *ret_count);

struct nftrules_refused {
	uint8_t inside[16], outside[16]; /* outside ::, ports 0: any */
	uint16_t inside_port, outside_port;
	uint8_t proto;
	bool spared;
	char interface[16];
	uint64_t pkts, bytes; /* since it was put in */
	uint64_t age_ns;      /* since then, to a few milliseconds */
	uint64_t left_ns;
};

int nftrules_refusals(struct nftrules *rules,
		      struct nftrules_refused *ret_refused, size_t max,
		      size_t *ret_count);

#endif
