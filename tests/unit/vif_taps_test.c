/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/io/vif_taps.h"

static void test_vif_taps_are_those_who_hear_everything(void **state)
{
	static const struct {
		const char *line;
		bool is;
		uint32_t ifindex;
	} rows[] = {
		{ "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n",
		  false, 0 },
		{ "ffff8d01 3      3    0003   7     1 0      0      20714\n",
		  true, 7 },
		{ "ffff8d01 3      3    0003   0     1 0      0      20714\n",
		  true, 0 },
		{ "ffff8d01 3      3    88cc   7     1 0      0      20714\n",
		  false, 0 },
		{ "ffff8d01 3      3    0003   7     0 0      0      20714\n",
		  false, 0 },
		{ "ffff8d01 3      3    0003\n", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t ifindex = 0;

		assert_int_equal(rows[i].is,
				 viftaps_parse(rows[i].line, &ifindex));
		assert_int_equal(rows[i].ifindex, ifindex);
	}
}

static void test_vif_taps_of_all_interfaces_are_at_each(void **state)
{
	struct viftaps taps = { { 7, 9 }, 2 };

	(void)state;
	assert_true(viftaps_has(&taps, 9));
	assert_false(viftaps_has(&taps, 8));
	taps.ifindexes[taps.count++] = 0;
	assert_true(viftaps_has(&taps, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vif_taps_are_those_who_hear_everything),
		cmocka_unit_test(test_vif_taps_of_all_interfaces_are_at_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
