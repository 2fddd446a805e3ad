/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is published, and who can read it: in a real xenstored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "tests/xenstore/store_bed.h"
#include "xen-hooks/store.h"
#include "xen-hooks/vif_publish.h"

#define HOME "/local/domain/0/symtap/vif"

enum { MANY = 300 };

struct bed {
	struct store_bed store;
	struct store *ours;
	struct vifpublish *publish;
	uint64_t now_ns;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	store_bed_open(&bed->store);
	assert_int_equal(0, store_open(&bed->ours));
	bed->publish = vifpublish_new();
	bed->now_ns = S;
	vifpublish_begin(bed->publish);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	vifpublish_free(bed->publish);
	store_close(bed->ours);
	store_bed_close(&bed->store);
	free(bed);
	return 0;
}

/* Until nothing is left for now.  How many turns. */
static uint32_t write_all(struct bed *bed)
{
	uint32_t turns = 0;

	while (vifpublish_next_ns(bed->publish) <= bed->now_ns) {
		assert_int_equal(0, vifpublish_advance(bed->publish, bed->ours,
						       bed->now_ns));
		assert_true(++turns < 1000);
	}
	return turns;
}

/* "-": it is not there, or not for this reader. */
static void expect(struct xs_handle *reader, const char *wanted,
		   const char *path)
{
	unsigned int length;
	char *value = xs_read(reader, XBT_NULL, path, &length);

	assert_string_equal(wanted, value != NULL ? value : "-");
	free(value);
}

static void publish(struct bed *bed, uint32_t id, int32_t s_centi,
		    uint32_t held_pkts)
{
	const struct vif_figures figures = { .s_centi = s_centi,
					     .held_pkts = held_pkts,
					     .since_s = held_pkts ? 1234567890
								  : 0,
					     .way = "queue" };

	vifpublish_figures(bed->publish, id, 0, &figures);
}

static void test_vifpublish_tells_what_becomes_of_a_vif(void **state)
{
	struct bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0;

	store_bed_domain(&bed->store, 7);
	vifpublish_state(bed->publish, 7, 0, "attaching", "");
	write_all(bed);
	expect(dom0, "-", HOME "/7/0/state");
	vifpublish_state(bed->publish, 7, 0, "attaching", "no mac");
	write_all(bed);
	expect(dom0, "attaching", HOME "/7/0/state");
	expect(dom0, "no mac", HOME "/7/0/wrong");
	expect(dom0, "0.00", HOME "/7/0/S");
	expect(dom0, "0", HOME "/7/0/since");
	bed->now_ns += S;
	vifpublish_state(bed->publish, 7, 0, "active", "");
	publish(bed, 7, 258, 12);
	write_all(bed);
	expect(dom0, "held", HOME "/7/0/state");
	expect(dom0, "2.58", HOME "/7/0/S");
	expect(dom0, "12", HOME "/7/0/held");
	expect(dom0, "1234567890", HOME "/7/0/since");
	expect(dom0, "queue", HOME "/7/0/way");
	expect(dom0, "", HOME "/7/0/wrong");
	vifpublish_forget(bed->publish, 7, 0);
	write_all(bed);
	expect(dom0, "-", HOME "/7/0/state");
	expect(dom0, "-", HOME "/7");
	expect(dom0, "", HOME);
}

static void test_vifpublish_writes_once_a_second_what_changed(void **state)
{
	struct bed *bed = *state;
	const struct vifpublish_stats *stats = vifpublish_stats(bed->publish);
	uint64_t writes;

	store_bed_domain(&bed->store, 7);
	vifpublish_state(bed->publish, 7, 0, "active", "");
	write_all(bed);
	writes = stats->writes;
	for (int32_t i = 1; i <= 9; i++) {
		bed->now_ns += S / 10;
		publish(bed, 7, i, 0);
		write_all(bed);
	}
	assert_int_equal(writes, stats->writes);
	bed->now_ns += S / 10;
	write_all(bed);
	/* S, and the way that was not known yet. */
	assert_int_equal(writes + 2, stats->writes);
	expect(bed->store.dom0, "0.09", HOME "/7/0/S");
	bed->now_ns += 10 * S;
	publish(bed, 7, 9, 0);
	write_all(bed);
	assert_int_equal(writes + 2, stats->writes);
}

