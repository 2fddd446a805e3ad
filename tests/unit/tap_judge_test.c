/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/pump_bed.h"
#include "xen-hooks/tap_judge.h"

#define MS UINT64_C(1000000)

/* A carrier that has nothing to say but that it is there. */
struct carrier {
	bool is_full;
	enum tap_mode asked; /* TAP_MODES: nothing yet */
	struct tapmessage says;
};

static void wake(void *self)
{
	(void)self;
}

static int hear(void *self, const uint8_t *bytes, size_t count)
{
	struct carrier *carrier = self;
	struct tapmessage message;

	if (carrier->is_full)
		return -EAGAIN;
	assert_int_equal(tapmessage_read(bytes, count, &message), count);
	if (message.kind == TAPMESSAGE_HELLO || message.kind == TAPMESSAGE_MODE)
		carrier->asked = message.hello.mode;
	return 0;
}

static bool has_room(void *self, size_t bytes)
{
	(void)bytes;
	return !((const struct carrier *)self)->is_full;
}

static ssize_t speak(void *self, uint8_t *ret_bytes, size_t room)
{
	struct carrier *carrier = self;
	uint8_t bytes[TAPMESSAGE_BYTES_MAX];
	size_t count;

	if (carrier->says.kind == TAPMESSAGE_KINDS)
		return 0;
	count = tapmessage_write(&carrier->says, bytes);
	assert_true(count <= room);
	memcpy(ret_bytes, bytes, count);
	carrier->says.kind = TAPMESSAGE_KINDS;
	return (ssize_t)count;
}

static void close_wire(void *self)
{
	(void)self;
}

/* What it asks for is known to the carrier in the end, however often the policy
 * is loaded meanwhile. */
static void test_tap_judge_tells_its_mode_when_there_is_room(void **state)
{
	static struct bed bed;
	struct carrier carrier = {
		.asked = TAP_MODES,
		.says = { .kind = TAPMESSAGE_HELLO,
			  .hello = { TAPMESSAGE_VERSION, TAP_OBSERVE } },
	};
	struct tapjudge_config config = {
		.wire = { &carrier, -1, wake, hear, has_room, speak,
			  close_wire },
	};
	struct policy *enforced = bed_policy("mode: enforce\n");
	struct policy *again = bed_policy("mode: enforce\n");
	struct tapjudge *judge;
	struct datapath path;
	uint64_t now_ns = 1000 * MS;

	(void)state;
	bed_init(&bed, "mode: shadow\n");
	config.pump = bed.pump;
	config.zones = bed.zones;
	config.policy = bed.policy;
	judge = tapjudge_new(&config);
	assert_non_null(judge);
	tapjudge_datapath(judge, &path);
	assert_int_equal(path.advance(path.self, now_ns), 0);
	assert_int_equal(carrier.asked, TAP_OBSERVE);

	carrier.is_full = true;
	tapjudge_set_policy(judge, enforced);
	assert_int_equal(path.advance(path.self, now_ns += MS), 0);
	tapjudge_set_policy(judge, again);
	assert_int_equal(path.advance(path.self, now_ns += MS), 0);
	assert_int_equal(carrier.asked, TAP_OBSERVE);
	carrier.is_full = false;
	assert_int_equal(path.advance(path.self, now_ns += MS), 0);
	assert_int_equal(carrier.asked, TAP_INTERPOSE);

	tapjudge_free(judge);
	bed_fini(&bed);
	policy_free(enforced);
	policy_free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_tap_judge_tells_its_mode_when_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
