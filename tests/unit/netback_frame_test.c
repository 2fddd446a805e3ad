/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/random.h"
#include "xen-hooks/netback/frame.h"

enum { FRAME_MAX = 128, OTHER = 0x99 };

/* 02:00:00:00:00:01 with 10.0.0.1 and fd00::1. */
static const struct frame_source GUEST = {
	.mac = { 2, 0, 0, 0, 0, 1 },
	.has_mac = true,
	.prefixes_count = 2,
	.prefixes = {
		{ { [10] = 0xff, 0xff, 10, 0, 0, 1 }, 128 },
		{ { 0xfd, [15] = 1 }, 128 },
	},
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t count;
};

static void ethernet(struct frame *frame, uint16_t ethertype)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->bytes + 6, GUEST.mac, 6);
	frame->bytes[12] = (uint8_t)(ethertype >> 8);
	frame->bytes[13] = (uint8_t)ethertype;
	frame->count = 14;
}

static struct frame ipv4(uint8_t last)
{
	static const uint8_t header[] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17 };
	struct frame frame;
	uint8_t *ip = frame.bytes + 14;

	ethernet(&frame, 0x0800);
	memcpy(ip, header, sizeof(header));
	memcpy(ip + 12, (uint8_t[]){ 10, 0, 0, last, 192, 0, 2, 1 }, 8);
	memcpy(ip + 20, (uint8_t[]){ 1, 2, 3, 4, 0, 8 }, 6);
	frame.count = 42;
	return frame;
}

static struct frame ipv6(uint8_t first, uint8_t last, uint8_t protocol,
			 uint8_t payload_bytes)
{
	struct frame frame;
	uint8_t *ip = frame.bytes + 14;

	ethernet(&frame, 0x86dd);
	ip[0] = 0x60;
	ip[5] = payload_bytes;
	ip[6] = protocol;
	ip[7] = 255;
	ip[8] = first;
	ip[9] = first == 0xfe ? 0x80 : 0;
	ip[23] = last;
	ip[24] = 0x20;
	ip[39] = 2;
	frame.count = 54u + payload_bytes;
	return frame;
}

/* A solicitation or an advertisement with one option. */
static struct frame discovery(uint8_t type, uint8_t target, uint8_t mac)
{
	struct frame frame = ipv6(0xfd, 1, 58, 32);
	uint8_t *icmp = frame.bytes + 54;

	icmp[0] = type;
	icmp[8] = 0xfd;
	icmp[23] = target;
	icmp[24] = type == 136 ? 2 : 1;
	icmp[25] = 1;
	icmp[26] = 2;
	icmp[31] = mac;
	return frame;
}

static struct frame arp(uint8_t mac, uint8_t address)
{
	static const uint8_t header[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	struct frame frame;
	uint8_t *at = frame.bytes + 14;

	ethernet(&frame, 0x0806);
	memcpy(at, header, sizeof(header));
	memcpy(at + 8, (uint8_t[]){ 2, 0, 0, 0, 0, mac }, 6);
	memcpy(at + 14, (uint8_t[]){ 10, 0, 0, address }, 4);
	frame.count = 42;
	return frame;
}

static struct frame with_mac(struct frame frame, uint8_t mac)
{
	frame.bytes[11] = mac;
	return frame;
}

static struct frame tagged(struct frame frame)
{
	memmove(frame.bytes + 16, frame.bytes + 12, frame.count - 12);
	memcpy(frame.bytes + 12, (uint8_t[]){ 0x81, 0, 0, 5 }, 4);
	frame.count += 4;
	return frame;
}

static struct frame cut(struct frame frame, uint32_t count)
{
	frame.count = count;
	return frame;
}

static enum frame_class class_of(const struct frame_source *source,
				 const struct frame *frame, uint32_t wire_bytes,
				 bool *ret_stamp)
{
	struct packet_meta meta;

	return frame_judge(source, frame->bytes, frame->count, wire_bytes,
			   &meta, ret_stamp);
}

static void test_netback_frame_knows_who_sends(void **state)
{
	const struct {
		struct frame frame;
		enum frame_class class;
	} rows[] = {
		{ ipv4(1), FRAME_JUDGED },
		{ ipv4(2), FRAME_FORGED_ADDRESS },
		{ tagged(ipv4(2)), FRAME_FORGED_ADDRESS },
		{ with_mac(ipv4(1), OTHER), FRAME_FORGED_MAC },
		{ ipv6(0xfd, 1, 17, 8), FRAME_JUDGED },
		{ ipv6(0xfd, 2, 17, 8), FRAME_FORGED_ADDRESS },
		{ ipv6(0xfe, 9, 17, 8), FRAME_JUDGED }, /* link-local */
		{ ipv6(0, 0, 17, 8), FRAME_FORGED_ADDRESS },
		{ arp(1, 1), FRAME_OTHER },
		{ arp(1, 0), FRAME_FORGED_NEIGHBOUR },
		{ arp(OTHER, 1), FRAME_FORGED_NEIGHBOUR },
		{ tagged(arp(OTHER, 1)), FRAME_FORGED_NEIGHBOUR },
		{ arp(1, 2), FRAME_FORGED_NEIGHBOUR },
		{ discovery(135, 7, 1), FRAME_OTHER },
		{ discovery(135, 7, OTHER), FRAME_FORGED_NEIGHBOUR },
		{ discovery(136, 1, 1), FRAME_OTHER },
		{ discovery(136, 7, 1), FRAME_FORGED_NEIGHBOUR },
		{ discovery(136, 1, OTHER), FRAME_FORGED_NEIGHBOUR },
		{ cut(ipv4(1), 30), FRAME_UNREAD },
		{ cut(ipv4(1), 13), FRAME_UNREAD },
		{ cut(arp(1, 1), 20), FRAME_UNREAD },
	};
	bool stamp;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum frame_class class = class_of(&GUEST, &rows[i].frame,
						  rows[i].frame.count, &stamp);

		if (class != rows[i].class || stamp)
			fail_msg("row %zu: %d", i, class);
	}
}

