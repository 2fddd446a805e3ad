/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nfqueue_reader.h"

#include <errno.h>
#include <stdio.h>

#include "flowtable/fragments.h"
#include "flowtable/packet.h"
#include "flowtable/shard.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/ifnames.h"
#include "shaper/io/nfqueue_message.h"

int nfqueue_reader_init(struct nfqueue_reader *reader, uint32_t fragments,
			const uint8_t seed[16])
{
	int error = ifnames_new(&reader->names);

	if (error < 0)
		return error;
	reader->names_generation = ifnames_generation(reader->names);
	reader->cache_generation = 1;
	reader->fragments = fragments_new(fragments, seed);
	return reader->fragments == NULL ? -ENOMEM : 0;
}

void nfqueue_reader_fini(struct nfqueue_reader *reader)
{
	ifnames_free(reader->names);
	fragments_free(reader->fragments);
}

static uint16_t look_up_zone(struct nfqueue_reader *reader, uint32_t ifindex,
			     uint16_t vlan)
{
	const char *name = ifnames_get(reader->names, ifindex);
	char stand_in[IFNAMES_NAME_SIZE];

	/* Not known yet, or this machine itself. */
	if (ifindex == 0)
		name = "local";
	if (name == NULL) {
		/* The packet may have overtaken the news. */
		nfqueue_reader_read_names(reader);
		name = ifnames_get(reader->names, ifindex);
	}
	if (name == NULL) {
		reader->stats->counter[NFQUEUE_unknown_interfaces]++;
		snprintf(stand_in, sizeof(stand_in), "if%u", ifindex);
		name = stand_in;
	}
	return zones_id(reader->zones, reader->policy, name, vlan);
}

static const struct nfqueue_zone_cached *
zone_of(struct nfqueue_reader *reader, uint32_t ifindex, uint16_t vlan)
{
	uint32_t at = (ifindex * 31 + vlan) % NFQUEUE_ZONE_CACHE;
	struct nfqueue_zone_cached *cached = &reader->cache[at];

	if (cached->ifindex == ifindex && cached->vlan == vlan &&
	    cached->generation == reader->cache_generation)
		return cached;
	cached->zone = look_up_zone(reader, ifindex, vlan);
	cached->mtu_bytes = ifnames_mtu_bytes(reader->names, ifindex);
	cached->ifindex = ifindex;
	cached->vlan = vlan;
	cached->generation = reader->cache_generation;
	return cached;
}

uint8_t nfqueue_reader_shard(const struct nfqueue_reader *reader,
			     const uint8_t address[16], uint16_t zone)
{
	uint8_t host[16];

	policy_host_of(reader->policy, address, zones_get(reader->zones, zone),
		       host);
	return shard_of(host, reader->shard_seed, reader->shards);
}

/* Has another engine, its source's, let it out already? */
static bool comes_from_shard(const struct nfqueue_reader *reader,
			     const struct pump_packet *packet)
{
	if (reader->shards < 2 ||
	    !policy_is_inside(reader->policy, packet->meta.ends.src))
		return false;
	return nfqueue_reader_shard(reader, packet->meta.ends.src,
				    packet->src_zone) != reader->shard;
}

static void follow_first(struct nfqueue_reader *reader,
			 struct pump_packet *packet, bool again,
			 uint64_t now_ns)
{
	bool out = policy_is_inside(reader->policy, packet->meta.ends.src);
	enum fragments_result result = fragments_resolve(
		reader->fragments, &packet->meta, out ? FLOW_OUT : FLOW_IN,
		out ? packet->src_zone : packet->dst_zone, now_ns);

	if (again)
		return;
	reader->stats->counter[NFQUEUE_fragments]++;
	if (result == FRAGMENTS_ORPHANED)
		reader->stats->counter[NFQUEUE_fragments_orphaned]++;
}

/*
 * Connection tracking puts fragments together before we read them.  The kernel
 * keeps how large they were to itself, so what no interface of that MTU can
 * have brought in one piece counts as if each piece had been full.
 */
static uint16_t pieces_of(struct nfqueue_reader *reader,
			  const struct packet_meta *meta, uint32_t mtu_bytes,
			  bool again)
{
	uint16_t pieces =
		fragments_count(meta->ethertype, meta->length_bytes, mtu_bytes);

	if (pieces > 1 && !again)
		reader->stats->counter[NFQUEUE_put_together]++;
	return pieces;
}

