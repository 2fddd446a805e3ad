/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against Debian's real xenstored, without a hypervisor: see hypervisor.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "tests/xenstore/store_bed.h"
#include "xen-hooks/store.h"
#include "xen-hooks/vif_watch.h"

#define POLICY "/local/domain/0/symtap/policy"

enum {
	MANY = 300,
	QUESTIONS = 8,   /* about each of them */
	FOUND_PCT = 120, /* of the time that so many questions take */
};

struct bed {
	struct store_bed store;
	struct vifwatch *watch;
	bool answers; /* at once: the guard is in place, nothing is held */
	bool has_interfaces;
	uint32_t guards, drains, wrongs, seen;
	struct vifwatch_vif last;
};

/* ------ the owner */

static void on_action(void *self, const struct vifwatch_vif *vif,
		      enum vif_action action)
{
	struct bed *bed = self;

	if (action == VIF_DO_EXPECT)
		return;
	bed->last = *vif;
	if (action == VIF_DO_GUARD)
		bed->guards++;
	else
		bed->drains++;
	if (bed->answers)
		vifwatch_done(
			bed->watch, vif->keys.domain, vif->keys.handle,
			action == VIF_DO_GUARD ? VIF_GUARDED : VIF_DRAINED, "");
}

static void on_wrong(void *self, const char *wrong)
{
	struct bed *bed = self;

	(void)wrong;
	bed->wrongs++;
}

static void on_seen(void *self, const struct vifwatch_vif *vif)
{
	struct bed *bed = self;

	(void)vif;
	bed->seen++;
}

static bool has_interface(void *self, const char *name)
{
	const struct bed *bed = self;

	(void)name;
	return bed->has_interfaces;
}

static void step(struct bed *bed, uint64_t until_ns)
{
	struct pollfd ready = { .fd = vifwatch_fd(bed->watch),
				.events = POLLIN };
	uint64_t at_ns = store_bed_now(),
		 next_ns = vifwatch_next_ns(bed->watch);

	if (next_ns > until_ns)
		next_ns = until_ns;
	poll(&ready, 1, next_ns > at_ns ? (int)((next_ns - at_ns) / MS) : 0);
	vifwatch_advance(bed->watch, store_bed_now());
}

/* How long it took. */
static uint64_t await(struct bed *bed, const uint32_t *count, uint32_t wanted)
{
	uint64_t begin_ns = store_bed_now(), until_ns = begin_ns + 20 * S;

	while (*count < wanted && store_bed_now() < until_ns)
		step(bed, until_ns);
	assert_int_equal(wanted, *count);
	return store_bed_now() - begin_ns;
}

/* Long enough for whatever was written to be heard of. */
static void settle(struct bed *bed)
{
	uint64_t events = vifwatch_stats(bed->watch)->events;
	uint64_t until_ns = store_bed_now() + 20 * S;

	store_bed_put(bed->store.dom0, "",
		      "/local/domain/0/backend/vif/settled");
	while (vifwatch_stats(bed->watch)->events == events &&
	       store_bed_now() < until_ns)
		step(bed, until_ns);
	while (vifwatch_next_ns(bed->watch) == 0)
		step(bed, until_ns);
}

static struct vifwatch_owner owner_of(struct bed *bed)
{
	return (struct vifwatch_owner){
		.on_action = on_action,
		.on_wrong = on_wrong,
		.on_seen = on_seen,
		.has_interface = has_interface,
		.self = bed,
	};
}

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	const struct vifwatch_owner owner = owner_of(bed);

	bed->answers = true;
	bed->has_interfaces = true;
	store_bed_open(&bed->store);
	bed->watch = vifwatch_new(&owner);
	*state = bed;
	return bed->watch == NULL;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	vifwatch_free(bed->watch);
	store_bed_close(&bed->store);
	free(bed);
	return 0;
}

/* ------ tests */

