/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/vif.h"
#include "xen-hooks/vif_keys.h"

enum { STATES = VIF_GONE + 1, EVENTS = VIF_DRAINED + 1, WALKS = 2000 };

/* The whole table once more, as a person reads it: next state and action. */
static const struct {
	enum vif_state state;
	enum vif_action action;
} table[STATES][EVENTS] = {
#define ROW(state)            [VIF_##state]
#define AT(event, next, what) [VIF_##event] = { VIF_##next, VIF_DO_##what }
	ROW(ABSENT) = { AT(SEEN, ATTACHING, EXPECT),
			AT(USABLE, ATTACHING, GUARD),
			AT(CHANGED, ATTACHING, GUARD),
			AT(LEAVING, ABSENT, NOTHING),
			AT(GUARDED, ABSENT, NOTHING),
			AT(REFUSED, ABSENT, NOTHING),
			AT(DRAINED, ABSENT, NOTHING) },
	ROW(ATTACHING) = { AT(SEEN, ATTACHING, NOTHING),
			   AT(USABLE, ATTACHING, GUARD),
			   AT(CHANGED, ATTACHING, GUARD),
			   AT(LEAVING, DRAINING, DRAIN),
			   AT(GUARDED, ACTIVE, NOTHING),
			   AT(REFUSED, ATTACHING, NOTHING),
			   AT(DRAINED, ATTACHING, NOTHING) },
	ROW(ACTIVE) = { AT(SEEN, DRAINING, DRAIN), AT(USABLE, ACTIVE, NOTHING),
			AT(CHANGED, ACTIVE, GUARD),
			AT(LEAVING, DRAINING, DRAIN),
			AT(GUARDED, ACTIVE, NOTHING),
			AT(REFUSED, ACTIVE, NOTHING),
			AT(DRAINED, ACTIVE, NOTHING) },
	ROW(DRAINING) = { AT(SEEN, DRAINING, NOTHING),
			  AT(USABLE, DRAINING, NOTHING),
			  AT(CHANGED, DRAINING, NOTHING),
			  AT(LEAVING, DRAINING, NOTHING),
			  AT(GUARDED, DRAINING, NOTHING),
			  AT(REFUSED, DRAINING, NOTHING),
			  AT(DRAINED, GONE, FORGET) },
	ROW(GONE) = { AT(SEEN, ATTACHING, EXPECT), AT(USABLE, ATTACHING, GUARD),
		      AT(CHANGED, ATTACHING, GUARD), AT(LEAVING, GONE, NOTHING),
		      AT(GUARDED, GONE, NOTHING), AT(REFUSED, GONE, NOTHING),
		      AT(DRAINED, GONE, NOTHING) },
};

static void test_vif_steps_by_the_table(void **state)
{
	(void)state;
	for (int from = 0; from < STATES; from++) {
		for (int event = 0; event < EVENTS; event++) {
			enum vif_state at = (enum vif_state)from;
			enum vif_action action =
				vif_step(&at, (enum vif_event)event);

			assert_int_equal(table[from][event].state, at);
			assert_int_equal(table[from][event].action, action);
		}
	}
}

/* Whatever comes: a guard that was put in place is taken away before it is
 * forgotten, and every drain is asked for once. */
static void test_vif_never_forgets_a_guard(void **state)
{
	bool guarded = false, draining = false;
	enum vif_state at = VIF_ABSENT;

	(void)state;
	srand(7);
	for (int i = 0; i < WALKS; i++) {
		enum vif_event event = (enum vif_event)(rand() % EVENTS);

		if (event == VIF_DRAINED && !draining)
			continue;
		switch (vif_step(&at, event)) {
		case VIF_DO_NOTHING:
			break;
		case VIF_DO_GUARD:
			assert_false(draining);
			guarded = true;
			break;
		case VIF_DO_DRAIN:
			assert_false(draining);
			draining = true;
			break;
		case VIF_DO_EXPECT:
			assert_false(guarded);
			break;
		case VIF_DO_FORGET:
			assert_true(draining);
			draining = false;
			guarded = false;
			break;
		}
		assert_true(!guarded || at == VIF_ATTACHING ||
			    at == VIF_ACTIVE || at == VIF_DRAINING);
	}
}

static bool set(struct vifkeys *keys, const char *name, const char *value)
{
	char wrong[VIFKEYS_TEXT_BYTES];

	return vifkeys_set(keys, name, value, strlen(value), wrong);
}

