/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_STATS_H
#define SHAPER_STATS_H

/*
 * Every counter of the core, declared once: the enum, the metrics text and
 * the operator's listing come from this table.  Counters only go up.
 *
 *	X(name, unit, help)
 */

#include <stdint.h>

#define STATS_COUNTERS(X)                                                      \
	X(out_pkts, "packets", "offered by guarded hosts")                     \
	X(in_pkts, "packets", "heard by guarded hosts")                        \
	X(transit_pkts, "packets", "neither end guarded")                      \
	X(exempt_pkts, "packets", "passed because a rule exempts them")        \
	X(sent_pkts, "packets", "let out")                                     \
	X(waited_pkts, "packets", "let out after they waited")                 \
	X(waited_ns, "nanoseconds", "waited in all")                           \
	X(waited_contact_pkts, "packets",                                      \
	  "let out after they waited as first contacts")                       \
	X(waited_connection_pkts, "packets",                                   \
	  "let out after they waited as new connections")                      \
	X(waited_rate_pkts, "packets",                                         \
	  "let out after they waited for the rate of their host")              \
	X(refused_rst, "packets", "in, no consent: a reset")                   \
	X(refused_syn_ack, "packets",                                          \
	  "in, no consent until the handshake is completed")                   \
	X(paid_pkts, "packets", "let out on patience or credit")               \
	X(met_pkts, "packets",                                                 \
	  "let out in the first second, amid a TCP connection")                \
	X(floor_pkts, "packets", "let out at once, being so few")              \
	X(dropped_key_bound, "packets", "dropped: too many of their key wait") \
	X(dropped_host_bound, "packets",                                       \
	  "dropped: too many of their host wait")                              \
	X(dropped_bound, "packets", "dropped: too many wait in all")           \
	X(shed_key_pkts, "packets",                                            \
	  "dropped: their key has its share of its guest's ring")              \
	X(shed_vif_pkts, "packets",                                            \
	  "dropped: what waits has its share of its guest's ring")             \
	X(slots_over_pkts, "packets",                                          \
	  "made to wait although their key has its share of the ring")         \
	X(dropped_drain, "packets", "dropped when the data path closed")       \
	X(dropped_lost, "packets", "lost while they waited")                   \
	X(released_bound, "packets", "let out because too many wait")          \
	X(split_pkts, "super-packets", "taken apart to be counted or held")    \
	X(multicast_pkts, "packets", "to multicast or broadcast")              \
	X(multicast_dropped, "packets", "dropped: past the multicast limit")   \
	X(neighbour_pkts, "packets", "ARP and neighbour discovery")            \
	X(dhcp_pkts, "packets", "DHCP")                                        \
	X(dhcp_dropped, "packets", "dropped: past the DHCP limit")             \
	X(icmp_error_pkts, "packets", "ICMP errors")                           \
	X(icmp_error_dropped, "packets", "dropped: past the ICMP error limit") \
	X(keys_made, "keys", "put into the tables")                            \
	X(keys_aged, "keys", "forgotten: nothing in their window")             \
	X(keys_refused_quota, "keys", "no place: their host has its share")    \
	X(keys_refused_full, "keys", "no place: the table is full")            \
	X(keys_ignored_in, "keys", "unsolicited, no place kept for them")      \
	X(keys_returned, "keys", "known from before: their guest was away")    \
	X(judged_by_host, "packets",                                           \
	  "their key has no place: the host's gate")                           \
	X(suspects_made, "keys", "given an exact window")                      \
	X(suspects_refused, "keys", "no exact window left")                    \
	X(hosts_refused, "hosts", "no place: they share one gate")             \
	X(releases_armed, "delays", "timers started for the next release")     \
	X(time_ran_back, "times", "the clock ran back and was clamped")

enum stats_counter {
#define X(name, unit, help) STATS_##name,
	STATS_COUNTERS(X)
#undef X
		STATS_COUNT
};

struct stats {
	uint64_t counter[STATS_COUNT];
};

#endif
