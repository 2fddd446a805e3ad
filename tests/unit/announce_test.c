/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "flowtable/packet.h"
#include "policy/address.h"
#include "policy/policy.h"
#include "xen-hooks/announce.h"

static const uint8_t mac[6] = { 0x00, 0x16, 0x3e, 0x01, 0x02, 0x03 };
static uint8_t frame[ANNOUNCE_BYTES];

static size_t announce(const char *text)
{
	struct policy_prefix prefix;

	memset(frame, 0xee, sizeof(frame));
	assert_int_equal(address_parse_prefix(text, &prefix), ADDRESS_OK);
	return announce_frame(mac, &prefix, frame);
}

static void test_an_arp_asks_for_the_address_itself(void **state)
{
	static const uint8_t want[60] = {
		/* Ethernet */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x01,
		0x02, 0x03, 0x08, 0x06,
		/* Ethernet, IPv4, request */
		0, 1, 8, 0, 6, 4, 0, 1,
		/* who sends */
		0x00, 0x16, 0x3e, 0x01, 0x02, 0x03, 192, 0, 2, 7,
		/* who is asked for */
		0, 0, 0, 0, 0, 0, 192, 0, 2, 7
	};

	(void)state;
	assert_int_equal(announce("192.0.2.7"), sizeof(want));
	assert_memory_equal(frame, want, sizeof(want));
}

/* As a receiver does: with the checksum in it, the sum is all ones. */
static uint16_t sum_of_message(void)
{
	const uint8_t *ip = frame + 14;
	uint64_t sum = 58 + 32;

	for (size_t i = 8; i < 72; i++)
		sum += i % 2 ? ip[i] : (uint64_t)ip[i] << 8;
	while (sum > 0xffff)
		sum = sum / 0x10000 + sum % 0x10000;
	return (uint16_t)sum;
}

static void test_an_advertisement_overrides_what_is_known(void **state)
{
	static const uint8_t head[14] = { 0x33, 0x33, 0,    0,    0,
					  1,    0x00, 0x16, 0x3e, 0x01,
					  0x02, 0x03, 0x86, 0xdd };
	static const uint8_t option[8] = { 2,    1,    0x00, 0x16,
					   0x3e, 0x01, 0x02, 0x03 };
	const uint8_t *icmp = frame + 54;
	struct policy_prefix want;
	struct packet_meta meta;

	(void)state;
	assert_int_equal(announce("2001:db8::7"), 86);
	assert_memory_equal(frame, head, sizeof(head));
	assert_int_equal(packet_parse(0x86dd, frame + 14, 72, 72, &meta),
			 PACKET_OK);
	assert_int_equal(meta.ends.proto, 58);
	assert_int_equal(meta.length_bytes, 72);
	address_parse_prefix("2001:db8::7", &want);
	assert_memory_equal(meta.ends.src, want.addr, 16);
	assert_memory_equal(icmp + 8, want.addr, 16);
	address_parse_prefix("ff02::1", &want);
	assert_memory_equal(meta.ends.dst, want.addr, 16);
	assert_int_equal(frame[21], 255); /* hop limit */
	assert_int_equal(icmp[0], 136);
	assert_int_equal(icmp[1], 0);
	assert_int_equal(icmp[4], 0x20); /* override, not solicited */
	assert_memory_equal(icmp + 24, option, sizeof(option));
	assert_int_equal(sum_of_message(), 0xffff);
}

static void test_what_is_no_host_is_not_announced(void **state)
{
	static const char *const rows[] = {
		"192.0.2.0/24", "2001:db8::/64", "0.0.0.0",
		"127.0.0.1",    "224.0.0.1",     "255.255.255.255",
		"::",           "::1",           "ff02::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(announce(rows[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_arp_asks_for_the_address_itself),
		cmocka_unit_test(test_an_advertisement_overrides_what_is_known),
		cmocka_unit_test(test_what_is_no_host_is_not_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