static void test_vifwatch_guards_a_vif_that_connects(void **state)
{
	struct bed *bed = *state;
	const struct vifkeys *keys = &bed->last.keys;
	uint64_t took_ns;

	settle(bed);
	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "2");
	settle(bed);
	assert_int_equal(0, bed->guards);
	assert_int_equal(1, vifwatch_stats(bed->watch)->vifs);
	assert_int_equal(VIF_ATTACHING, vifwatch_at(bed->watch, 0)->state);
	store_bed_key(&bed->store, 7, "state", "4");
	took_ns = await(bed, &bed->guards, 1);
	print_message("noticed after %.1f ms\n", (double)took_ns / (double)MS);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
	assert_int_equal(7, keys->domain);
	assert_string_equal("vif7.0", keys->interface);
	assert_string_equal("guest7", keys->name);
	assert_string_equal("00000000-0000-4000-8000-000000000007", keys->uuid);
	assert_string_equal("xenbr0", keys->bridge);
	assert_true(keys->has_mac);
	assert_int_equal(7, keys->mac[5]);
	assert_int_equal(2, keys->addresses_count);
	assert_int_equal(128, keys->addresses[0].length);
}

static void test_vifwatch_renews_and_lets_go(void **state)
{
	struct bed *bed = *state;

	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 1);
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	settle(bed);
	assert_int_equal(1, bed->guards);
	store_bed_key(&bed->store, 7, "ip", "10.9.0.99");
	await(bed, &bed->guards, 2);
	assert_int_equal(1, bed->last.keys.addresses_count);
	store_bed_key(&bed->store, 7, "state", "5");
	await(bed, &bed->drains, 1);
	assert_true(xs_rm(bed->store.dom0, XBT_NULL,
			  "/local/domain/0/backend/vif/7"));
	settle(bed);
	assert_int_equal(0, vifwatch_stats(bed->watch)->vifs);
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 3);
	assert_int_equal(1, bed->drains);
}

/* It came back before all was released. */
static void test_vifwatch_waits_until_it_is_drained(void **state)
{
	struct bed *bed = *state;

	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 1);
	bed->answers = false;
	store_bed_key(&bed->store, 7, "state", "6");
	await(bed, &bed->drains, 1);
	store_bed_key(&bed->store, 7, "state", "4");
	settle(bed);
	assert_int_equal(1, bed->guards);
	assert_int_equal(VIF_DRAINING, vifwatch_at(bed->watch, 0)->state);
	bed->answers = true;
	vifwatch_done(bed->watch, 7, 0, VIF_DRAINED, "");
	await(bed, &bed->guards, 2);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
}

static void test_vifwatch_does_not_trust_the_guest(void **state)
{
	static const char *const values[] = { "0",    "-1", "65537", "4x",
					      "",     " 4", "\xff",  "99999999",
					      "0x10", "4 4" };
	struct bed *bed = *state;
	struct xs_handle *guest;

	store_bed_domain(&bed->store, 7);
	guest = store_bed_speak(&bed->store, "dom7.sock");
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 1);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		store_bed_put(guest, values[i],
			      "device/vif/0/multi-queue-num-queues");
		store_bed_key(&bed->store, 7, "hotplug-status", values[i]);
	}
	settle(bed);
	assert_int_equal(1, bed->guards);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
	assert_true(vifwatch_stats(bed->watch)->wrong > 0);
	store_bed_put(guest, "4", "device/vif/0/multi-queue-num-queues");
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	await(bed, &bed->guards, 2);
	assert_int_equal(4, bed->last.keys.queues);
	assert_false(xs_write(guest, XBT_NULL,
			      "/local/domain/0/backend/vif/7/0/mac", "x", 1));
	xs_close(guest);
}

