/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/packet_invariants.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"

static enum packet_error parse(uint16_t ethertype, const uint8_t *bytes,
			       uint32_t captured_bytes, uint32_t wire_bytes,
			       struct packet_meta *ret_meta)
{
	if (ethertype == 0)
		return packet_parse_ethernet(bytes, captured_bytes, wire_bytes,
					     ret_meta);
	return packet_parse(ethertype, bytes, captured_bytes, wire_bytes,
			    ret_meta);
}

static bool is_zero(const void *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (((const uint8_t *)bytes)[i])
			return false;
	}
	return true;
}

static bool is_mapped(const uint8_t addr[16])
{
	return is_zero(addr, 10) && addr[10] == 0xff && addr[11] == 0xff;
}

static bool is_group(const struct packet_meta *meta)
{
	const uint8_t *dst = meta->ends.dst;

	if (!is_mapped(dst))
		return dst[0] == 0xff;
	return (dst[12] >= 224 && dst[12] <= 239) ||
	       memcmp(dst + 12, "\xff\xff\xff\xff", 4) == 0;
}

static bool is_icmp(const struct packet_meta *meta)
{
	return (meta->ethertype == 0x0800 && meta->ends.proto == 1) ||
	       (meta->ethertype == 0x86dd && meta->ends.proto == 58);
}

static void kinds_are_consistent(const struct packet_meta *meta)
{
	switch ((enum packet_kind)meta->kind) {
	case PACKET_UNICAST:
		assert(!is_group(meta));
		break;
	case PACKET_MULTICAST:
		assert(is_group(meta));
		break;
	case PACKET_ICMP_ERROR:
		assert(is_icmp(meta) && !is_group(meta));
		break;
	case PACKET_NEIGHBOUR:
		assert(meta->ethertype == 0x0806 || is_icmp(meta));
		assert(meta->fragment == PACKET_WHOLE);
		break;
	case PACKET_DHCP:
		assert(meta->ends.proto == 17);
		assert(meta->fragment != PACKET_LATER_FRAGMENT);
		break;
	}
	assert(meta->kind <= PACKET_DHCP);
	if (meta->kind != PACKET_ICMP_ERROR && meta->kind != PACKET_MULTICAST)
		assert(is_zero(&meta->quoted, sizeof(meta->quoted)));
	if (meta->quoted.proto != 0)
		assert(is_mapped(meta->quoted.src) ==
			       (meta->ethertype == 0x0800) &&
		       is_mapped(meta->quoted.dst) ==
			       (meta->ethertype == 0x0800));
}

static void fields_are_consistent(const struct packet_meta *meta)
{
	bool v4 = meta->ethertype != 0x86dd;

	assert(meta->ethertype == 0x0800 || meta->ethertype == 0x86dd ||
	       meta->ethertype == 0x0806);
	assert(is_mapped(meta->ends.src) == v4);
	assert(is_mapped(meta->ends.dst) == v4);
	assert(meta->fragment <= PACKET_LATER_FRAGMENT);
	if (meta->fragment == PACKET_WHOLE)
		assert(meta->fragment_id == 0);
	if (meta->fragment == PACKET_LATER_FRAGMENT)
		assert(meta->ends.src_port == 0 && meta->ends.dst_port == 0);
	if (meta->ends.proto != 6)
		assert(meta->tcp_flags == 0);
	if (meta->ends.proto != 17)
		assert(meta->rtp_ssrc == 0 && meta->rtp_seq == 0);
	if (!(meta->tcp_flags & 0x02))
		assert(meta->mss == 0);
	if (meta->ends.proto != 6 && meta->ends.proto != 17 &&
	    meta->ends.proto != 132)
		assert(meta->ends.src_port == meta->ends.dst_port);
}

/* A packet and its answer meet in one key, whatever they are. */
static void keys_meet(const struct packet_meta *meta)
{
	struct packet_meta answer = *meta;
	struct flow_key out, in;

	memcpy(answer.ends.src, meta->ends.dst, 16);
	memcpy(answer.ends.dst, meta->ends.src, 16);
	answer.ends.src_port = meta->ends.dst_port;
	answer.ends.dst_port = meta->ends.src_port;
	flow_key_of(meta, FLOW_OUT, 3, &out);
	flow_key_of(&answer, FLOW_IN, 3, &in);
	assert(flow_key_equal(&out, &in));
}

/* What lies behind the headers: what an ICMP error quotes, RTP. */
static void forget_the_rest(struct packet_meta *meta)
{
	memset(&meta->quoted, 0, sizeof(meta->quoted));
	meta->rtp_ssrc = 0;
	meta->rtp_seq = 0;
}

/* The headers alone say the same, but for that. */
static void headers_suffice(uint16_t ethertype, const uint8_t *bytes,
			    uint32_t wire_bytes, const struct packet_meta *meta)
{
	struct packet_meta again, expected = *meta;
	uint8_t *headers = malloc(meta->header_bytes);
	enum packet_error error;

	assert(headers);
	memcpy(headers, bytes, meta->header_bytes);
	error = packet_parse(ethertype, headers, meta->header_bytes, wire_bytes,
			     &again);
	forget_the_rest(&again);
	forget_the_rest(&expected);
	assert(error == PACKET_OK);
	assert(memcmp(&again, &expected, sizeof(again)) == 0);
	error = packet_parse(ethertype, headers, meta->header_bytes - 1,
			     wire_bytes, &again);
	assert(error == PACKET_TRUNCATED);
	free(headers);
}

enum packet_error packet_invariants_hold(uint16_t ethertype,
					 const uint8_t *bytes,
					 uint32_t captured_bytes,
					 uint32_t wire_bytes)
{
	uint8_t *exact = malloc(captured_bytes ? captured_bytes : 1);
	struct packet_meta meta, again;
	enum packet_error error;

	assert(exact);
	if (captured_bytes)
		memcpy(exact, bytes, captured_bytes);
	memset(&meta, 0xaa, sizeof(meta));
	memset(&again, 0x55, sizeof(again));
	error = parse(ethertype, exact, captured_bytes, wire_bytes, &meta);
	assert(error ==
	       parse(ethertype, exact, captured_bytes, wire_bytes, &again));
	assert(memcmp(&meta, &again, sizeof(meta)) == 0);

	if (wire_bytes < captured_bytes)
		wire_bytes = captured_bytes;
	assert(error < PACKET_ERRORS);
	assert(meta.header_bytes <= captured_bytes);
	assert(meta.length_bytes <= wire_bytes || meta.ethertype == 0x0806);
	if (meta.ethertype != 0) {
		fields_are_consistent(&meta);
		keys_meet(&meta);
	} else {
		assert(error != PACKET_OK);
		assert(is_zero(&meta.ends, sizeof(meta.ends)));
	}
	if (error == PACKET_OK) {
		assert(meta.header_bytes <= meta.length_bytes);
		kinds_are_consistent(&meta);
		if (ethertype == 0x0800 || ethertype == 0x86dd)
			headers_suffice(ethertype, exact, wire_bytes, &meta);
	} else {
		assert(meta.ends.src_port == 0 && meta.ends.dst_port == 0);
	}
	free(exact);
	return error;
}
