/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same store: who may have written a policy, and what may be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <xenstore.h>

#include "tests/xenstore/watch_bed.h"

#define POLICY "/local/domain/0/symtap/policy"

/* Nobody else could have written its policy. */
static void test_vifwatch_reads_a_policy_of_the_tool_stacks(void **state)
{
	static const char uuid[] = POLICY
		"/00000000-0000-4000-8000-000000000007";
	struct xs_permissions perms[] = { { .id = 0 },
					  { .id = 7, .perms = XS_PERM_WRITE } };
	struct watch_bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0, *guest;
	uint64_t took_ns;

	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	watch_bed_await(bed, &bed->guards, 1);
	store_bed_put(dom0, "{way: rate}", POLICY "/7");
	took_ns = watch_bed_await(bed, &bed->guards, 2);
	assert_int_equal(POLICY_WAY_RATE, bed->last.keys.wish.way);
	print_message("a policy is heard of after %.1f ms\n",
		      (double)took_ns / (double)MS);
	store_bed_put(dom0, "guard: off", "%s", uuid);
	watch_bed_await(bed, &bed->guards, 3);
	assert_int_equal(GUEST_GUARD, bed->last.keys.wish.said);
	assert_false(bed->last.keys.wish.guarded);
	store_bed_put(dom0, "{way: rte}", "%s", uuid);
	watch_bed_await(bed, &bed->guards, 4);
	assert_int_equal(0, bed->last.keys.wish.said);
	assert_int_equal(1, bed->wrongs);
	assert_string_equal("vif 7/0: policy: line 1: way: \"rte\" is not "
			    "known; did you mean rate?",
			    vifwatch_at(bed->watch, 0)->wrong);
	store_bed_put(dom0, "{way: netback}", "%s", uuid);
	watch_bed_await(bed, &bed->guards, 5);
	assert_true(xs_set_permissions(dom0, XBT_NULL, uuid, perms, 2));
	guest = store_bed_speak(&bed->store, "dom7.sock");
	store_bed_put(guest, "guard: off", "%s", uuid);
	watch_bed_await(bed, &bed->guards, 6);
	assert_int_equal(0, bed->last.keys.wish.said);
	assert_string_equal("vif 7/0: policy: ignored, since a guest can "
			    "write it",
			    vifwatch_at(bed->watch, 0)->wrong);
	assert_false(xs_write(guest, XBT_NULL, POLICY "/7", "x", 1));
	xs_close(guest);
	assert_true(xs_rm(dom0, XBT_NULL, "/local/domain/0/symtap"));
	watch_bed_settle(bed);
	assert_string_equal("", vifwatch_at(bed->watch, 0)->wrong);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
}

/* A folder that a guest can write is as bad as the node. */
static void test_vifwatch_ignores_a_policy_in_a_guests_folder(void **state)
{
	struct xs_permissions perms[] = { { .id = 0, .perms = XS_PERM_WRITE },
					  { .id = 7 } };
	struct watch_bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0;

	store_bed_domain(&bed->store, 7);
	store_bed_put(dom0, "{way: rate}", POLICY "/7");
	assert_true(xs_set_permissions(dom0, XBT_NULL, POLICY, perms, 1));
	store_bed_vif(&bed->store, 7, "4");
	watch_bed_await(bed, &bed->guards, 1);
	assert_int_equal(0, bed->last.keys.wish.said);
	perms[0].perms = XS_PERM_NONE;
	assert_true(xs_set_permissions(dom0, XBT_NULL, POLICY, perms, 1));
	assert_true(
		xs_set_permissions(dom0, XBT_NULL, POLICY "/7", &perms[1], 1));
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	watch_bed_settle(bed);
	assert_int_equal(1, bed->guards);
	perms[1].id = 0;
	assert_true(
		xs_set_permissions(dom0, XBT_NULL, POLICY "/7", &perms[1], 1));
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	watch_bed_await(bed, &bed->guards, 2);
	assert_int_equal(POLICY_WAY_RATE, bed->last.keys.wish.way);
}

/* What symtap-xen(7) says of a driver domain, which can read no guest's name
 * and UUID. */
