/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "policy/protocol.h"

static void test_address_reads_and_prints_prefixes(void **state)
{
	static const struct {
		const char *text;
		enum address_result result;
		const char *printed;
	} rows[] = {
		{ "10.20.0.0/16", ADDRESS_OK, "10.20.0.0/16" },
		{ "10.20.0.7", ADDRESS_OK, "10.20.0.7" },
		{ "10.20.0.7/32", ADDRESS_OK, "10.20.0.7" },
		{ "0.0.0.0/0", ADDRESS_OK, "0.0.0.0/0" },
		{ "128.0.0.0/1", ADDRESS_OK, "128.0.0.0/1" },
		{ "::/0", ADDRESS_OK, "::/0" },
		{ "2001:db8::/32", ADDRESS_OK, "2001:db8::/32" },
		{ "2001:DB8:0:0::7", ADDRESS_OK, "2001:db8::7" },
		{ "::1/128", ADDRESS_OK, "::1" },
		{ "10.20.0.1/16", ADDRESS_HOST_BITS, "10.20.0.0/16" },
		{ "10.20.0.255/31", ADDRESS_HOST_BITS, "10.20.0.254/31" },
		{ "128.0.0.0/0", ADDRESS_HOST_BITS, "0.0.0.0/0" },
		{ "2001:db8::1/127", ADDRESS_HOST_BITS, "2001:db8::/127" },
		{ "10.20.0.0/33", ADDRESS_BAD_LENGTH, NULL },
		{ "2001:db8::/129", ADDRESS_BAD_LENGTH, NULL },
		{ "10.20.0.0/99999999999999999999", ADDRESS_BAD_LENGTH, NULL },
		{ "::ffff:10.20.0.7", ADDRESS_MAPPED, NULL },
		{ "::ffff:0:0/96", ADDRESS_MAPPED, NULL },
		{ "10.20.0.0/", ADDRESS_MALFORMED, NULL },
		{ "10.20.0.0/-1", ADDRESS_MALFORMED, NULL },
		{ "10.20.0.0/016", ADDRESS_MALFORMED, NULL },
		{ "10.20.0.0/16/16", ADDRESS_MALFORMED, NULL },
		{ "10.20.0", ADDRESS_MALFORMED, NULL },
		{ "010.20.0.0", ADDRESS_MALFORMED, NULL },
		{ "10.20.0.0 ", ADDRESS_MALFORMED, NULL },
		{ "/16", ADDRESS_MALFORMED, NULL },
		{ "", ADDRESS_MALFORMED, NULL },
		{ "fe80::1%lan0", ADDRESS_MALFORMED, NULL },
		{ "0000000000000000000000000000000000000000000000000000000000"
		  "00000000000000000000000000000000000000000/8",
		  ADDRESS_MALFORMED, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_prefix prefix;
		char text[ADDRESS_TEXT_SIZE];

		assert_int_equal(rows[i].result,
				 address_parse_prefix(rows[i].text, &prefix));
		if (rows[i].printed == NULL)
			continue;
		address_print_prefix(&prefix, text);
		assert_string_equal(rows[i].printed, text);
	}
}

static void test_address_knows_which_prefix_covers_which(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers, overlaps;
	} rows[] = {
		{ "10.0.0.0/8", "10.20.0.0/16", true, true },
		{ "10.0.0.0/8", "10.0.0.0/8", true, true },
		{ "10.20.0.0/16", "10.0.0.0/8", false, true },
		{ "10.0.0.0/8", "11.0.0.0/8", false, false },
		{ "10.0.0.0/9", "10.128.0.0/9", false, false },
		{ "0.0.0.0/0", "255.255.255.255", true, true },
		{ "::/0", "2001:db8::/32", true, true },
		{ "::/0", "10.0.0.0/8", false, false },
		{ "::/80", "0.0.0.0/0", false, false },
		{ "0.0.0.0/0", "::/0", false, false },
		{ "::/96", "0.0.0.0/0", false, false },
		{ "2001:db8::/32", "2001:db8:ffff::/48", true, true },
		{ "2001:db8::/33", "2001:db8:8000::/33", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_prefix outer, inner;

		address_parse_prefix(rows[i].outer, &outer);
		address_parse_prefix(rows[i].inner, &inner);
		assert_int_equal(rows[i].covers,
				 address_covers(&outer, &inner));
		assert_int_equal(rows[i].overlaps,
				 address_overlaps(&outer, &inner));
		assert_int_equal(rows[i].overlaps,
				 address_overlaps(&inner, &outer));
	}
}

static void test_address_reads_endpoints(void **state)
{
	static const struct {
		const char *text, *addr;
		uint16_t port;
		bool loopback;
	} rows[] = {
		{ "127.0.0.1:9477", "127.0.0.1", 9477, true },
		{ "[::1]:65535", "::1", 65535, true },
		{ "0.0.0.0:1", "0.0.0.0", 1, false },
		{ "[::]:80", "::", 80, false },
		{ "127.0.0.1", NULL, 0, false },
		{ "127.0.0.1:", NULL, 0, false },
		{ "127.0.0.1:0", NULL, 0, false },
		{ "127.0.0.1:65536", NULL, 0, false },
		{ ":80", NULL, 0, false },
		{ "[]:80", NULL, 0, false },
		{ "[:80", NULL, 0, false },
		{ "[127.0.0.1]:80", NULL, 0, false },
		{ "::1:80", NULL, 0, false },
		{ "localhost:80", NULL, 0, false },
		{ "", NULL, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ADDRESS_TEXT_SIZE];
		uint8_t addr[16];
		uint16_t port = 0;

		assert_int_equal(rows[i].addr != NULL,
				 address_parse_endpoint(rows[i].text, addr,
							&port));
		assert_int_equal(rows[i].port, port);
		if (rows[i].addr == NULL)
			continue;
		address_print(addr, text);
		assert_string_equal(rows[i].addr, text);
		assert_int_equal(rows[i].loopback, address_is_loopback(addr));
	}
}

static void test_address_reads_mac_addresses(void **state)
{
	static const char *const WRONG[] = {
		"52:54:00:12:34",     "52:54:00:12:34:5",
		"52:54:00:12:34:567", "52-54-00-12-34-56",
		"52:54:00:12:34:5g",  "525400123456",
		"52:54:00:12:34:56:", "",
	};
	uint8_t mac[6];
	char text[ADDRESS_MAC_TEXT_SIZE];

	(void)state;
	assert_true(address_parse_mac("52:54:00:aB:Cd:EF", mac));
	address_print_mac(mac, text);
	assert_string_equal("52:54:00:ab:cd:ef", text);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
		assert_false(address_parse_mac(WRONG[i], mac));
}

static void test_address_knows_the_names_of_interfaces(void **state)
{
	(void)state;
	assert_true(address_is_interface("lan0"));
	assert_true(address_is_interface("vif7.0-emu"));
	assert_true(address_is_interface("abcdefghijklmno"));
	assert_false(address_is_interface("abcdefghijklmnop"));
	assert_false(address_is_interface(""));
	assert_false(address_is_interface("."));
	assert_false(address_is_interface(".."));
	assert_false(address_is_interface("a/b"));
	assert_false(address_is_interface("a:b"));
	assert_false(address_is_interface("a b"));
	assert_false(address_is_interface("a\x7f"));
	assert_false(address_is_interface("\xc3\xa4"));
}

static void test_protocol_reads_names_and_numbers(void **state)
{
	static const struct {
		const char *text;
		uint8_t proto; /* 0: refused */
		const char *printed;
	} rows[] = {
		{ "tcp", 6, "tcp" },     { "udp", 17, "udp" },
		{ "icmp", 1, "icmp" },   { "icmpv6", 58, "icmpv6" },
		{ "sctp", 132, "sctp" }, { "esp", 50, "esp" },
		{ "ah", 51, "ah" },      { "gre", 47, "gre" },
		{ "6", 6, "tcp" },       { "255", 255, "255" },
		{ "0", 0, NULL },        { "256", 0, NULL },
		{ "TCP", 0, NULL },      { "", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[PROTOCOL_TEXT_SIZE];
		uint8_t proto = 0;

		assert_int_equal(rows[i].proto != 0,
				 protocol_parse(rows[i].text, &proto));
		assert_int_equal(rows[i].proto, proto);
		if (proto == 0)
			continue;
		protocol_print(proto, text);
		assert_string_equal(rows[i].printed, text);
	}
}

static void test_protocol_reads_ports_and_ranges(void **state)
{
	static const struct {
		const char *text;
		uint16_t first, last; /* 0: refused */
		const char *printed;
	} rows[] = {
		{ "53", 53, 53, "53" },      { "1-65535", 1, 65535, "1-65535" },
		{ "80-80", 80, 80, "80" },   { "0", 0, 0, NULL },
		{ "65536", 0, 0, NULL },     { "80-79", 0, 0, NULL },
		{ "80-", 0, 0, NULL },       { "-80", 0, 0, NULL },
		{ "80-90-100", 0, 0, NULL }, { "123456789-1", 0, 0, NULL },
		{ "", 0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_port_range range = { 0, 0 };
		char text[PROTOCOL_TEXT_SIZE];

		assert_int_equal(rows[i].first != 0,
				 protocol_parse_ports(rows[i].text, &range));
		assert_int_equal(rows[i].first, range.first);
		assert_int_equal(rows[i].last, range.last);
		if (range.first == 0)
			continue;
		protocol_print_ports(&range, text);
		assert_string_equal(rows[i].printed, text);
	}
}

static void test_protocol_takes_a_bare_syn_for_a_first_packet(void **state)
{
	(void)state;
	assert_int_equal(0x12, protocol_flags_mask(0x02)); /* syn */
	assert_int_equal(0x12, protocol_flags_mask(0x12)); /* syn, ack */
	assert_int_equal(0x04, protocol_flags_mask(0x04)); /* rst */
	assert_int_equal(0x10, protocol_flags_mask(0x10)); /* ack */
	assert_int_equal(0x13, protocol_flags_mask(0x03)); /* fin, syn */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_reads_and_prints_prefixes),
		cmocka_unit_test(test_address_knows_which_prefix_covers_which),
		cmocka_unit_test(test_address_reads_endpoints),
		cmocka_unit_test(test_address_reads_mac_addresses),
		cmocka_unit_test(test_address_knows_the_names_of_interfaces),
		cmocka_unit_test(test_protocol_reads_names_and_numbers),
		cmocka_unit_test(test_protocol_reads_ports_and_ranges),
		cmocka_unit_test(
			test_protocol_takes_a_bare_syn_for_a_first_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