static void test_vifpublish_shows_a_guest_its_own_state_only(void **state)
{
	static const char *const shown[] = { "state", "S", "held", "since" };
	static const char *const hidden[] = { "way", "wrong" };
	struct bed *bed = *state;
	struct xs_handle *guest;
	unsigned int count;
	char path[128];

	store_bed_domain(&bed->store, 7);
	store_bed_domain(&bed->store, 8);
	vifpublish_state(bed->publish, 7, 0, "active", "");
	vifpublish_state(bed->publish, 8, 0, "active", "");
	publish(bed, 7, 258, 12);
	publish(bed, 8, 300, 1);
	write_all(bed);
	guest = store_bed_speak(&bed->store, "dom7.sock");
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), HOME "/7/0/%s", shown[i]);
		free(xs_read(guest, XBT_NULL, path, &count));
		assert_false(xs_write(guest, XBT_NULL, path, "0", 1));
		assert_int_equal(EACCES, errno);
		assert_false(xs_rm(guest, XBT_NULL, path));
		snprintf(path, sizeof(path), HOME "/8/0/%s", shown[i]);
		expect(guest, "-", path);
		assert_int_equal(EACCES, errno);
		/* As if there were none. */
		snprintf(path, sizeof(path), HOME "/9/0/%s", shown[i]);
		expect(guest, "-", path);
		assert_int_equal(EACCES, errno);
	}
	expect(guest, "held", HOME "/7/0/state");
	expect(guest, "2.58", HOME "/7/0/S");
	expect(guest, "12", HOME "/7/0/held");
	expect(guest, "1234567890", HOME "/7/0/since");
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), HOME "/7/0/%s", hidden[i]);
		expect(guest, "-", path);
	}
	assert_null(xs_directory(guest, XBT_NULL, HOME, &count));
	assert_null(xs_directory(guest, XBT_NULL, HOME "/7", &count));
	assert_null(xs_directory(guest, XBT_NULL, HOME "/8/0", &count));
	assert_false(xs_rm(guest, XBT_NULL, HOME "/7"));
	assert_false(xs_write(guest, XBT_NULL, HOME "/7/0/more", "x", 1));
	xs_close(guest);
}

static void test_vifpublish_removes_what_an_earlier_life_left(void **state)
{
	struct bed *bed = *state;
	struct xs_handle *dom0 = bed->store.dom0;

	store_bed_put(dom0, "held", HOME "/99/0/state");
	store_bed_put(dom0, "{}", "/local/domain/0/symtap/policy/99");
	vifpublish_state(bed->publish, 7, 0, "active", "");
	write_all(bed);
	expect(dom0, "-", HOME "/99/0/state");
	expect(dom0, "active", HOME "/7/0/state");
	expect(dom0, "{}", "/local/domain/0/symtap/policy/99");
}

static void test_vifpublish_writes_anew_after_the_end_of_xenstored(void **state)
{
	struct bed *bed = *state;

	vifpublish_state(bed->publish, 7, 0, "active", "");
	write_all(bed);
	store_bed_stop(&bed->store);
	bed->now_ns += 2 * S;
	publish(bed, 7, 1, 0);
	assert_int_equal(-ENOTCONN, vifpublish_advance(bed->publish, bed->ours,
						       bed->now_ns));
	store_close(bed->ours);
	store_bed_start(&bed->store);
	assert_int_equal(0, store_open(&bed->ours));
	vifpublish_begin(bed->publish);
	write_all(bed);
	expect(bed->store.dom0, "active", HOME "/7/0/state");
	expect(bed->store.dom0, "0.01", HOME "/7/0/S");
}

/* A driver domain may have no more nodes than its quota: others go on. */
static void test_vifpublish_tries_again_in_a_second(void **state)
{
	struct bed *bed = *state;
	const struct vifpublish_stats *stats = vifpublish_stats(bed->publish);
	struct xs_permissions perms[] = { { .id = 5, .perms = XS_PERM_NONE } };
	struct xs_handle *guest;
	char path[128];

	store_bed_domain(&bed->store, 5);
	store_bed_put(bed->store.dom0, "5", "/local/domain/5/domid");
	assert_true(xs_set_permissions(bed->store.dom0, XBT_NULL,
				       "/local/domain/5/domid", perms, 1));
	store_bed_put(bed->store.dom0, "", "/local/domain/5/symtap");
	assert_true(xs_set_permissions(bed->store.dom0, XBT_NULL,
				       "/local/domain/5/symtap", perms, 1));
	guest = store_bed_speak(&bed->store, "dom5.sock");
	xs_close(guest);
	store_close(bed->ours);
	snprintf(path, sizeof(path), "%s/dom5.sock", bed->store.folder);
	setenv("XENSTORED_PATH", path, 1);
	assert_int_equal(0, store_open(&bed->ours));
	write_all(bed);
	/* Somebody took the vif's folder for himself. */
	snprintf(path, sizeof(path), "/local/domain/5/symtap/vif/7");
	store_bed_put(bed->store.dom0, "", "%s", path);
	perms[0].id = 9;
	assert_true(
		xs_set_permissions(bed->store.dom0, XBT_NULL, path, perms, 1));
	vifpublish_state(bed->publish, 7, 0, "active", "");
	vifpublish_state(bed->publish, 8, 0, "active", "");
	write_all(bed);
	assert_int_equal(1, stats->failed);
	expect(bed->store.dom0, "active",
	       "/local/domain/5/symtap/vif/8/0/state");
	write_all(bed);
	assert_int_equal(1, stats->failed);
	assert_true(xs_rm(bed->store.dom0, XBT_NULL, path));
	bed->now_ns += S;
	write_all(bed);
	expect(bed->store.dom0, "active",
	       "/local/domain/5/symtap/vif/7/0/state");
}

