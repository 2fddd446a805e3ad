/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/packet.h"
#include "tests/check_row.h"
#include "tests/packet_invariants.h"
#include "tests/packet_samples.h"

#define CHECK_EQ(want, got) CHECK_ROW(sample->name, want, got)

static void map_text(const char *text, uint8_t ret_addr[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(ret_addr, prefix, 12);
	if (inet_pton(AF_INET, text, ret_addr + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, ret_addr), 1);
}

static void check_ends(const struct packet_sample *sample,
		       const struct packet_sample_ends *want, bool v6,
		       const struct packet_ends *got)
{
	uint8_t src[16], dst[16];

	map_text(want->src ? want->src
		 : v6      ? "2001:db8:20::7"
			   : "10.20.0.7",
		 src);
	map_text(want->dst ? want->dst
		 : v6      ? "2001:db8:ffff::1"
			   : "198.51.100.1",
		 dst);
	CHECK_EQ(0, memcmp(src, got->src, 16));
	CHECK_EQ(0, memcmp(dst, got->dst, 16));
	CHECK_EQ(want->src_port, got->src_port);
	CHECK_EQ(want->dst_port, got->dst_port);
	CHECK_EQ(want->proto, got->proto);
}

static enum packet_error parse(const struct packet_sample *sample,
			       const uint8_t *bytes, uint32_t captured_bytes,
			       uint32_t wire_bytes,
			       struct packet_meta *ret_meta)
{
	if (sample->ethertype == 0)
		return packet_parse_ethernet(bytes, captured_bytes, wire_bytes,
					     ret_meta);
	return packet_parse(sample->ethertype, bytes, captured_bytes,
			    wire_bytes, ret_meta);
}

static uint32_t wire_bytes_of(const struct packet_sample *sample,
			      uint32_t count_bytes)
{
	return sample->wire_bytes ? sample->wire_bytes : count_bytes;
}

static void check_meta(const struct packet_sample *sample,
		       const struct packet_meta *meta)
{
	uint16_t family = sample->family ? sample->family : sample->ethertype;
	bool v6 = family == 0x86dd;
	static const struct packet_ends none;

	CHECK_EQ(sample->vlan[0], meta->vlan[0]);
	CHECK_EQ(sample->vlan[1], meta->vlan[1]);
	CHECK_EQ(sample->link_group, meta->link_group);
	if (!sample->addressed) {
		CHECK_EQ(0, meta->ethertype);
		CHECK_EQ(0, memcmp(&none, &meta->ends, sizeof(none)));
		return;
	}
	CHECK_EQ(family, meta->ethertype);
	check_ends(sample, &sample->ends, v6, &meta->ends);
	CHECK_EQ(sample->length_bytes, meta->length_bytes);
	CHECK_EQ(sample->fragment, meta->fragment);
	CHECK_EQ(sample->fragment_id, meta->fragment_id);
	CHECK_EQ(sample->kind, meta->kind);
	CHECK_EQ(sample->tcp_flags, meta->tcp_flags);
	CHECK_EQ(sample->mss, meta->mss);
	CHECK_EQ(sample->rtp_seq, meta->rtp_seq);
	CHECK_EQ(sample->rtp_ssrc, meta->rtp_ssrc);
	if (sample->quoted.proto)
		check_ends(sample, &sample->quoted, v6, &meta->quoted);
	else
		CHECK_EQ(0, memcmp(&none, &meta->quoted, sizeof(none)));
	if (sample->error == PACKET_OK)
		CHECK_EQ(sample->header_bytes, meta->header_bytes);
}

static void test_packet_parse_reads_every_sample(void **state)
{
	uint8_t bytes[PACKET_SAMPLE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < packet_samples_count; i++) {
		const struct packet_sample *sample = &packet_samples[i];
		uint32_t count_bytes = packet_sample_bytes(sample, bytes);
		struct packet_meta meta;

		CHECK_EQ(sample->error,
			 parse(sample, bytes, count_bytes,
			       wire_bytes_of(sample, count_bytes), &meta));
		check_meta(sample, &meta);
	}
}

/* Every count of bytes from none to all, each in a buffer of just that size
 * so that the address sanitizer sees one byte too many. */
static void test_packet_is_ok_only_with_all_its_headers(void **state)
{
	uint8_t bytes[PACKET_SAMPLE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < packet_samples_count; i++) {
		const struct packet_sample *sample = &packet_samples[i];
		uint32_t count_bytes = packet_sample_bytes(sample, bytes);
		uint32_t wire_bytes = wire_bytes_of(sample, count_bytes);

		for (uint32_t n = 0; n <= count_bytes; n++) {
			enum packet_error error = packet_invariants_hold(
				sample->ethertype, bytes, n, wire_bytes);

			if (sample->error != PACKET_OK)
				CHECK_EQ(true, error != PACKET_OK);
			else if (n < sample->needed_bytes)
				CHECK_EQ(PACKET_TRUNCATED, error);
			else
				CHECK_EQ(PACKET_OK, error);
		}
	}
}

/* The same where the wire itself carried no more. */
static void test_packet_cut_on_the_wire_is_never_ok(void **state)
{
	uint8_t bytes[PACKET_SAMPLE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < packet_samples_count; i++) {
		const struct packet_sample *sample = &packet_samples[i];
		uint32_t count_bytes = packet_sample_bytes(sample, bytes);

		if (sample->error == PACKET_OK)
			count_bytes = sample->needed_bytes;
		for (uint32_t n = 0; n < count_bytes; n++)
			CHECK_EQ(true, packet_invariants_hold(sample->ethertype,
							      bytes, n,
							      n) != PACKET_OK);
	}
}

static void test_packet_invariants_hold_for_any_changed_byte(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x02, 0x04, 0x08, 0x10,
					   0x20, 0x40, 0x80, 0xff };
	uint8_t bytes[PACKET_SAMPLE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < packet_samples_count; i++) {
		const struct packet_sample *sample = &packet_samples[i];
		uint32_t count_bytes = packet_sample_bytes(sample, bytes);

		for (uint32_t n = 0; n < count_bytes; n++) {
			for (size_t j = 0; j < sizeof(changes); j++) {
				bytes[n] ^= changes[j];
				packet_invariants_hold(
					sample->ethertype, bytes, count_bytes,
					wire_bytes_of(sample, count_bytes));
				bytes[n] ^= changes[j];
			}
		}
	}
}

