/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_STATUS_H
#define SHAPER_DAEMON_STATUS_H

/*
 * What the main thread knows of everything, at most a second old: status,
 * stats, /metrics and doctor are answered from here, so that however many
 * ask, the engines are asked once.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "shaper/daemon/refused.h"
#include "shaper/io/nfqueue.h"
#include "shaper/io/nfqueue_stats.h"
#include "shaper/io/nft_rules.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"
#include "xen-hooks/netback_counters.h"
#include "xen-hooks/tap_stats.h"

enum {
	STATUS_ENGINES_MAX = 64,
	STATUS_INTERFACES_MAX = 64,
	STATUS_OFFENDERS_MAX = 64,
	STATUS_KERNEL_COUNTERS_MAX = 1024,
	STATUS_FAST_INTERFACES_MAX = 256,
	STATUS_FAST_WAY_BYTES = 8,
	STATUS_TEXT_BYTES = 256,
};

struct viftable;

struct status_engine {
	struct snapshot_totals totals;
	struct nfqueue_stats io;
	bool has_io;
	struct tapjudge_stats tap;    /* all-zero: it has none */
	struct nfqueue_leases leases; /* to the kernel */
	uint16_t queue, hold_queue;   /* its numbers; 0 and 0 without io */
};

/* What to hold a packet means to the one who sent it. */
struct status_interface {
	char name[16];
	bool is_guarded;
	bool back_pressure; /* the sender waits; else the kernel holds */
};

/* The kernel's fast path. */
struct status_fast {
	bool wanted; /* the policy asks for it */
	bool runs;
	char wrong[STATUS_TEXT_BYTES]; /* why not; "": nothing is wrong */
	struct {
		char name[16];
		char way[STATUS_FAST_WAY_BYTES]; /* "tcx", "clsact" */
		bool direct;                     /* past the bridge */
	} interfaces[STATUS_FAST_INTERFACES_MAX];
	size_t interfaces_count;
	char direct_wrong[STATUS_TEXT_BYTES]; /* as wrong, of one of them */
};

/* What the guards inside of netback counted. */
struct status_netback {
	bool is_there; /* the module has told it, also in an earlier life */
	uint64_t counters[NETBACKCOUNTERS];
	uint64_t before[NETBACKCOUNTERS]; /* the module was loaded anew */
	uint64_t told[NETBACKCOUNTERS];   /* by the module, last */
};

struct status_exemption {
	uint8_t address[16];
	uint64_t until_ns;
};

/* Sums over all engines at one moment. */
struct status_sums {
	struct snapshot_totals totals; /* one_sided_pct: of the worst */
	struct nfqueue_stats io; /* what was unreadable: of the tap, too */
	struct tapjudge_stats tap;
	struct nfqueue_leases leases;
};

struct status {
	uint64_t now_ns; /* when the engines were last asked */
	uint64_t started_ns;

	const struct policy *policy; /* the one in force; borrowed */
	char policy_path[STATUS_TEXT_BYTES];
	uint64_t policy_loaded_ns;
	uint64_t reloads, reloads_refused;
	char reload_error[STATUS_TEXT_BYTES]; /* of the last; "": it was good */

	bool has_tap;       /* packets come by it, and by no queue */
	char method[16];    /* how packets reach us: as nftrules_method says */
	bool state_refused; /* the state file was damaged or not ours */
	uint64_t rules_restored; /* our table had gone and was put back */
	/* What could not be put in force, and is tried again each second; "":
	 * all is. */
	char rules_wrong[STATUS_TEXT_BYTES], vifs_wrong[STATUS_TEXT_BYTES];
	struct status_engine engines[STATUS_ENGINES_MAX];
	size_t engines_count;
	struct status_interface interfaces[STATUS_INTERFACES_MAX];
	size_t interfaces_count;
	struct status_fast fast;
	/* Counted by the kernel, under our rules' names. */
	struct nftrules_counter kernel_counters[STATUS_KERNEL_COUNTERS_MAX];
	size_t kernel_counters_count;
	struct refused refused; /* by the kernel, for us */
	/* The last who sent what they may not. */
	struct nftrules_offender offenders[STATUS_OFFENDERS_MAX];
	size_t offenders_count;
	struct status_exemption exemptions[PUMP_EXEMPTIONS_MAX];
	size_t exemptions_count;

	struct status_netback netback;
	const struct viftable *vifs; /* NULL: none are followed; borrowed */

	struct status_sums restored; /* counters of earlier lives, and no
				      * more; part of `sums` */
	struct status_sums sums;
	struct status_sums before; /* the same, 60 s to 120 s ago */
	struct status_sums between;
	uint64_t before_ns, between_ns;
};

/* Add up the engines, and remember the sums for status_grown.  Call it when
 * engines[] was renewed. */
void status_sum(struct status *status, uint64_t now_ns);

/* The module tells what it has counted since it was loaded. */
void status_netback(struct status *status,
		    const uint64_t counters[NETBACKCOUNTERS]);

/* How much a counter grew within the last one to two minutes. */
uint64_t status_grown(const struct status *status, enum stats_counter counter);
uint64_t status_io_grown(const struct status *status,
			 enum nfqueue_counter counter);

/*
 * Of all packets that were counted within the last one to two minutes, how many
 * the kernel counted and passed by itself: 0..1; < 0: there were none.
 */
double status_fast_share(const struct status *status);

/* As inquiry_start wants it. */
size_t status_leased_hosts(const struct status *status);

/*
 * Remember an exemption (`until_ns` 0: end it).  false: too many.  Those that
 * have run out are forgotten here and by status_sum.
 */
bool status_exempt(struct status *status, const uint8_t address[16],
		   uint64_t until_ns, uint64_t now_ns);

/*
 * kernel_counters[i] with those of the same name in other tables added; false:
 * one before it has that name.
 */
bool status_kernel_counter(const struct status *status, size_t i,
			   struct nftrules_counter *ret_counter);

/* "enforce", "shadow"; "open", "closed" */
const char *status_mode_name(enum policy_mode mode);
const char *status_fail_name(enum policy_fail fail);

#endif