static void test_vifwatch_keeps_a_guard_when_a_key_is_wrong(void **state)
{
	struct bed *bed = *state;

	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 1);
	store_bed_key(&bed->store, 7, "mac", "01:00:5e:00:00:01");
	settle(bed);
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	settle(bed);
	assert_int_equal(1, bed->wrongs);
	assert_int_equal(1, bed->guards);
	assert_int_equal(0, bed->drains);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
	assert_string_equal("vif 7/0: mac: not six pairs of hexadecimal "
			    "digits, no group",
			    vifwatch_at(bed->watch, 0)->wrong);
	store_bed_domain(&bed->store, 8);
	store_bed_vif(&bed->store, 8, "2");
	store_bed_key(&bed->store, 8, "ip", "10.9.0.8 10.9.0.300");
	store_bed_key(&bed->store, 8, "state", "4");
	settle(bed);
	assert_int_equal(1, bed->guards);
	store_bed_key(&bed->store, 8, "ip", "10.9.0.8 10.9.0.30");
	await(bed, &bed->guards, 2);
}

static void test_vifwatch_waits_for_the_interface(void **state)
{
	struct bed *bed = *state;

	bed->has_interfaces = false;
	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	settle(bed);
	assert_int_equal(0, bed->guards);
	bed->has_interfaces = true;
	await(bed, &bed->guards, 1);
}

/* Nobody else could have written its policy. */
static void test_vifwatch_reads_a_policy_of_the_tool_stacks(void **state)
{
	static const char uuid[] = POLICY
		"/00000000-0000-4000-8000-000000000007";
	struct xs_permissions perms[] = { { .id = 0 },
					  { .id = 7, .perms = XS_PERM_WRITE } };
	struct bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0, *guest;
	uint64_t took_ns;

	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 1);
	store_bed_put(dom0, "{way: rate}", POLICY "/7");
	took_ns = await(bed, &bed->guards, 2);
	assert_int_equal(POLICY_WAY_RATE, bed->last.keys.wish.way);
	print_message("a policy is heard of after %.1f ms\n",
		      (double)took_ns / (double)MS);
	store_bed_put(dom0, "guard: off", "%s", uuid);
	await(bed, &bed->guards, 3);
	assert_int_equal(GUEST_GUARD, bed->last.keys.wish.said);
	assert_false(bed->last.keys.wish.guarded);
	store_bed_put(dom0, "{way: rte}", "%s", uuid);
	await(bed, &bed->guards, 4);
	assert_int_equal(0, bed->last.keys.wish.said);
	assert_int_equal(1, bed->wrongs);
	assert_string_equal("vif 7/0: policy: line 1: way: \"rte\" is not "
			    "known; did you mean rate?",
			    vifwatch_at(bed->watch, 0)->wrong);
	store_bed_put(dom0, "{way: netback}", "%s", uuid);
	await(bed, &bed->guards, 5);
	assert_true(xs_set_permissions(dom0, XBT_NULL, uuid, perms, 2));
	guest = store_bed_speak(&bed->store, "dom7.sock");
	store_bed_put(guest, "guard: off", "%s", uuid);
	await(bed, &bed->guards, 6);
	assert_int_equal(0, bed->last.keys.wish.said);
	assert_string_equal("vif 7/0: policy: ignored, since a guest can "
			    "write it",
			    vifwatch_at(bed->watch, 0)->wrong);
	assert_false(xs_write(guest, XBT_NULL, POLICY "/7", "x", 1));
	xs_close(guest);
	assert_true(xs_rm(dom0, XBT_NULL, "/local/domain/0/symtap"));
	settle(bed);
	assert_string_equal("", vifwatch_at(bed->watch, 0)->wrong);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
}