static void test_vifkeys_take_what_is_right(void **state)
{
	struct vifkeys keys;

	(void)state;
	vifkeys_init(&keys, 32751, 65535);
	assert_string_equal("vif32751.65535", keys.interface);
	assert_true(set(&keys, "vifname", "web0"));
	assert_true(set(&keys, "mac", "00:16:3E:aa:bb:cc"));
	assert_true(set(&keys, "ip", " 10.0.0.7\t2001:db8::7,10.1.0.0/24\n"));
	assert_true(set(&keys, "state", "4"));
	assert_true(set(&keys, "bridge", ""));
	assert_true(
		set(&keys, "uuid", "/vm/00000000-0000-4000-8000-00000000abcd"));
	assert_true(set(&keys, "something-else", "\x01"));
	assert_string_equal("web0", keys.interface);
	assert_int_equal(3, keys.addresses_count);
	assert_int_equal(120, keys.addresses[2].length);
	assert_true(set(&keys, "ip", ""));
	assert_int_equal(0, keys.addresses_count);
}

static void test_vifkeys_refuse_the_rest(void **state)
{
	static const struct {
		const char *name, *value;
	} wrong[] = {
		{ "state", "9" },
		{ "state", "" },
		{ "state", "+4" },
		{ "vifname", "a/b" },
		{ "vifname", ".." },
		{ "vifname", "sixteen-letters-" },
		{ "mac", "00:16:3e:aa:bb" },
		{ "mac", "01:16:3e:aa:bb:cc" },
		{ "mac", "00:16:3e:aa:bb:cc " },
		{ "bridge", "x y" },
		{ "ip", "10.0.0.7 10.0.0" },
		{ "ip", "10.0.0.7/8" },
		{ "multi-queue-num-queues", "0" },
		{ "multi-queue-num-queues", "65" },
		{ "multi-queue-num-queues", "18446744073709551617" },
		{ "script", "vif-bridge\n" },
		{ "script", "\xff" },
		{ "symtap-hotplug", "2" },
		{ "symtap-hotplug", "yes" },
		{ "policy", "" },
		{ "policy", "rate" },
		{ "policy", "{way: rte}" },
		{ "policy", "{name: web}" },
		{ "policy", "{way: &a rate}" },
		{ "policy", "{threshold: -1}" },
		{ "policy", "{rate: {packets: 0/s}}" },
		{ "policy", "[[[[[[[[[[[[[[[[[[[[" },
		{ "name", "" },
		{ "name", "a\nb" },
		{ "uuid", "/vm/00000000-0000-4000-8000-00000000abcg" },
		{ "uuid", "00000000-0000-4000-8000-00000000abc" },
	};
	struct vifkeys keys, before;
	char text[VIFKEYS_TEXT_BYTES], many[VIFKEYS_VALUE_BYTES + 1] = "";

	(void)state;
	vifkeys_init(&keys, 1, 0);
	assert_true(set(&keys, "ip", "10.0.0.7"));
	before = keys;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(set(&keys, wrong[i].name, wrong[i].value));
	for (int i = 0; i <= VIFKEYS_ADDRESSES; i++)
		strcat(many, "10.0.0.7 ");
	assert_false(set(&keys, "ip", many));
	memset(many, '1', sizeof(many));
	assert_false(vifkeys_set(&keys, "ip", many, sizeof(many), text));
	assert_false(vifkeys_set(&keys, "state", "4\0", 2, text));
	assert_string_equal("vif 1/0: state: not a number from 0 to 8", text);
	assert_memory_equal(&before, &keys, sizeof(keys));
}

static void test_vifkeys_know_their_place(void **state)
{
	static const char *const wrong[] = { "",        "/",    "7",
					     "7/",      "/0",   "7/x",
					     "7/0x",    "7 /0", "32752/0",
					     "7/65536", "-1/0", "00000007/0" };
	uint32_t domain, handle;

	(void)state;
	assert_true(vifkeys_parse_place("7/0", &domain, &handle));
	assert_true(vifkeys_parse_place("7/12/state", &domain, &handle));
	assert_int_equal(7, domain);
	assert_int_equal(12, handle);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(vifkeys_parse_place(wrong[i], &domain, &handle));
	assert_true(vifkeys_parse_domain("32751", &domain));
	assert_int_equal(32751, domain);
	assert_false(vifkeys_parse_domain("", &domain));
	assert_false(vifkeys_parse_domain("7/", &domain));
	assert_false(vifkeys_parse_domain("7/0", &domain));
	assert_false(vifkeys_parse_domain("x7", &domain));
	assert_false(vifkeys_parse_domain("32752", &domain));
	assert_true(vifkeys_parse_name("/local/domain/7/name", &domain));
	assert_int_equal(7, domain);
	assert_false(vifkeys_parse_name("/local/domain/name", &domain));
	assert_false(vifkeys_parse_name("/local/domain/7/names", &domain));
	assert_false(vifkeys_parse_name("backend/vif/7/0", &domain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vif_steps_by_the_table),
		cmocka_unit_test(test_vif_never_forgets_a_guard),
		cmocka_unit_test(test_vifkeys_take_what_is_right),
		cmocka_unit_test(test_vifkeys_refuse_the_rest),
		cmocka_unit_test(test_vifkeys_know_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
