/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world/dice.h"
#include "sim/world/parcel.h"

enum { TCP_SYN = 2, FIRST_CAPACITY = 16 };

#define NS_PER_S UINT64_C(1000000000)
#define RATE_NS  (10 * NS_PER_S)

void ledger_init(struct ledger *ledger, uint64_t window_ns, uint64_t begins_ns,
		 uint64_t ends_ns)
{
	*ledger = (struct ledger){
		.begins_ns = begins_ns,
		.ends_ns = ends_ns,
		.window_ns = window_ns,
	};
}

void ledger_fini(struct ledger *ledger)
{
	for (uint32_t i = 0; i < ledger->destinations_capacity; i++) {
		recent_fini(&ledger->destinations[i].recent);
		recent_fini(&ledger->destinations[i].recent_opened);
	}
	free(ledger->destinations);
	recent_fini(&ledger->sent);
	recent_fini(&ledger->heard);
	recent_fini(&ledger->contacts);
	*ledger = (struct ledger){ 0 };
}

/* ------ destinations */

/* Addresses are the scenario's own: no need for a keyed hash. */
static uint32_t hash_of(const uint8_t address[16])
{
	struct dice low, high;

	memcpy(&high.state, address, sizeof(high.state));
	memcpy(&low.state, address + sizeof(high.state), sizeof(low.state));
	low.state ^= dice_roll(&high);
	return (uint32_t)dice_roll(&low);
}

static struct ledger_destination *place_of(struct ledger_destination *all,
					   uint32_t capacity,
					   const uint8_t address[16])
{
	uint32_t place = hash_of(address) & (capacity - 1);

	while (all[place].used &&
	       memcmp(all[place].address, address, sizeof(all->address)) != 0)
		place = (place + 1) & (capacity - 1);
	return &all[place];
}

static bool grow(struct ledger *ledger)
{
	uint32_t capacity = ledger->destinations_capacity > 0
				    ? 2 * ledger->destinations_capacity
				    : FIRST_CAPACITY;
	struct ledger_destination *all = calloc(capacity, sizeof(*all));

	if (!all)
		return false;
	for (uint32_t i = 0; i < ledger->destinations_capacity; i++) {
		const struct ledger_destination *old = &ledger->destinations[i];

		if (old->used)
			*place_of(all, capacity, old->address) = *old;
	}
	free(ledger->destinations);
	ledger->destinations = all;
	ledger->destinations_capacity = capacity;
	return true;
}

static struct ledger_destination *find_destination(struct ledger *ledger,
						   const uint8_t address[16])
{
	if (2 * ledger->destinations_count >= ledger->destinations_capacity &&
	    !grow(ledger)) {
		ledger->failed = true;
		return NULL;
	}
	return place_of(ledger->destinations, ledger->destinations_capacity,
			address);
}

/* One more in the last second; `most` is kept of how many there were. */
static bool note_in_second(struct recent *recent, uint32_t *most,
			   uint64_t now_ns)
{
	uint32_t count = recent_slide(recent, NS_PER_S, now_ns) + 1;

	if (count > *most)
		*most = count;
	return recent_add(recent, now_ns);
}

static void note_destination(struct ledger *ledger, const struct parcel *parcel,
			     uint64_t now_ns)
{
	struct ledger_destination *to =
		find_destination(ledger, parcel->ends.dst);
	bool first_second, good = true;

	if (!to)
		return;
	if (!to->used) {
		to->used = true;
		memcpy(to->address, parcel->ends.dst, sizeof(to->address));
		to->first_ns = now_ns;
		ledger->destinations_count++;
		good = note_in_second(&ledger->contacts,
				      &ledger->any_second_contacts, now_ns);
	}
	first_second = now_ns - to->first_ns < NS_PER_S;
	to->pkts++;
	to->first_second_pkts += first_second;
	good &= note_in_second(&to->recent, &to->any_second_pkts, now_ns);
	if (parcel->what == PARCEL_OPEN && parcel->tcp_flags == TCP_SYN) {
		to->opened++;
		to->first_second_opened += first_second;
		good &= note_in_second(&to->recent_opened,
				       &to->any_second_opened, now_ns);
	}
	ledger->failed |= !good;
}

/* ------ the window */

static uint64_t bin_span_ns(const struct ledger *ledger)
{
	return (ledger->ends_ns - ledger->begins_ns) / LEDGER_BINS + 1;
}

static struct ledger_bin *bin_of(struct ledger *ledger, uint64_t now_ns)
{
	return &ledger->bins[(now_ns - ledger->begins_ns) /
			     bin_span_ns(ledger)];
}

double ledger_s(struct ledger *ledger, uint64_t now_ns)
{
	uint32_t out = recent_slide(&ledger->sent, ledger->window_ns, now_ns);
	uint32_t in = recent_slide(&ledger->heard, ledger->window_ns, now_ns);

	return log2((out + 1.0) / (in + 1.0));
}

