/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_LEDGER_H
#define SIM_WORLD_LEDGER_H

/*
 * What became of one sender's packets at the gateway, exactly: the windows
 * here hold the time of every packet.  S is the plain one, of this sender's
 * packets alone, as many as were let out and heard.
 */

#include <stdbool.h>
#include <stdint.h>

#include "sim/world/delays.h"
#include "sim/world/recent.h"

struct parcel;

enum { LEDGER_BINS = 600, LEDGER_RELEASES = 33 };

/* A slice of the time, for pictures. */
struct ledger_bin {
	uint32_t offered_pkts, let_out_pkts;
	double s_max; /* below 0: more was heard than let out */
	bool has_s;
	uint64_t delay_max_ns;
	uint64_t gap_max_ns; /* since what was let out before */
};

struct ledger_destination {
	uint8_t address[16];
	bool used;
	uint64_t first_ns;
	uint64_t pkts, first_second_pkts;
	uint32_t any_second_pkts;
	uint64_t opened, first_second_opened;
	uint32_t any_second_opened;
	struct recent recent, recent_opened;
};

struct ledger {
	uint64_t begins_ns, ends_ns, window_ns;
	uint64_t offered_pkts, let_out_pkts, let_out_bytes, dropped_pkts;
	uint64_t heard_pkts;
	struct recent sent, heard; /* in the window */
	double s_max;
	struct delays delays;
	/* When the first that waited came, and when it and those after it
	 * left. */
	uint64_t releases_ns[LEDGER_RELEASES];
	uint32_t releases;
	struct ledger_destination *destinations; /* open addressing */
	uint32_t destinations_count, destinations_capacity;
	struct recent contacts;
	uint32_t any_second_contacts;
	struct ledger_bin bins[LEDGER_BINS];
	uint32_t ended;     /* of these */
	uint64_t latest_ns; /* when something was let out */
	bool failed;        /* out of memory */
};

/* Of all destinations, the worst; a rate is after the first second that its
 * destination was sent to. */
struct ledger_totals {
	double let_out_per_s, connections_per_s, contacts_per_s;
	uint64_t first_second_pkts, any_second_pkts;
	uint64_t any_second_opened, any_second_contacts;
	uint64_t destinations;
};

void ledger_init(struct ledger *ledger, uint64_t window_ns, uint64_t begins_ns,
		 uint64_t ends_ns);
void ledger_fini(struct ledger *ledger);

void ledger_offered(struct ledger *ledger, uint64_t now_ns);
void ledger_dropped(struct ledger *ledger);
void ledger_let_out(struct ledger *ledger, const struct parcel *parcel,
		    uint64_t now_ns);
void ledger_heard(struct ledger *ledger, uint64_t now_ns);

/* log2((out + 1) / (in + 1)) of the window that ends now. */
double ledger_s(struct ledger *ledger, uint64_t now_ns);

/* The time is over: the rest of the bins, and memory that is not needed any
 * more. */
void ledger_close(struct ledger *ledger);

/* `from_ns`: when this sender began. */
void ledger_totals(const struct ledger *ledger, uint64_t from_ns,
		   struct ledger_totals *ret_totals);

#endif