/* false: nothing in it that could be judged. */
static bool understand(struct nfqueue_reader *reader,
		       const struct nfqueue_message *message, bool again,
		       uint64_t now_ns, struct pump_packet *packet)
{
	struct packet_meta *meta = &packet->meta;
	bool bridged = reader->policy->nfqueue.bridge &&
		       nfqueue_message_is_bridged(message);
	const struct nfqueue_zone_cached *from;
	enum packet_error error = packet_parse(message->ethertype,
					       message->bytes,
					       message->captured_bytes,
					       message->wire_bytes, meta);

	if (error != PACKET_OK) {
		if (!again)
			reader->stats->unreadable_pkts[error]++;
		if (meta->ethertype == 0)
			return false;
	}
	if (message->vlan != 0) {
		meta->vlan[1] = meta->vlan[0];
		meta->vlan[0] = message->vlan;
	}
	packet->id = message->id;
	from = zone_of(reader, bridged ? message->in_port : message->in_ifindex,
		       meta->vlan[0]);
	packet->src_zone = from->zone;
	packet->super_packet = message->super_packet;
	packet->wire_pkts = 0;
	if (!message->super_packet)
		packet->wire_pkts =
			pieces_of(reader, meta, from->mtu_bytes, again);
	/* which may take the place of what `from` is */
	packet->dst_zone =
		zone_of(reader,
			bridged ? message->out_port : message->out_ifindex,
			meta->vlan[0])
			->zone;
	packet->shard = PUMP_HERE;
	packet->verdict = PUMP_PASS;
	packet->asked = false;
	packet->from_shard = comes_from_shard(reader, packet);
	if (meta->fragment != PACKET_WHOLE)
		follow_first(reader, packet, again, now_ns);
	return true;
}

/* As the queue has it, which tells of the outermost tag. */
static uint16_t zone_of_tag(struct nfqueue_reader *reader,
			    const struct fast_event *event,
			    const struct packet_meta *meta, uint16_t zone)
{
	uint16_t vlan = event->vlan != 0 ? event->vlan : meta->vlan[0];

	return vlan == 0 ? zone : zone_of(reader, event->ifindex, vlan)->zone;
}

bool nfqueue_reader_hear(struct nfqueue_reader *reader,
			 const struct fast_event *event, uint16_t zone,
			 uint64_t now_ns, struct pump_packet *ret_packet)
{
	struct pump_packet *packet = ret_packet;
	enum packet_error error =
		packet_parse_ethernet(event->bytes, event->captured_bytes,
				      event->wire_bytes, &packet->meta);

	if (error != PACKET_OK) {
		reader->stats->unreadable_pkts[error]++;
		if (packet->meta.ethertype == 0)
			return false;
	}
	/* In, another guarded host's: it was judged when that sent it. */
	if (event->ticket == 0 &&
	    (policy_is_inside(reader->policy, packet->meta.ends.src) ||
	     !policy_is_inside(reader->policy, packet->meta.ends.dst)))
		return false;
	if (event->ticket != 0 &&
	    !policy_is_inside(reader->policy, packet->meta.ends.src))
		return false;
	if (reader->of_bridge)
		zone = zone_of_tag(reader, event, &packet->meta, zone);
	packet->src_zone = zone;
	packet->dst_zone = zone;
	packet->ends = event->ticket ? PUMP_ENDS_BY_ADDRESS : PUMP_ENDS_DST;
	packet->wire_pkts = (uint16_t)(event->wire_pkts ? event->wire_pkts : 1);
	packet->super_packet = event->wire_pkts != 1;
	packet->shard = PUMP_HERE;
	packet->from_shard = false;
	if (packet->meta.fragment != PACKET_WHOLE)
		follow_first(reader, packet, false, now_ns);
	return true;
}

void nfqueue_reader_read(struct nfqueue_reader *reader,
			 const struct nfqueue_socket *socket, size_t messages,
			 bool again, uint64_t now_ns,
			 struct nfqueue_batch *ret_batch)
{
	struct nfqueue_batch *batch = ret_batch;
	uint64_t *counter = reader->stats->counter;
	struct nfqueue_message message;
	const uint8_t *bytes;
	size_t length;

	batch->count = 0;
	batch->judged_count = 0;
	for (size_t i = 0; i < messages; i++) {
		bytes = nfqueue_socket_message(socket, i, &length);
		switch (nfqueue_message_read(bytes, length, &message)) {
		case NFQUEUE_MESSAGE_PACKET:
			break;
		case NFQUEUE_MESSAGE_ERROR:
			counter[NFQUEUE_verdict_errors]++;
			continue;
		case NFQUEUE_MESSAGE_GONE:
			counter[NFQUEUE_verdicts_late]++;
			continue;
		case NFQUEUE_MESSAGE_OTHER:
			counter[NFQUEUE_malformed_messages]++;
			continue;
		}
		reader->of_bridge = message.of_bridge;
		batch->ids[batch->count] = message.id;
		if (understand(reader, &message, again, now_ns,
			       &batch->packets[batch->judged_count])) {
			batch->marks[batch->judged_count] = message.mark;
			batch->judged[batch->judged_count++] =
				(uint16_t)batch->count;
		}
		batch->count++;
	}
	counter[NFQUEUE_unjudged_pkts] += batch->count - batch->judged_count;
}

int nfqueue_reader_names_fd(const struct nfqueue_reader *reader)
{
	return ifnames_fd(reader->names);
}

int nfqueue_reader_read_names(struct nfqueue_reader *reader)
{
	int error = ifnames_update(reader->names);
	uint32_t generation = ifnames_generation(reader->names);

	if (generation != reader->names_generation) {
		reader->names_generation = generation;
		nfqueue_reader_forget(reader);
	}
	return error;
}

void nfqueue_reader_forget(struct nfqueue_reader *reader)
{
	reader->cache_generation++;
}
