/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sim/link.h"
#include "tests/check_row.h"
#include "tests/link_invariants.h"
#include "tests/link_samples.h"

#define CHECK_EQ(want, got) CHECK_ROW(sample->name, want, got)

static void check_addresses(const struct link_sample *sample,
			    const struct packet_meta *got)
{
	static const uint8_t host4[16] = { 0, 0, 0,    0,    0,  0,  0, 0,
					   0, 0, 0xff, 0xff, 10, 20, 0, 7 };
	static const uint8_t host6[16] = { 0x20, 1, 0x0d, 0xb8, 0, 0x20, 0, 0,
					   0,    0, 0,    0,    0, 0,    0, 7 };

	CHECK_EQ(0, memcmp(sample->ethertype == 0x86dd ? host6 : host4,
			   got->ends.src, 16));
	CHECK_EQ(sample->ethertype, got->ethertype);
	CHECK_EQ(sample->vlan[0], got->vlan[0]);
	CHECK_EQ(sample->vlan[1], got->vlan[1]);
	CHECK_EQ(sample->link_group, got->link_group);
	if (sample->ethertype != 0x0806)
		CHECK_EQ(53, got->ends.dst_port);
}

static void check_sample(const struct link_sample *sample)
{
	uint8_t bytes[LINK_SAMPLE_MAX_BYTES];
	uint32_t count = link_sample_bytes(sample, bytes);
	struct packet_meta meta;
	enum packet_error error;

	CHECK_EQ(sample->status,
		 link_invariants_hold(sample->link_type, bytes, count, count,
				      &meta, &error));
	if (sample->status != LINK_PARSED)
		return;
	CHECK_EQ(sample->error, error);
	if (error == PACKET_OK)
		check_addresses(sample, &meta);
}

static void test_link_finds_the_packet_behind_each_link(void **state)
{
	(void)state;
	for (size_t i = 0; i < link_samples_count; i++)
		check_sample(&link_samples[i]);
}

/* It may say too little, but never something else. */
static void test_link_is_not_led_astray_by_a_snapped_frame(void **state)
{
	(void)state;
	for (size_t i = 0; i < link_samples_count; i++) {
		const struct link_sample *sample = &link_samples[i];
		uint8_t bytes[LINK_SAMPLE_MAX_BYTES];
		uint32_t count = link_sample_bytes(sample, bytes);

		for (uint32_t snap = 0; snap < count; snap++) {
			struct packet_meta meta;
			enum packet_error error;

			if (link_invariants_hold(sample->link_type, bytes, snap,
						 count, &meta,
						 &error) == LINK_PARSED &&
			    error == PACKET_OK && sample->ethertype != 0)
				check_addresses(sample, &meta);
		}
	}
}

static void test_link_keeps_the_length_on_the_wire(void **state)
{
	const struct link_sample *sample = link_samples;
	uint8_t bytes[LINK_SAMPLE_MAX_BYTES];
	uint32_t count = link_sample_bytes(sample, bytes);
	struct packet_meta meta;
	enum packet_error error;

	(void)state;
	/* A super-packet, which says 0, snapped. */
	bytes[16] = 0;
	bytes[17] = 0;
	CHECK_EQ(LINK_PARSED,
		 link_parse(1, bytes, count, 70014, &meta, &error));
	CHECK_EQ(PACKET_OK, error);
	CHECK_EQ(70000, meta.length_bytes);
	/* Less on the wire than captured is taken for as much. */
	CHECK_EQ(LINK_PARSED, link_parse(1, bytes, count, 3, &meta, &error));
	CHECK_EQ(PACKET_OK, error);
	CHECK_EQ(count - 14, meta.length_bytes);
}

static void test_link_types_have_names(void **state)
{
	static const struct {
		uint32_t link_type;
		const char *name;
	} rows[] = {
		{ 0, "NULL" },
		{ 1, "EN10MB" },
		{ 12, "RAW" },
		{ 14, "RAW" },
		{ 100, "ATM_RFC1483" },
		{ 101, "RAW" },
		{ 113, "LINUX_SLL" },
		{ 276, "LINUX_SLL2" },
		{ 220, "USB_LINUX_MMAPPED" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = link_type_name(rows[i].link_type);

		assert_non_null(name);
		assert_string_equal(rows[i].name, name);
	}
	assert_null(link_type_name(0xffffffff));
	assert_null(link_type_name(60000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_finds_the_packet_behind_each_link),
		cmocka_unit_test(
			test_link_is_not_led_astray_by_a_snapped_frame),
		cmocka_unit_test(test_link_keeps_the_length_on_the_wire),
		cmocka_unit_test(test_link_types_have_names),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