/* Slices that ended since, in which nothing happened but that time went by. */
static void end_bins(struct ledger *ledger, uint64_t now_ns)
{
	uint64_t end_ns;

	while (ledger->ended < LEDGER_BINS) {
		struct ledger_bin *bin = &ledger->bins[ledger->ended];

		end_ns = ledger->begins_ns +
			 (ledger->ended + 1) * bin_span_ns(ledger);
		if (end_ns > now_ns)
			return;
		if (!bin->has_s)
			bin->s_max = ledger_s(ledger, end_ns);
		bin->has_s = true;
		ledger->ended++;
	}
}

void ledger_close(struct ledger *ledger)
{
	end_bins(ledger, ledger->ends_ns);
	recent_fini(&ledger->sent);
	recent_fini(&ledger->heard);
}

static void note_s(struct ledger *ledger, uint64_t now_ns)
{
	double s = ledger_s(ledger, now_ns);
	struct ledger_bin *bin = bin_of(ledger, now_ns);

	if (s > ledger->s_max)
		ledger->s_max = s;
	if (!bin->has_s || s > bin->s_max)
		bin->s_max = s;
	bin->has_s = true;
}

void ledger_offered(struct ledger *ledger, uint64_t now_ns)
{
	ledger->offered_pkts++;
	bin_of(ledger, now_ns)->offered_pkts++;
}

void ledger_dropped(struct ledger *ledger)
{
	ledger->dropped_pkts++;
}

void ledger_let_out(struct ledger *ledger, const struct parcel *parcel,
		    uint64_t now_ns)
{
	uint64_t delay_ns = now_ns - parcel->offered_ns;
	struct ledger_bin *bin = bin_of(ledger, now_ns);
	uint64_t gap_ns = now_ns - ledger->latest_ns;

	end_bins(ledger, now_ns);
	if (ledger->let_out_pkts > 0 && gap_ns > bin->gap_max_ns)
		bin->gap_max_ns = gap_ns;
	ledger->latest_ns = now_ns;
	ledger->let_out_pkts++;
	ledger->let_out_bytes += parcel->bytes;
	delays_add(&ledger->delays, delay_ns);
	bin->let_out_pkts++;
	if (delay_ns > bin->delay_max_ns)
		bin->delay_max_ns = delay_ns;
	if (delay_ns > 0 && ledger->releases == 0)
		ledger->releases_ns[ledger->releases++] = parcel->offered_ns;
	if (ledger->releases > 0 && ledger->releases < LEDGER_RELEASES)
		ledger->releases_ns[ledger->releases++] = now_ns;
	note_destination(ledger, parcel, now_ns);
	ledger->failed |= !recent_add(&ledger->sent, now_ns);
	note_s(ledger, now_ns);
}

void ledger_heard(struct ledger *ledger, uint64_t now_ns)
{
	end_bins(ledger, now_ns);
	ledger->heard_pkts++;
	ledger->failed |= !recent_add(&ledger->heard, now_ns);
	note_s(ledger, now_ns);
}

/* ------ in all */

/* What was sent to late is not taken for a rate. */
static double rate_after(uint64_t pkts, uint64_t first_ns,
			 const struct ledger *ledger)
{
	uint64_t all_ns = ledger->ends_ns - ledger->begins_ns;
	uint64_t least_ns = all_ns < RATE_NS ? all_ns : RATE_NS;
	uint64_t span_ns = 0;

	if (ledger->ends_ns > first_ns + NS_PER_S)
		span_ns = ledger->ends_ns - first_ns - NS_PER_S;
	return (double)pkts * 1e9 /
	       (double)(span_ns > least_ns ? span_ns : least_ns);
}

static void add_destination(struct ledger_totals *totals,
			    const struct ledger_destination *to,
			    const struct ledger *ledger)
{
	double pkts_per_s = rate_after(to->pkts - to->first_second_pkts,
				       to->first_ns, ledger);
	double opened_per_s = rate_after(to->opened - to->first_second_opened,
					 to->first_ns, ledger);

	totals->destinations++;
	if (pkts_per_s > totals->let_out_per_s)
		totals->let_out_per_s = pkts_per_s;
	if (opened_per_s > totals->connections_per_s)
		totals->connections_per_s = opened_per_s;
	if (to->first_second_pkts > totals->first_second_pkts)
		totals->first_second_pkts = to->first_second_pkts;
	if (to->any_second_pkts > totals->any_second_pkts)
		totals->any_second_pkts = to->any_second_pkts;
	if (to->any_second_opened > totals->any_second_opened)
		totals->any_second_opened = to->any_second_opened;
}

void ledger_totals(const struct ledger *ledger, uint64_t from_ns,
		   struct ledger_totals *ret_totals)
{
	double span_s = ledger->ends_ns > from_ns
				? (double)(ledger->ends_ns - from_ns) / 1e9
				: 0;

	*ret_totals = (struct ledger_totals){
		.any_second_contacts = ledger->any_second_contacts,
	};
	for (uint32_t i = 0; i < ledger->destinations_capacity; i++)
		if (ledger->destinations[i].used)
			add_destination(ret_totals, &ledger->destinations[i],
					ledger);
	ret_totals->contacts_per_s =
		span_s > 0 ? (double)ret_totals->destinations / span_s : 0;
}
