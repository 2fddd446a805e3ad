/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/fragments.h"
#include "flowtable/packet.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump.h"
#include "xen-hooks/tap_grants.h"
#include "xen-hooks/tap_verdicts.h"

enum {
	BATCH = 64,
	BATCHES_AT_ONCE = 64, /* bounds what one wake-up may lead to */
};

struct tapjudge {
	struct tapjudge_config config;
	struct fragments *fragments;
	struct tapinbox inbox;
	uint64_t heard_ns, said_ns;
	bool begun;   /* we greeted */
	bool greeted; /* the carrier did */
	bool more;    /* came, and was not read yet */
	bool wants;   /* another mode, which was not said yet */

	struct pump_packet packets[BATCH], held[BATCH];
	struct pump_release releases[BATCH];
	struct tapverdicts verdicts;
	struct tapgrants grants;
	struct tapjudge_stats stats;
};

static void count(struct tapjudge *judge, enum tapjudge_counter counter)
{
	judge->stats.counter[counter]++;
}

/* ------ to the carrier */

/* 0 or -errno; -EAGAIN: no room. */
static int say(struct tapjudge *judge, const struct tapmessage *message,
	       uint64_t now_ns)
{
	int error = tapwire_say(&judge->config.wire, message);

	if (error == 0)
		judge->said_ns = now_ns;
	return error;
}

static int say_mode(struct tapjudge *judge, enum tapmessage_kind kind,
		    uint64_t now_ns)
{
	enum tap_mode mode = judge->config.policy->mode == POLICY_SHADOW
				     ? TAP_OBSERVE
				     : TAP_INTERPOSE;
	const struct tapmessage message = {
		.kind = kind,
		.hello = { TAPMESSAGE_VERSION, mode },
	};

	return say(judge, &message, now_ns);
}

static void send_unsent(struct tapjudge *judge, uint64_t now_ns)
{
	if (judge->wants && say_mode(judge, TAPMESSAGE_MODE, now_ns) == 0)
		judge->wants = false;
	if (tapverdicts_send(&judge->verdicts, &judge->config.wire))
		judge->said_ns = now_ns;
}

static void give_lease(struct tapjudge *judge, uint64_t id, uint8_t said,
		       uint32_t lease_pkts, uint64_t now_ns)
{
	count(judge,
	      said == PUMP_DROP ? TAPJUDGE_dropped_pkts : TAPJUDGE_passed_pkts);
	if (id == TAPMESSAGE_SEEN)
		return;
	/* Without it, its packet has the verdict of who waits for too long. */
	if (!tapverdicts_add(&judge->verdicts, id,
			     said == PUMP_DROP ? TAP_DROP : TAP_PASS,
			     lease_pkts))
		count(judge, TAPJUDGE_lost_verdicts);
	if (tapverdicts_send(&judge->verdicts, &judge->config.wire))
		judge->said_ns = now_ns;
}

static void give(struct tapjudge *judge, uint64_t id, uint8_t said,
		 uint64_t now_ns)
{
	give_lease(judge, id, said, 0, now_ns);
}

/* ------ the pump */

/* What the pump says of a packet at once. */
static void give_at_once(struct tapjudge *judge,
			 const struct pump_packet *packet, uint64_t now_ns)
{
	uint32_t lease_pkts = 0;

	if (tapmessage_has_gone(packet->id))
		tapgrants_spend(&judge->grants, judge->config.seed,
				judge->config.policy, packet);
	if (packet->verdict == PUMP_PASS && packet->id & TAPMESSAGE_MAY_LEASE)
		lease_pkts = tapgrants_take(&judge->grants, judge->config.seed,
					    judge->config.pump,
					    judge->config.policy, packet,
					    now_ns);
	give_lease(judge, packet->id, packet->verdict, lease_pkts, now_ns);
}

static void collect(struct tapjudge *judge, uint64_t now_ns)
{
	size_t got;

	while ((got = pump_collect(judge->config.pump, judge->releases,
				   BATCH)) > 0)
		for (size_t i = 0; i < got; i++)
			give(judge, judge->releases[i].id,
			     judge->releases[i].verdict, now_ns);
}

/* What waits, waits where it is: it is brought to pump_hold at once. */
static void judge_batch(struct tapjudge *judge, size_t batch_count,
			uint64_t now_ns)
{
	struct pump *pump = judge->config.pump;
	size_t done = 0, held, offered;

	while (done < batch_count) {
		struct pump_packet *from = judge->packets + done;

		offered = pump_offer(pump, from, batch_count - done, now_ns);
		done += offered;
		/* Who leaves now waited before these. */
		collect(judge, now_ns);
		held = 0;
		for (size_t i = 0; i < offered; i++) {
			if (from[i].verdict == PUMP_WAIT)
				judge->held[held++] = from[i];
			else
				give_at_once(judge, &from[i], now_ns);
		}
		pump_hold(pump, judge->held, held, now_ns);
		collect(judge, now_ns);
		for (size_t i = 0; i < held; i++)
			if (judge->held[i].verdict != PUMP_WAIT)
				give(judge, judge->held[i].id,
				     judge->held[i].verdict, now_ns);
		pump_settle(pump);
		collect(judge, now_ns);
	}
}