/* A folder that a guest can write is as bad as the node. */
static void test_vifwatch_ignores_a_policy_in_a_guests_folder(void **state)
{
	struct xs_permissions perms[] = { { .id = 0, .perms = XS_PERM_WRITE },
					  { .id = 7 } };
	struct bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0;

	store_bed_domain(&bed->store, 7);
	store_bed_put(dom0, "{way: rate}", POLICY "/7");
	assert_true(xs_set_permissions(dom0, XBT_NULL, POLICY, perms, 1));
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->guards, 1);
	assert_int_equal(0, bed->last.keys.wish.said);
	perms[0].perms = XS_PERM_NONE;
	assert_true(xs_set_permissions(dom0, XBT_NULL, POLICY, perms, 1));
	assert_true(
		xs_set_permissions(dom0, XBT_NULL, POLICY "/7", &perms[1], 1));
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	settle(bed);
	assert_int_equal(1, bed->guards);
	perms[1].id = 0;
	assert_true(
		xs_set_permissions(dom0, XBT_NULL, POLICY "/7", &perms[1], 1));
	store_bed_key(&bed->store, 7, "hotplug-status", "connected");
	await(bed, &bed->guards, 2);
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
	struct bed *bed = *state;
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
	await(bed, &bed->guards, 1);
	assert_int_equal(0, bed->last.keys.wish.said);
	assert_string_equal("", bed->last.keys.name);
	for (size_t i = 0; i < 2; i++)
		assert_true(xs_set_permissions(dom0, XBT_NULL, granted[i],
					       perms, 2));
	store_bed_put(dom0, "{way: netback}", POLICY "/7");
	await(bed, &bed->guards, 2);
	assert_int_equal(POLICY_WAY_NETBACK, bed->last.keys.wish.way);
}

static void permit(struct bed *bed, const char *path, uint32_t domain)
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
	struct bed *bed = *state;
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
	await(bed, &bed->guards, 1);
	permit(bed, node, 0);
	await(bed, &bed->wrongs, 1);
	assert_string_equal("vif 7/0: XenStore does not tell of it: "
			    "Permission denied",
			    vifwatch_at(bed->watch, 0)->wrong);
	/* Nobody tells, and it looks again. */
	reads = vifwatch_stats(bed->watch)->reads;
	while (vifwatch_stats(bed->watch)->reads < reads + 2 &&
	       store_bed_now() < until_ns)
		step(bed, until_ns);
	assert_true(vifwatch_stats(bed->watch)->reads >= reads + 2);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
	assert_int_equal(0, bed->drains);
	permit(bed, node, 5);
	store_bed_put(dom0, "10.9.0.7", "%s/ip", node);
	await(bed, &bed->guards, 2);
	assert_string_equal("", vifwatch_at(bed->watch, 0)->wrong);
	assert_true(xs_rm(dom0, XBT_NULL, node));
	await(bed, &bed->drains, 1);
}

static void test_vifwatch_guards_early_for_a_hotplug_script(void **state)
{
	struct bed *bed = *state;

	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "1");
	store_bed_key(&bed->store, 7, "symtap-hotplug", "1");
	settle(bed);
	assert_int_equal(0, bed->guards);
	store_bed_key(&bed->store, 7, "state", "2");
	await(bed, &bed->guards, 1);
	store_bed_key(&bed->store, 7, "state", "4");
	settle(bed);
	assert_int_equal(1, bed->guards);
	assert_int_equal(VIF_ACTIVE, vifwatch_at(bed->watch, 0)->state);
	store_bed_key(&bed->store, 7, "state", "6");
	await(bed, &bed->drains, 1);
	store_bed_key(&bed->store, 7, "state", "2");
	await(bed, &bed->guards, 2);
}

static void test_vifwatch_lives_through_the_end_of_xenstored(void **state)
{
	struct bed *bed = *state;
	uint64_t until_ns = store_bed_now() + 20 * S;

	store_bed_domain(&bed->store, 7);
	store_bed_domain(&bed->store, 8);
	store_bed_vif(&bed->store, 7, "4");
	store_bed_vif(&bed->store, 8, "4");
	await(bed, &bed->guards, 2);
	store_bed_stop(&bed->store);
	while (vifwatch_stats(bed->watch)->connected &&
	       store_bed_now() < until_ns)
		step(bed, until_ns);
	assert_false(vifwatch_stats(bed->watch)->connected);
	assert_int_equal(-1, vifwatch_fd(bed->watch));
	assert_int_equal(2, vifwatch_stats(bed->watch)->vifs);
	store_bed_start(&bed->store);
	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	await(bed, &bed->drains, 1);
	assert_int_equal(8, bed->last.keys.domain);
	assert_int_equal(2, bed->guards);
	assert_int_equal(1, vifwatch_stats(bed->watch)->reconnects);
	settle(bed);
	assert_int_equal(1, vifwatch_stats(bed->watch)->vifs);
}