static void test_netback_frame_asks_for_more_bytes(void **state)
{
	struct frame frame = discovery(136, 1, OTHER);
	bool stamp;

	(void)state;
	/* The option that lies is behind them. */
	frame.count = 70;
	assert_int_equal(FRAME_SHORT, class_of(&GUEST, &frame, 86, &stamp));
	frame = ipv4(2);
	frame.count = 20;
	assert_int_equal(FRAME_SHORT, class_of(&GUEST, &frame, 42, &stamp));
}

static void test_netback_frame_overwrites_a_mac(void **state)
{
	struct frame_source source = GUEST;
	struct frame frame = with_mac(ipv4(1), OTHER);
	bool stamp;

	(void)state;
	source.overwrites = true;
	assert_int_equal(FRAME_JUDGED, class_of(&source, &frame, 42, &stamp));
	assert_true(stamp);
	/* Not what neighbours are told. */
	frame = with_mac(arp(OTHER, 1), OTHER);
	assert_int_equal(FRAME_FORGED_NEIGHBOUR,
			 class_of(&source, &frame, 42, &stamp));
}

static void test_netback_frame_takes_prefixes(void **state)
{
	struct frame_source source = GUEST;
	struct frame frame = ipv4(7);
	bool stamp;

	(void)state;
	source.prefixes[0].length_bits = 125; /* 10.0.0.0 to .7 */
	assert_int_equal(FRAME_JUDGED, class_of(&source, &frame, 42, &stamp));
	frame = ipv4(8);
	assert_int_equal(FRAME_FORGED_ADDRESS,
			 class_of(&source, &frame, 42, &stamp));
	source.prefixes_count = 0;
	assert_int_equal(FRAME_JUDGED, class_of(&source, &frame, 42, &stamp));
}

static void test_netback_frame_takes_prefixes_of_any_length(void **state)
{
	static const struct row {
		uint8_t length_bits, first, last;
		bool is_own;
	} rows[] = {
		{ 0, 0x20, 9, true },    { 7, 0xfc, 9, true },
		{ 8, 0xfc, 9, false },   { 8, 0xfd, 9, true },
		{ 64, 0xfd, 9, true },   { 64, 0xfc, 1, false },
		{ 65, 0xfd, 9, true },   { 127, 0xfd, 0, true },
		{ 127, 0xfd, 2, false }, { 127, 0xfc, 1, false },
		{ 128, 0xfd, 1, true },  { 128, 0xfd, 0, false },
		{ 128, 0xfc, 1, false },
	};
	struct frame_source source = GUEST;
	bool stamp;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct frame frame = ipv6(row->first, row->last, 17, 8);

		source.prefixes[1].length_bits = row->length_bits;
		if (class_of(&source, &frame, frame.count, &stamp) !=
		    (row->is_own ? FRAME_JUDGED : FRAME_FORGED_ADDRESS))
			fail_msg("row %zu", i);
	}
}

/* Whatever the bytes are, none beyond their end is read: the sanitizers see. */
static void test_netback_frame_reads_no_further(void **state)
{
	const struct frame seeds[] = { ipv4(1), ipv6(0xfd, 1, 58, 32),
				       discovery(136, 1, 1), arp(1, 1),
				       tagged(discovery(135, 1, 1)) };
	struct random random;

	(void)state;
	random_init(&random, random_seed("netback_frame", 5));
	for (int i = 0; i < 20000; i++) {
		const struct frame *seed = &seeds[random_below(&random, 5)];
		uint32_t count = random_below(&random, seed->count + 1);
		uint8_t bytes[FRAME_MAX];
		uint8_t *at = bytes + FRAME_MAX - count;
		struct packet_meta meta;
		bool stamp;

		memcpy(at, seed->bytes, count);
		for (uint32_t j = random_below(&random, 4); count && j > 0; j--)
			at[random_below(&random, count)] =
				(uint8_t)random_next(&random);
		assert_true(frame_judge(&GUEST, at, count,
					count + random_below(&random, 9), &meta,
					&stamp) <= FRAME_FORGED_NEIGHBOUR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netback_frame_knows_who_sends),
		cmocka_unit_test(test_netback_frame_asks_for_more_bytes),
		cmocka_unit_test(test_netback_frame_overwrites_a_mac),
		cmocka_unit_test(test_netback_frame_takes_prefixes),
		cmocka_unit_test(
			test_netback_frame_takes_prefixes_of_any_length),
		cmocka_unit_test(test_netback_frame_reads_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