/* A chain of long options ends where our bound does, however much is there. */
static void test_packet_headers_have_a_bound(void **state)
{
	static const struct packet_sample row = { .name = "long options" };
	const struct packet_sample *sample = &row;
	uint8_t bytes[1024] = { 0x60, 0, 0, 0, 984 >> 8, 984 & 0xff, 60, 64 };
	struct packet_meta meta;

	(void)state;
	bytes[40] = 17;
	for (uint8_t units = 0; units < 120; units++) {
		uint32_t end_bytes = 40 + (units + 1u) * 8;
		bool fits = end_bytes + 8 <= PACKET_HEADERS_MAX_BYTES;

		bytes[41] = units;
		CHECK_EQ(fits ? PACKET_OK : PACKET_TOO_MANY_HEADERS,
			 packet_parse(0x86dd, bytes, sizeof(bytes),
				      sizeof(bytes), &meta));
		CHECK_EQ(0x86dd, meta.ethertype);
	}
}

static void test_packet_wire_bytes_are_at_least_the_captured(void **state)
{
	const struct packet_sample *sample = &packet_samples[0];
	uint8_t bytes[PACKET_SAMPLE_MAX_BYTES];
	uint32_t count_bytes = packet_sample_bytes(sample, bytes);
	struct packet_meta meta;

	(void)state;
	CHECK_EQ(PACKET_OK, parse(sample, bytes, count_bytes, 0, &meta));
	check_meta(sample, &meta);
}

static void test_packet_errors_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < PACKET_ERRORS; i++) {
		const char *name = packet_error_name((enum packet_error)i);

		assert_string_not_equal(name, "?");
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				name, packet_error_name((enum packet_error)j));
	}
	assert_string_equal(packet_error_name(PACKET_ERRORS), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet_parse_reads_every_sample),
		cmocka_unit_test(test_packet_is_ok_only_with_all_its_headers),
		cmocka_unit_test(test_packet_cut_on_the_wire_is_never_ok),
		cmocka_unit_test(
			test_packet_invariants_hold_for_any_changed_byte),
		cmocka_unit_test(test_packet_headers_have_a_bound),
		cmocka_unit_test(
			test_packet_wire_bytes_are_at_least_the_captured),
		cmocka_unit_test(test_packet_errors_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