static void test_vifwatch_has_hundreds(void **state)
{
	struct bed *bed = *state;
	uint64_t took_ns;

	for (uint32_t id = 1; id <= MANY; id++) {
		store_bed_domain(&bed->store, id);
		store_bed_vif(&bed->store, id, "4");
	}
	await(bed, &bed->guards, MANY);
	store_bed_key(&bed->store, 5, "ip", "10.9.9.9");
	took_ns = await(bed, &bed->guards, MANY + 1);
	print_message("one of them renewed after %.1f ms\n",
		      (double)took_ns / (double)MS);
	assert_true(xs_rm(bed->store.dom0, XBT_NULL,
			  "/local/domain/0/backend/vif"));
	took_ns = await(bed, &bed->drains, MANY);
	print_message("all gone after %.1f ms\n", (double)took_ns / (double)MS);
	settle(bed);
	assert_int_equal(0, vifwatch_stats(bed->watch)->vifs);
}

/* How long xenstored takes to answer as many questions as it is asked about
 * all, by who hears of changes as well. */
static uint64_t questions_ns(struct xs_handle *asks)
{
	uint64_t begin_ns = store_bed_now();

	for (uint32_t i = 0; i < MANY * QUESTIONS; i++) {
		char path[128];

		snprintf(path, sizeof(path),
			 "/local/domain/0/backend/vif/%u/0/ip", 1 + i % MANY);
		free(xs_read(asks, XBT_NULL, path, NULL));
	}
	return store_bed_now() - begin_ns;
}

/* Started anew; the best of many rounds, since others may be busy. */
static void test_vifwatch_finds_hundreds_again(void **state)
{
	struct bed *bed = *state;
	struct xs_handle *asks = store_bed_speak(&bed->store, "socket");
	uint64_t least_pct = UINT64_MAX;
	uint64_t until_ns = store_bed_now() + 60 * S;

	assert_true(xs_watch(asks, "/local/domain/0/nothing", "nothing"));

	for (uint32_t id = 1; id <= MANY; id++) {
		store_bed_domain(&bed->store, id);
		store_bed_vif(&bed->store, id, "4");
	}
	while (least_pct > FOUND_PCT && store_bed_now() < until_ns) {
		const struct vifwatch_owner owner = owner_of(bed);
		uint64_t took_ns, plain_ns = questions_ns(asks);

		vifwatch_free(bed->watch);
		bed->watch = vifwatch_new(&owner);
		assert_non_null(bed->watch);
		bed->guards = 0;
		took_ns = await(bed, &bed->guards, MANY);
		if (100 * took_ns / plain_ns < least_pct)
			least_pct = 100 * took_ns / plain_ns;
		print_message(
			"%d vifs found after %.1f ms, %d questions %.1f ms\n",
			MANY, (double)took_ns / (double)MS, MANY * QUESTIONS,
			(double)plain_ns / (double)MS);
	}
	xs_close(asks);
	assert_true(least_pct <= FOUND_PCT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_vifwatch_finds_hundreds_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_guards_a_vif_that_connects, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_renews_and_lets_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_waits_until_it_is_drained, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_does_not_trust_the_guest, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_keeps_a_guard_when_a_key_is_wrong, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_waits_for_the_interface, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_reads_a_policy_of_the_tool_stacks, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_ignores_a_policy_in_a_guests_folder,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_reads_policies_in_a_driver_domain, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_keeps_a_vif_that_it_cannot_read, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_guards_early_for_a_hotplug_script, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_vifwatch_lives_through_the_end_of_xenstored,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vifwatch_has_hundreds,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
