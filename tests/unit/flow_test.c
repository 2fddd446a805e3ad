/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"
#include "flowtable/packet.h"

enum { ZONE = 7, ICMP = 1, TCP = 6, UDP = 17, ESP = 50, ICMPV6 = 58 };

static const struct {
	const char *name;
	uint8_t proto;
	uint16_t src_port, dst_port; /* of the packet that goes out */
	uint16_t inside_port, outside_port;
} rows[] = {
	{ "tcp", TCP, 40000, 80, 40000, 80 },
	{ "udp, equal ports", UDP, 123, 123, 123, 123 },
	{ "udp, port 0", UDP, 0, 53, 0, 53 },
	{ "echo", ICMP, 0xbeef, 0xbeef, 0xbeef, 0 },
	{ "echo, v6", ICMPV6, 0xbeef, 0xbeef, 0xbeef, 0 },
	{ "icmp without identifier", ICMP, 0, 0, 0, 0 },
	{ "esp", ESP, 0, 0, 0, 0 },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct packet_meta packet_of(size_t row)
{
	struct packet_meta meta;

	memset(&meta, 0, sizeof(meta));
	memset(meta.ends.src, 0x11, 16);
	memset(meta.ends.dst, 0x22, 16);
	meta.ends.src_port = rows[row].src_port;
	meta.ends.dst_port = rows[row].dst_port;
	meta.ends.proto = rows[row].proto;
	return meta;
}

static struct packet_meta answer_to(const struct packet_meta *meta)
{
	struct packet_meta answer = *meta;

	memcpy(answer.ends.src, meta->ends.dst, 16);
	memcpy(answer.ends.dst, meta->ends.src, 16);
	answer.ends.src_port = meta->ends.dst_port;
	answer.ends.dst_port = meta->ends.src_port;
	return answer;
}

static void test_flow_key_has_the_guarded_end_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct packet_meta meta = packet_of(i);
		struct flow_key key;

		memset(&key, 0xaa, sizeof(key));
		flow_key_of(&meta, FLOW_OUT, ZONE, &key);
		assert_memory_equal(key.inside, meta.ends.src, 16);
		assert_memory_equal(key.outside, meta.ends.dst, 16);
		assert_int_equal(key.inside_port, rows[i].inside_port);
		assert_int_equal(key.outside_port, rows[i].outside_port);
		assert_int_equal(key.proto, rows[i].proto);
		assert_int_equal(key.zone, ZONE);
		assert_int_equal(key.scope, FLOW_SCOPE_FLOW);
	}
}

static void test_flow_key_of_an_answer_is_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct packet_meta out = packet_of(i);
		struct packet_meta in = answer_to(&out);
		struct flow_key out_key, in_key, stranger_key;

		memset(&out_key, 0xaa, sizeof(out_key));
		memset(&in_key, 0x55, sizeof(in_key));
		flow_key_of(&out, FLOW_OUT, ZONE, &out_key);
		flow_key_of(&in, FLOW_IN, ZONE, &in_key);
		assert_true(flow_key_equal(&out_key, &in_key));
		flow_key_of(&out, FLOW_IN, ZONE, &stranger_key);
		assert_false(flow_key_equal(&out_key, &stranger_key));
	}
}

static void test_flow_key_reverse_is_what_the_other_end_has(void **state)
{
	enum { FAR_ZONE = 9 };

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct packet_meta meta = packet_of(i);
		struct flow_key near, far, reverse, again;

		flow_key_of(&meta, FLOW_OUT, ZONE, &near);
		flow_key_of(&meta, FLOW_IN, FAR_ZONE, &far);
		flow_key_reverse(&near, FAR_ZONE, &reverse);
		assert_true(flow_key_equal(&far, &reverse));
		flow_key_reverse(&reverse, ZONE, &again);
		assert_true(flow_key_equal(&near, &again));
		flow_key_reverse(&reverse, ZONE, &reverse); /* in place */
		assert_true(flow_key_equal(&near, &reverse));
	}
}

static void test_flow_key_tells_apart_any_changed_field(void **state)
{
	struct packet_meta meta = packet_of(0);
	struct flow_key key, other;

	(void)state;
	flow_key_of(&meta, FLOW_OUT, ZONE, &key);
	for (size_t i = 0; i < sizeof(key); i++) {
		other = key;
		((uint8_t *)&other)[i] ^= 1;
		assert_false(flow_key_equal(&key, &other));
	}
	flow_key_of(&meta, FLOW_OUT, ZONE + 1, &other);
	assert_false(flow_key_equal(&key, &other));
}

static void test_flow_key_widens_to_pair_and_host(void **state)
{
	static const uint8_t nobody[16];
	struct packet_meta meta = packet_of(0);
	struct flow_key flow, pair, host, same;

	(void)state;
	flow_key_of(&meta, FLOW_OUT, ZONE, &flow);
	flow_key_widen(&flow, FLOW_SCOPE_FLOW, &same);
	assert_true(flow_key_equal(&flow, &same));

	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &pair);
	assert_int_equal(pair.scope, FLOW_SCOPE_PAIR);
	assert_memory_equal(pair.inside, flow.inside, 16);
	assert_memory_equal(pair.outside, flow.outside, 16);
	assert_int_equal(pair.zone, ZONE);
	assert_int_equal(pair.inside_port | pair.outside_port | pair.proto, 0);

	flow_key_widen(&flow, FLOW_SCOPE_HOST, &host);
	assert_int_equal(host.scope, FLOW_SCOPE_HOST);
	assert_memory_equal(host.inside, flow.inside, 16);
	assert_memory_equal(host.outside, nobody, 16);
	assert_int_equal(host.zone, ZONE);

	flow_key_widen(&pair, FLOW_SCOPE_HOST, &same);
	assert_true(flow_key_equal(&host, &same));
	flow_key_widen(&flow, FLOW_SCOPE_HOST, &flow); /* in place */
	assert_true(flow_key_equal(&host, &flow));
}

static void test_flow_scopes_have_names(void **state)
{
	(void)state;
	assert_string_equal(flow_scope_name(FLOW_SCOPE_FLOW), "flow");
	assert_string_equal(flow_scope_name(FLOW_SCOPE_PAIR), "pair");
	assert_string_equal(flow_scope_name(FLOW_SCOPE_HOST), "host");
	assert_string_equal(flow_scope_name(FLOW_SCOPES), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_key_has_the_guarded_end_first),
		cmocka_unit_test(test_flow_key_of_an_answer_is_the_same),
		cmocka_unit_test(
			test_flow_key_reverse_is_what_the_other_end_has),
		cmocka_unit_test(test_flow_key_tells_apart_any_changed_field),
		cmocka_unit_test(test_flow_key_widens_to_pair_and_host),
		cmocka_unit_test(test_flow_scopes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