static void test_vifpublish_has_hundreds(void **state)
{
	struct bed *bed = *state;
	uint64_t begin_ns;
	uint32_t turns;

	for (uint32_t id = 1; id <= MANY; id++)
		vifpublish_state(bed->publish, id, 0, "active", "");
	begin_ns = store_bed_now();
	turns = write_all(bed);
	print_message("%d vifs in %u turns, %.1f ms\n", MANY, turns,
		      (double)(store_bed_now() - begin_ns) / (double)MS);
	assert_true(turns >= MANY / VIFPUBLISH_AT_ONCE);
	bed->now_ns += S;
	for (uint32_t id = 1; id <= MANY; id++)
		publish(bed, id, (int32_t)id, 1);
	begin_ns = store_bed_now();
	turns = write_all(bed);
	print_message("all changed in %u turns, %.1f ms\n", turns,
		      (double)(store_bed_now() - begin_ns) / (double)MS);
	expect(bed->store.dom0, "3.00", HOME "/300/0/S");
	for (uint32_t id = 1; id <= MANY; id++)
		vifpublish_forget(bed->publish, id, 0);
	write_all(bed);
	expect(bed->store.dom0, "-", HOME "/300");
	expect(bed->store.dom0, "", HOME);
}

static void test_vifpublish_needs_a_home(void **state)
{
	struct bed *bed = *state;
	const struct xs_permissions all = { .perms = XS_PERM_READ };
	struct xs_permissions perms[] = { all, { .id = 5 } };
	struct xs_handle *guest;
	char path[128];

	store_bed_domain(&bed->store, 5);
	store_bed_put(bed->store.dom0, "5", "/local/domain/5/domid");
	assert_true(xs_set_permissions(bed->store.dom0, XBT_NULL,
				       "/local/domain/5/domid", &perms[0], 1));
	guest = store_bed_speak(&bed->store, "dom5.sock");
	xs_close(guest);
	store_close(bed->ours);
	snprintf(path, sizeof(path), "%s/dom5.sock", bed->store.folder);
	setenv("XENSTORED_PATH", path, 1);
	assert_int_equal(0, store_open(&bed->ours));
	vifpublish_state(bed->publish, 7, 0, "active", "");
	assert_int_equal(-EACCES, vifpublish_advance(bed->publish, bed->ours,
						     bed->now_ns));
	assert_int_equal(0, vifpublish_advance(bed->publish, bed->ours,
					       bed->now_ns));
	assert_true(vifpublish_next_ns(bed->publish) == bed->now_ns + 10 * S);
	/* The tool stack makes one for a driver domain, which runs then. */
	store_bed_put(bed->store.dom0, "", "/local/domain/5/symtap");
	assert_true(xs_set_permissions(bed->store.dom0, XBT_NULL,
				       "/local/domain/5/symtap", &perms[1], 1));
	bed->now_ns += 10 * S;
	write_all(bed);
	expect(bed->store.dom0, "active",
	       "/local/domain/5/symtap/vif/7/0/state");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_vifpublish_tells_what_becomes_of_a_vif),
		TEST(test_vifpublish_writes_once_a_second_what_changed),
		TEST(test_vifpublish_shows_a_guest_its_own_state_only),
		TEST(test_vifpublish_removes_what_an_earlier_life_left),
		TEST(test_vifpublish_writes_anew_after_the_end_of_xenstored),
		TEST(test_vifpublish_tries_again_in_a_second),
		TEST(test_vifpublish_has_hundreds),
		TEST(test_vifpublish_needs_a_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
