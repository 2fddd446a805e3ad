/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_counted.h"

#include "shaper/io/fast_table.h"
#include "shaper/pump_lease.h"

enum { PROTO_TCP = 6 };

static void read_evidence(const struct fast_slot *slot,
			  struct pump_lease *lease)
{
	if (slot->proto != PROTO_TCP || slot->segment_bytes == 0)
		return;
	lease->segment_bytes = slot->segment_bytes;
	lease->evidence =
		(struct evidence){ slot->sent_end, slot->acked, true };
}

static void write_evidence(struct fast_slot *slot,
			   const struct pump_lease *lease)
{
	slot->segment_bytes = 0;
	if (slot->proto != PROTO_TCP || !lease->evidence.follows)
		return;
	slot->sent_end = lease->evidence.sent_end;
	slot->acked = lease->evidence.acked;
	slot->segment_bytes = lease->segment_bytes;
}

static void add_run(struct pump_lease *lease, uint64_t bucket,
		    uint64_t start_ns)
{
	struct pump_lease_run run = {
		.start_ns = start_ns,
		.sent_pkts = fast_bucket_sent(bucket),
		.heard_pkts = fast_bucket_heard(bucket),
	};

	if (run.sent_pkts + run.heard_pkts == 0)
		return;
	lease->sent_pkts += run.sent_pkts;
	lease->heard_pkts += run.heard_pkts;
	lease->runs[lease->runs_count++] = run;
}

/* A window that has turned; `number`: of its running bucket. */
static void read_runs(const struct fast_window *window,
		      struct fast_history *history, uint64_t number,
		      uint64_t span_64ns, uint64_t now_ns,
		      struct pump_lease *lease)
{
	for (uint32_t age = FAST_SPANS; age > 0; age--) {
		uint64_t last_ns =
			((number - age + 1) * span_64ns << FAST_SPAN_SHIFT) - 1;

		if (age <= number)
			add_run(lease, fast_older(window, history, number, age),
				last_ns < now_ns ? last_ns : now_ns);
	}
	add_run(lease, window->running, now_ns);
}

void fastcounted_read(const struct fasttable *table, uint32_t at,
		      enum flow_scope scope, uint64_t now_ns,
		      struct pump_lease *ret_lease)
{
	const struct fast_slot *slot = &table->slots[at];
	uint64_t number = fast_number(slot->span_64ns, now_ns);
	struct fast_history *shared;
	struct fast_window window =
		*fasttable_window(table, at, scope, &shared);
	struct fast_history history = *shared;
	uint32_t heard_pkts =
		slot->heard_pkts + fast_bucket_heard(window.running);
	int32_t age;

	fast_turn(&window, &history, number);
	/* The program's clock may be ahead of a wake-up's. */
	age = fast_bucket_age(window.running, number);
	if (age < 0)
		number += (uint32_t)-age;
	*ret_lease = (struct pump_lease){ 0 };
	fasttable_key(table, at, scope, &ret_lease->key);
	read_runs(&window, &history, number, slot->span_64ns, now_ns,
		  ret_lease);
	if (scope == FLOW_SCOPE_PAIR)
		ret_lease->heard_all_pkts = heard_pkts;
	else
		read_evidence(slot, ret_lease);
}

void fastcounted_write(const struct fasttable *table, uint32_t at,
		       enum flow_scope scope, const struct pump_lease *lease,
		       uint64_t now_ns)
{
	struct fast_slot *slot = &table->slots[at];
	uint32_t span = slot->span_64ns;
	uint64_t first_ns = lease->runs_count > 0 ? lease->runs[0].start_ns
						  : now_ns;
	struct fast_history *history;
	struct fast_window *window =
		fasttable_window(table, at, scope, &history);

	*window = (struct fast_window){
		.running = fast_bucket(fast_number(span, first_ns), 0, 0)
	};
	for (uint32_t i = 0; i < lease->runs_count; i++) {
		const struct pump_lease_run *run = &lease->runs[i];

		fast_turn(window, history, fast_number(span, run->start_ns));
		fast_add(window, run->sent_pkts, run->heard_pkts);
	}
	fast_turn(window, history, fast_number(span, now_ns));
	if (scope == FLOW_SCOPE_FLOW) {
		slot->flow_ratio_q16 = lease->ratio_q16;
		write_evidence(slot, lease);
		return;
	}
	slot->ratio_q16 = lease->ratio_q16;
	/* What was heard before is not heard of this lease. */
	slot->heard_pkts = 0 - fast_bucket_heard(window->running);
}