/* Vifs come and go.  No packet is in hand. */
static void forget_zones(const struct tapjudge *judge)
{
	bool used[ZONES_MAX] = { false };

	if (!zones_are_many(judge->config.zones))
		return;
	pump_zones(judge->config.pump, used);
	zones_keep(judge->config.zones, used);
}

static uint16_t zone_of(const struct tapjudge *judge, const char *interface,
			uint16_t vlan)
{
	return zones_id(judge->config.zones, judge->config.policy,
			interface[0] ? interface : "local", vlan);
}

static void follow_first(struct tapjudge *judge, struct pump_packet *packet,
			 uint64_t now_ns)
{
	bool out =
		policy_is_inside(judge->config.policy, packet->meta.ends.src);

	fragments_resolve(judge->fragments, &packet->meta,
			  out ? FLOW_OUT : FLOW_IN,
			  out ? packet->src_zone : packet->dst_zone, now_ns);
}

/* false: nothing in it that could be judged. */
static bool understand(struct tapjudge *judge, const struct tapmessage *message,
		       uint64_t now_ns, struct pump_packet *packet)
{
	const struct tapmessage_packet *seen = &message->packet;
	struct packet_meta *meta = &packet->meta;
	enum packet_error error;

	memset(packet, 0, sizeof(*packet));
	error = packet_parse(seen->ethertype, message->bytes,
			     (uint32_t)message->bytes_count, seen->wire_bytes,
			     meta);
	if (error != PACKET_OK)
		judge->stats.unreadable_pkts[error]++;
	if (error != PACKET_OK && meta->ethertype == 0)
		return false;
	if (seen->vlan != 0) {
		meta->vlan[1] = meta->vlan[0];
		meta->vlan[0] = seen->vlan;
	}
	packet->id = seen->id;
	packet->src_zone = zone_of(judge, seen->in, meta->vlan[0]);
	packet->dst_zone = zone_of(judge, seen->out, meta->vlan[0]);
	packet->wire_pkts = fragments_count(meta->ethertype, meta->length_bytes,
					    seen->mtu_bytes);
	if (seen->wire_pkts > 0)
		packet->wire_pkts = (uint16_t)seen->wire_pkts;
	else if (packet->wire_pkts > 1)
		count(judge, TAPJUDGE_put_together);
	packet->shard = PUMP_HERE;
	packet->verdict = PUMP_PASS;
	if (meta->fragment != PACKET_WHOLE)
		follow_first(judge, packet, now_ns);
	return true;
}

/* ------ from the carrier */

/* It may be older or newer. */
static void take_stats(struct tapcarrier_stats *stats,
		       const struct tapmessage *message)
{
	size_t bytes = message->bytes_count;

	*stats = (struct tapcarrier_stats){ 0 };
	memcpy(stats, message->bytes,
	       bytes < sizeof(*stats) ? bytes : sizeof(*stats));
}

/* false: what a carrier does not say, or not now.  *packets becomes one more
 * for what the pump is to be asked of. */
static bool hear(struct tapjudge *judge, const struct tapmessage *message,
		 size_t *packets, uint64_t now_ns)
{
	if (judge->greeted == (message->kind == TAPMESSAGE_HELLO))
		return false;
	switch (message->kind) {
	case TAPMESSAGE_HELLO:
		judge->greeted = true;
		judge->stats.mode = message->hello.mode;
		return true;
	case TAPMESSAGE_MODE:
		judge->stats.mode = message->hello.mode;
		return true;
	case TAPMESSAGE_STATS:
		take_stats(&judge->stats.carrier, message);
		return true;
	case TAPMESSAGE_BEAT:
		return true;
	case TAPMESSAGE_PACKET:
		break;
	case TAPMESSAGE_VERDICT:
	case TAPMESSAGE_FRAME:
	case TAPMESSAGE_KINDS:
		return false;
	}
	count(judge, TAPJUDGE_received_pkts);
	if (message->packet.id == TAPMESSAGE_SEEN)
		count(judge, TAPJUDGE_observed_pkts);
	if (understand(judge, message, now_ns, &judge->packets[*packets])) {
		++*packets;
		return true;
	}
	count(judge, TAPJUDGE_unjudged_pkts);
	give(judge, message->packet.id, PUMP_PASS, now_ns);
	return true;
}

