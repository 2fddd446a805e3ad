/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_leases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/packet.h"
#include "flowtable/siphash.h"

enum {
	PLACES = TAPLEASES_MAX,
	PROTO_TCP = 6,
	TCP_FIN_SYN_RST = 0x07,
};

/* Hashed and compared as bytes: no holes. */
struct flow {
	uint8_t src[16], dst[16];
	char in[TAP_NAME_BYTES], out[TAP_NAME_BYTES];
	uint16_t src_port, dst_port, ethertype;
	uint16_t vlan[3];
	uint8_t mac[6];
	uint8_t has_mac, proto;
};
_Static_assert(sizeof(struct flow) == 84, "no holes");

struct place {
	struct flow flow;
	uint32_t asked, followers; /* that wait */
	uint32_t given_pkts, left_pkts;
	uint16_t use;     /* counts up with each flow, and each renewal */
	bool renewing;    /* the judge was asked ... */
	uint32_t refused; /* waited when more were refused */
	uint64_t asked_ns, until_ns, refused_until_ns;
};

struct tapleases {
	uint8_t seed[16];
	struct place places[PLACES];
};

struct tapleases *tapleases_new(const uint8_t seed[16])
{
	struct tapleases *leases = calloc(1, sizeof(*leases));

	if (leases != NULL)
		memcpy(leases->seed, seed, sizeof(leases->seed));
	return leases;
}

void tapleases_free(struct tapleases *leases)
{
	free(leases);
}

/* false: always asked about. */
static bool read_flow(const struct tapmessage_packet *seen,
		      const uint8_t *bytes, size_t bytes_count,
		      struct flow *flow)
{
	struct packet_meta meta;

	if (packet_parse(seen->ethertype, bytes, (uint32_t)bytes_count,
			 seen->wire_bytes, &meta) != PACKET_OK ||
	    meta.kind != PACKET_UNICAST || meta.fragment != PACKET_WHOLE ||
	    (meta.ends.proto == PROTO_TCP &&
	     (meta.tcp_flags & TCP_FIN_SYN_RST) != 0))
		return false;
	/* Fragments that were put together are several packets. */
	if (seen->wire_pkts == 0 &&
	    (seen->mtu_bytes == 0 || meta.length_bytes > seen->mtu_bytes))
		return false;
	*flow = (struct flow){
		.src_port = meta.ends.src_port,
		.dst_port = meta.ends.dst_port,
		.ethertype = meta.ethertype,
		.vlan = { seen->vlan, meta.vlan[0], meta.vlan[1] },
		.has_mac = seen->has_mac,
		.proto = meta.ends.proto,
	};
	memcpy(flow->src, meta.ends.src, sizeof(flow->src));
	memcpy(flow->dst, meta.ends.dst, sizeof(flow->dst));
	memcpy(flow->in, seen->in, sizeof(flow->in));
	memcpy(flow->out, seen->out, sizeof(flow->out));
	memcpy(flow->mac, seen->mac, sizeof(flow->mac));
	return true;
}

/* Its counts may be of another flow from now on. */
static bool is_idle(const struct place *place, uint64_t now_ns)
{
	return place->asked == 0 && place->followers == 0 &&
	       (place->left_pkts == 0 || now_ns >= place->until_ns);
}

uint32_t tapleases_find(struct tapleases *leases,
			const struct tapmessage_packet *seen,
			const uint8_t *bytes, size_t bytes_count,
			uint64_t now_ns)
{
	struct place *place;
	struct flow flow;
	uint32_t at;

	if (!read_flow(seen, bytes, bytes_count, &flow))
		return TAPLEASES_NONE;
	at = siphash13(leases->seed, &flow, sizeof(flow)) % PLACES;
	place = &leases->places[at];
	if (memcmp(&place->flow, &flow, sizeof(flow)) == 0)
		return at + 1;
	if (!is_idle(place, now_ns))
		return TAPLEASES_NONE;
	*place = (struct place){ .flow = flow,
				 .use = (uint16_t)(place->use + 1) };
	return at + 1;
}

static struct place *place_of(struct tapleases *leases, uint32_t number)
{
	assert(number <= PLACES);
	return number == TAPLEASES_NONE ? NULL : &leases->places[number - 1];
}

/* Half of it is over, so there is more before it ends.  Who does not answer is
 * asked again, after a while. */