static void test_vifwatch_reads_policies_in_a_driver_domain(void **state)
{
	static const char *const granted[] = { "/local/domain/0/symtap",
					       POLICY };
	struct xs_permissions perms[] = { { .id = 0 },
					  { .id = 5, .perms = XS_PERM_READ } };
	struct xs_permissions own = { .id = 5 };
	struct watch_bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0, *backend;
	char path[128];

	store_bed_domain(&bed->store, 5);
	store_bed_domain(&bed->store, 7);
	store_bed_put(dom0, "5", "/local/domain/5/domid");
	assert_true(xs_set_permissions(dom0, XBT_NULL, "/local/domain/5/domid",
				       perms, 2));
	store_bed_put(dom0, "", "/local/domain/5/backend");
	assert_true(xs_set_permissions(dom0, XBT_NULL,
				       "/local/domain/5/backend", &own, 1));
	backend = store_bed_speak(&bed->store, "dom5.sock");
	store_bed_put(backend, "00:16:3e:00:00:07",
		      "/local/domain/5/backend/vif/7/0/mac");
	store_bed_put(backend, "4", "/local/domain/5/backend/vif/7/0/state");
	store_bed_put(dom0, "", POLICY);
	/* One speaks at a time. */
	xs_close(backend);
	snprintf(path, sizeof(path), "%s/dom5.sock", bed->store.folder);
	setenv("XENSTORED_PATH", path, 1);
	watch_bed_await(bed, &bed->guards, 1);
	assert_int_equal(0, bed->last.keys.wish.said);
	assert_string_equal("", bed->last.keys.name);
	for (size_t i = 0; i < 2; i++)
		assert_true(xs_set_permissions(dom0, XBT_NULL, granted[i],
					       perms, 2));
	store_bed_put(dom0, "{way: netback}", POLICY "/7");
	watch_bed_await(bed, &bed->guards, 2);
	assert_int_equal(POLICY_WAY_NETBACK, bed->last.keys.wish.way);
}

static void permit(struct watch_bed *bed, const char *path, uint32_t domain)
{
	struct xs_permissions perms[] = {
		{ .id = 0 }, { .id = domain, .perms = XS_PERM_READ }
	};

	assert_true(xs_set_permissions(bed->store.dom0, XBT_NULL, path, perms,
				       domain == 0 ? 1 : 2));
}

/* Only what is not there is gone. */
static void test_vifwatch_keeps_a_vif_that_it_cannot_read(void **state)
{
	static const char node[] = "/local/domain/5/backend/vif/7/0";
	struct watch_bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0;
	uint64_t until_ns = store_bed_now() + 20 * S, reads;
	char path[128];

	store_bed_domain(&bed->store, 5);
	store_bed_put(dom0, "5", "/local/domain/5/domid");
	permit(bed, "/local/domain/5/domid", 5);
	store_bed_put(dom0, "", "/local/domain/5/backend/vif");
	for (size_t i = 0; i < 2; i++)
		permit(bed,
		       i ? "/local/domain/5/backend/vif"
			 : "/local/domain/5/backend",
		       5);
	store_bed_put(dom0, "", "%s", node);
	permit(bed, node, 5);
	store_bed_put(dom0, "00:16:3e:00:00:07", "%s/mac", node);
	store_bed_put(dom0, "4", "%s/state", node);
	snprintf(path, sizeof(path), "%s/dom5.sock", bed->store.folder);
	setenv("XENSTORED_PATH", path, 1);
	watch_bed_await(bed, &bed->guards, 1);
	permit(bed, node, 0);
	watch_bed_await(bed, &bed->wrongs, 1);
	assert_string_equal("vif 7/0: XenStore does not tell of it: "
			    "Permission denied",
			    vifwatch_at(bed->watch, 0)->wrong);
	/* Nobody tells, and it looks again. */
	reads = vifwatch_stats(bed->watch)->reads;
	while (vifwatch_stats(bed->watch)->reads < reads + 2 &&
	       store_bed_now() < until_ns)
		watch_bed_step(bed, until_ns);
	assert_true(vifwatch_stats(bed->watch)->reads >= reads + 2);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
	assert_int_equal(0, bed->drains);
	permit(bed, node, 5);
	store_bed_put(dom0, "10.9.0.7", "%s/ip", node);
	watch_bed_await(bed, &bed->guards, 2);
	assert_string_equal("", vifwatch_at(bed->watch, 0)->wrong);
	assert_true(xs_rm(dom0, XBT_NULL, node));
	watch_bed_await(bed, &bed->drains, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_vifwatch_reads_a_policy_of_the_tool_stacks,
			watch_bed_open, watch_bed_close),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_ignores_a_policy_in_a_guests_folder,
			watch_bed_open, watch_bed_close),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_reads_policies_in_a_driver_domain,
			watch_bed_open, watch_bed_close),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_keeps_a_vif_that_it_cannot_read,
			watch_bed_open, watch_bed_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