/* How many messages came, or -errno. */
static int receive_batch(struct tapjudge *judge, uint64_t now_ns)
{
	struct tapmessage message;
	size_t packets = 0;
	int messages = 0, got = 0;

	forget_zones(judge);
	while (messages < BATCH && got >= 0) {
		got = tapinbox_next(&judge->inbox, &judge->config.wire,
				    &message);
		if (got <= 0)
			break;
		judge->heard_ns = now_ns;
		messages++;
		if (!hear(judge, &message, &packets, now_ns))
			got = -EPROTO;
	}
	judge_batch(judge, packets, now_ns);
	return got < 0 ? got : messages;
}

static int receive(struct tapjudge *judge, uint64_t now_ns)
{
	int messages = BATCH;

	for (int i = 0; i < BATCHES_AT_ONCE && messages == BATCH; i++)
		messages = receive_batch(judge, now_ns);
	judge->more = messages == BATCH;
	return messages < 0 ? messages : 0;
}

/* ------ the datapath */

/* Not before the thread runs: from then on the carrier waits for a beat. */
static int begin(struct tapjudge *judge, uint64_t now_ns)
{
	judge->begun = true;
	judge->heard_ns = now_ns;
	return say_mode(judge, TAPMESSAGE_HELLO, now_ns);
}

static int on_readable(void *self, size_t fd_index, uint64_t now_ns)
{
	struct tapjudge *judge = self;

	(void)fd_index;
	judge->config.wire.wake(judge->config.wire.self);
	if (!judge->begun)
		return begin(judge, now_ns);
	send_unsent(judge, now_ns);
	return receive(judge, now_ns);
}

static uint64_t next_ns(const void *self)
{
	const struct tapjudge *judge = self;
	uint64_t next_ns = pump_next_ns(judge->config.pump);

	if (judge->more || !judge->begun)
		return 0;
	if (judge->said_ns + TAP_BEAT_NS < next_ns)
		next_ns = judge->said_ns + TAP_BEAT_NS;
	if (judge->heard_ns + TAP_SILENCE_NS < next_ns)
		next_ns = judge->heard_ns + TAP_SILENCE_NS;
	return next_ns;
}

static int advance(void *self, uint64_t now_ns)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };
	struct tapjudge *judge = self;
	int error = 0;

	if (!judge->begun)
		error = begin(judge, now_ns);
	send_unsent(judge, now_ns);
	if (error == 0)
		error = receive(judge, now_ns);
	pump_advance(judge->config.pump, now_ns);
	collect(judge, now_ns);
	if (error == 0 && now_ns >= judge->said_ns + TAP_BEAT_NS)
		error = say(judge, &beat, now_ns);
	if (error == -EAGAIN) {
		/* Nobody reads; that is not for a spin. */
		judge->said_ns = now_ns;
		error = 0;
	}
	if (now_ns >= judge->heard_ns + TAP_SILENCE_NS)
		error = -ENOTCONN;
	return error;
}

static void close_down(void *self, uint64_t now_ns)
{
	struct tapjudge *judge = self;
	bool open = judge->config.policy->nfqueue.fail == POLICY_FAIL_OPEN;

	pump_drain(judge->config.pump, open ? PUMP_PASS : PUMP_DROP, now_ns);
	collect(judge, now_ns);
}

void tapjudge_datapath(struct tapjudge *judge, struct datapath *ret_datapath)
{
	*ret_datapath = (struct datapath){
		.name = "tap",
		.self = judge,
		.pump = judge->config.pump,
		.fds = { judge->config.wire.fd },
		.fds_count = 1,
		.on_readable = on_readable,
		.next_ns = next_ns,
		.advance = advance,
		.close = close_down,
	};
}

struct tapjudge *tapjudge_new(const struct tapjudge_config *config)
{
	struct tapjudge *judge = calloc(1, sizeof(*judge));

	if (judge == NULL)
		return NULL;
	judge->config = *config;
	judge->fragments =
		fragments_new(config->policy->limits.fragments, config->seed);
	if (judge->fragments == NULL) {
		free(judge);
		return NULL;
	}
	return judge;
}

void tapjudge_free(struct tapjudge *judge)
{
	if (judge == NULL)
		return;
	judge->config.wire.close(judge->config.wire.self);
	fragments_free(judge->fragments);
	free(judge);
}

void tapjudge_set_policy(struct tapjudge *judge, const struct policy *policy)
{
	judge->wants |= judge->config.policy->mode != policy->mode;
	judge->config.policy = policy;
}

const struct tapjudge_stats *tapjudge_stats(const struct tapjudge *judge)
{
	return &judge->stats;
}