static bool is_to_renew(const struct place *place, uint64_t now_ns)
{
	if (place->renewing && now_ns < place->asked_ns + TAP_LEASE_NS)
		return false;
	return place->left_pkts < place->given_pkts / 2 ||
	       now_ns + TAP_LEASE_NS / 2 >= place->until_ns;
}

enum tapleases_way tapleases_take(struct tapleases *leases, uint32_t number,
				  uint32_t wire_pkts, uint64_t now_ns)
{
	struct place *place = place_of(leases, number);

	if (place == NULL || now_ns >= place->until_ns ||
	    place->left_pkts < wire_pkts)
		return TAPLEASES_ASK;
	place->left_pkts -= wire_pkts;
	if (place->asked > 0 || place->followers > 0)
		return TAPLEASES_FOLLOW;
	return is_to_renew(place, now_ns) ? TAPLEASES_RENEW : TAPLEASES_PASS;
}

enum { NUMBER_BITS = 16 };
_Static_assert(PLACES < 1 << NUMBER_BITS, "a number, and a use above it");

uint64_t tapleases_ask(struct tapleases *leases, uint32_t number,
		       uint64_t now_ns)
{
	struct place *place = place_of(leases, number);

	place->renewing = true;
	place->asked_ns = now_ns;
	place->use++;
	return TAPMESSAGE_MAY_LEASE | (uint64_t)place->use << NUMBER_BITS |
	       number;
}

bool tapleases_renew(struct tapleases *leases, uint64_t id, uint32_t wire_pkts,
		     uint64_t now_ns)
{
	uint32_t number = (uint32_t)(id & ((1u << NUMBER_BITS) - 1));
	struct place *place;

	if (number == TAPLEASES_NONE || number > PLACES)
		return false;
	place = place_of(leases, number);
	if (!place->renewing || place->use != (uint32_t)id >> NUMBER_BITS)
		return false;
	place->renewing = false;
	if (wire_pkts > 0)
		tapleases_give(leases, number, wire_pkts, now_ns);
	return true;
}

void tapleases_wait(struct tapleases *leases, uint32_t number, bool follows)
{
	struct place *place = place_of(leases, number);

	if (place != NULL)
		++*(follows ? &place->followers : &place->asked);
}

void tapleases_leave(struct tapleases *leases, uint32_t number, bool follows)
{
	struct place *place = place_of(leases, number);
	uint32_t *count;

	if (place == NULL)
		return;
	count = follows ? &place->followers : &place->asked;
	assert(*count > 0);
	--*count;
}

bool tapleases_is_waiting(const struct tapleases *leases, uint32_t number)
{
	return number != TAPLEASES_NONE &&
	       (leases->places[number - 1].asked > 0 ||
		leases->places[number - 1].followers > 0);
}

bool tapleases_is_followed(const struct tapleases *leases, uint32_t number)
{
	return number != TAPLEASES_NONE &&
	       leases->places[number - 1].followers > 0;
}

void tapleases_refuse(struct tapleases *leases, uint32_t number,
		      uint64_t now_ns)
{
	struct place *place = place_of(leases, number);

	if (place == NULL || place->asked == 0)
		return;
	place->refused = place->asked;
	place->refused_until_ns = now_ns + TAPLEASES_REFUSED_NS;
}

bool tapleases_is_refused(const struct tapleases *leases, uint32_t number,
			  uint64_t now_ns)
{
	const struct place *place;

	if (number == TAPLEASES_NONE)
		return false;
	place = &leases->places[number - 1];
	return now_ns < place->refused_until_ns &&
	       place->asked > place->refused / 2;
}

void tapleases_give(struct tapleases *leases, uint32_t number,
		    uint32_t wire_pkts, uint64_t now_ns)
{
	struct place *place = place_of(leases, number);

	if (place == NULL)
		return;
	if (now_ns >= place->until_ns)
		place->left_pkts = 0;
	place->left_pkts += wire_pkts;
	if (place->left_pkts > TAP_LEASE_PKTS)
		place->left_pkts = TAP_LEASE_PKTS;
	place->given_pkts = place->left_pkts;
	place->until_ns = now_ns + TAP_LEASE_NS;
}

void tapleases_end(struct tapleases *leases)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		leases->places[i].left_pkts = 0;
		leases->places[i].renewing = false;
		leases->places[i].refused_until_ns = 0;
	}
}
