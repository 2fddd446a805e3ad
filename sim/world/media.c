/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Media at a steady rate (RTP), and the reports of who receives it. */
#include "sim/world/world_state.h"

enum { TIMER_OUT, TIMER_BACK, TIMER_REPORT, TIMERS };

enum { PROTO_UDP = 17, REPORT_BYTES = 100 };

/* What comes later than this was not heard. */
#define IN_TIME_NS UINT64_C(150000000)

struct media {
	uint16_t next_seq[TIMERS]; /* of each direction */
};

static uint32_t timers(const struct scenario_sender *sender)
{
	(void)sender;
	return TIMERS;
}

static uint64_t begins_ns(const struct agent *agent)
{
	return WORLD_START_NS + agent->sender->start_ns;
}

/* The first report comes after half the time (RFC 3550 6.2). */
static bool start(struct agent *agent)
{
	const struct scenario_sender *sender = agent->sender;

	world_wake_at(agent, TIMER_OUT, begins_ns(agent));
	if (!sender->one_way)
		world_wake_at(agent, TIMER_BACK, begins_ns(agent));
	world_wake_at(agent, TIMER_REPORT,
		      begins_ns(agent) + sender->report_ns / 2);
	return true;
}

static void arrives(struct agent *agent, const struct parcel *parcel)
{
	uint64_t way_ns = agent->world->now_ns - parcel->sent_ns;

	if (parcel->outward && way_ns <= IN_TIME_NS + agent->sender->delay_ns)
		agent->result->good_bytes += parcel->bytes;
}

static void wake(struct agent *agent, uint32_t timer)
{
	const struct scenario_sender *sender = agent->sender;
	uint64_t now_ns = agent->world->now_ns;
	struct media *media = agent->self;
	bool report = timer == TIMER_REPORT;
	struct parcel parcel;

	if (now_ns >= agent->stops_ns)
		return;
	world_fill(agent, timer == TIMER_OUT, PROTO_UDP,
		   report ? REPORT_BYTES : sender->size_bytes, &parcel);
	parcel.what = report ? PARCEL_REPORT : PARCEL_DATA;
	if (!report) {
		parcel.rtp_ssrc = 2 * agent->place + timer + 1;
		parcel.rtp_seq = media->next_seq[timer]++;
	}
	world_send(agent, &parcel);
	world_wake_at(agent, timer,
		      now_ns + (report ? sender->report_ns
				       : UINT64_C(1000000000) /
						 sender->packets_per_s));
}

static void stop(struct agent *agent)
{
	uint64_t ends_ns = agent->stops_ns < agent->world->ends_ns
				   ? agent->stops_ns
				   : agent->world->ends_ns;

	if (ends_ns > begins_ns(agent))
		agent->result->busy_ns = ends_ns - begins_ns(agent);
}

const struct agent_kind media_kind = {
	.bytes = sizeof(struct media),
	.timers = timers,
	.start = start,
	.arrives = arrives,
	.wake = wake,
	.stop = stop,
};
