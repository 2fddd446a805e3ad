/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list that somebody else's change interrupts is asked for again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>

#include "shaper/io/nft_flowtables.h"

static int interrupted, asked;

int __wrap_mnl_cb_run(const void *bytes, size_t count, unsigned int sequence,
		      unsigned int port, mnl_cb_t each, void *data);
int __wrap_mnl_cb_run(const void *bytes, size_t count, unsigned int sequence,
		      unsigned int port, mnl_cb_t each, void *data)
{
	(void)bytes;
	(void)count;
	(void)sequence;
	(void)port;
	(void)each;
	(void)data;
	if (asked++ >= interrupted)
		return MNL_CB_STOP;
	errno = EINTR;
	return MNL_CB_ERROR;
}

static void test_an_interrupted_list_is_asked_for_again(void **state)
{
	struct nftflowtable tables[1];
	size_t count = 7;

	(void)state;
	interrupted = 3;
	asked = 0;
	assert_int_equal(nftflowtables_list(tables, 1, &count), 0);
	assert_int_equal(asked, 4);
	assert_int_equal(count, 0);
}

static void test_one_that_always_is_is_not_known(void **state)
{
	struct nftflowtable tables[1];
	size_t count = 7;

	(void)state;
	interrupted = 1000;
	asked = 0;
	assert_int_equal(nftflowtables_list(tables, 1, &count), -EINTR);
	assert_int_equal(count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_interrupted_list_is_asked_for_again),
		cmocka_unit_test(test_one_that_always_is_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
