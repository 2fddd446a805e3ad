/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/daemon/interfaces.h"
#include "shaper/daemon/status.h"

static void test_only_a_pure_bridge_pushes_back(void **state)
{
	static const struct {
		bool bridged;
		const char *method;
		enum interfaces_kind kind;
		bool push_back;
	} rows[] = {
		{ false, "queue", INTERFACE_TAP, false },
		{ false, "target", INTERFACE_VETH, false },
		{ true, "target", INTERFACE_TAP, false },
		{ true, "queue", INTERFACE_WIRE, false },
		{ true, "queue", INTERFACE_VETH, true },
		{ true, "queue", INTERFACE_TAP, true },
		{ true, "", INTERFACE_TAP, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(interfaces_push_back(rows[i].bridged,
						      rows[i].method,
						      rows[i].kind),
				 rows[i].push_back);
}

static void test_a_guest_waits_as_its_way_has_it(void **state)
{
	static const struct {
		struct policy_vif vif;
		bool bridged;
		const char *method;
		bool waits;
	} rows[] = {
		{ { .way = POLICY_WAY_QUEUE }, true, "queue", true },
		{ { .way = POLICY_WAY_QUEUE }, true, "target", false },
		{ { .way = POLICY_WAY_QUEUE }, false, "queue", false },
		{ { .way = POLICY_WAY_QUEUE, .is_listened = true },
		  true,
		  "queue",
		  false },
		{ { .way = POLICY_WAY_RING }, false, "target", true },
		{ { .way = POLICY_WAY_RATE }, false, "target", true },
		{ { .way = POLICY_WAY_NETBACK }, false, "target", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(rows[i].waits,
				 interfaces_guest_waits(&rows[i].vif,
							rows[i].bridged,
							rows[i].method));
}

static const struct status_interface *find(const struct status *status,
					   const char *name)
{
	size_t i;

	for (i = 0; i < status->interfaces_count; i++)
		if (strcmp(status->interfaces[i].name, name) == 0)
			return &status->interfaces[i];
	fail_msg("%s is not listed", name);
	return NULL;
}

/* In a network namespace of our own, with its own /sys. */
static void test_interfaces_of_this_machine_are_told_apart(void **state)
{
	static struct policy_prefix inside = {
		{ [10] = 0xff, [11] = 0xff, [12] = 10, [13] = 20 }, 112
	};
	static struct policy_source source = { .interface = "named0" };
	struct policy policy = { .inside = { &inside, 1 },
				 .sources = &source,
				 .sources_count = 1,
				 .nfqueue.bridge = true };
	struct status *status = calloc(1, sizeof(*status));

	(void)state;
	if (geteuid() != 0) {
		free(status);
		skip();
	}
	assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
			 0);
	assert_int_equal(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	assert_int_equal(
		system("ip link add lan0 type veth peer name wan0 && "
		       "ip addr add 10.20.0.1/16 dev lan0 && "
		       "ip tuntap add tap0 mode tap && "
		       "ip link add named0 type bridge && "
		       "{ ip link add link wan0 name upper0 type vlan id 17 || "
		       "ip link add link wan0 name upper0 type macvlan; }"),
		0);
	status->policy = &policy;
	snprintf(status->method, sizeof(status->method), "queue");
	interfaces_renew(status);
	assert_int_equal(status->interfaces_count, 5);
	assert_true(find(status, "lan0")->is_guarded);
	assert_true(find(status, "lan0")->back_pressure);
	assert_false(find(status, "wan0")->is_guarded);
	assert_true(find(status, "tap0")->back_pressure);
	assert_true(find(status, "named0")->is_guarded);
	assert_false(find(status, "named0")->back_pressure);
	assert_false(find(status, "upper0")->back_pressure);
	interfaces_renew(status);
	assert_int_equal(status->interfaces_count, 5);
	free(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_pure_bridge_pushes_back),
		cmocka_unit_test(test_a_guest_waits_as_its_way_has_it),
		cmocka_unit_test(
			test_interfaces_of_this_machine_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
