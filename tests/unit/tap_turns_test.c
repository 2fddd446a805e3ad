/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits while the judge has not read: see tap_turns.h. */
#include <poll.h>
#include <string.h>

#include "tests/unit/tap_bed.h"

enum { BUSY = 1, QUIET = 2, ACK = 0x10, FIRST_ID = 1 };

static bool is_behind_now;
static size_t unread_now;

static size_t unread_bytes(void *self)
{
	(void)self;
	return is_behind_now ? UINT32_MAX : unread_now;
}

static void be_behind(struct tapwire *wire)
{
	wire->unread_bytes = unread_bytes;
}

static void bed_init_by(struct bed *bed, void (*change)(struct tapwire *))
{
	bed_init(bed, TAP_INTERPOSE, false);
	tapcarrier_lose(bed->carrier);
	bed->judge.close(bed->judge.self);
	connect_by(bed, change);
	say_mode(bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	is_behind_now = true;
}

/* Of UDP, from one host to one that its last byte tells apart. */
static void offer_udp(struct bed *bed, uint64_t token, uint8_t to,
		      const char *in)
{
	uint8_t packet[28] = { 0x45, 0, 0, 28,  0, 0, 0,  0, 64, 17, 0,  0, 10,
			       0,    0, 1, 192, 0, 2, to, 4, 0,  0,  53, 0, 8 };

	/* What tells them apart, since the judge is not told the token. */
	packet[5] = (uint8_t)token;
	offer_by(bed, token, packet, sizeof(packet), in);
}

/* The token of the next that the judge is asked about; -1: of nobody. */
static int asked(struct bed *bed, uint64_t *ret_id)
{
	struct tapmessage message;

	if (!hear(bed, TAPMESSAGE_PACKET, &message))
		return -1;
	*ret_id = message.packet.id;
	return message.bytes[5];
}

static void read_all(struct bed *bed)
{
	is_behind_now = false;
	ask_all(bed);
}

static void test_tap_who_sends_little_has_his_turn_soon(void **state)
{
	enum { MUCH = 20, LITTLE = 30, OTHERS = 40 };
	int at[64], said = 0, token;
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_behind);
	for (uint64_t i = 0; i < MUCH; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	for (uint64_t i = 0; i < 2; i++)
		offer_udp(&bed, LITTLE + i, QUIET, "vif1.0");
	for (uint64_t i = 0; i < 2; i++)
		offer_udp(&bed, OTHERS + i, BUSY, "vif2.0");
	assert_int_equal(asked(&bed, &id), -1);
	assert_int_equal(tapcarrier_events(bed.carrier), POLLIN | POLLOUT);
	read_all(&bed);
	assert_int_equal(tapcarrier_events(bed.carrier), POLLIN);
	while ((token = asked(&bed, &id)) >= 0)
		at[token] = said++;
	assert_int_equal(said, MUCH + 4);
	/* Another guest has every second turn, and a pair of the same one each
	 * second of the others. */
	assert_true(at[OTHERS] < 2 && at[OTHERS + 1] < 4);
	assert_true(at[LITTLE] < 4 && at[LITTLE + 1] < 8);
	/* And nobody overtakes himself. */
	for (int i = 1; i < MUCH; i++)
		assert_true(at[i] > at[i - 1]);
	assert_true(at[LITTLE + 1] > at[LITTLE]);
	assert_int_equal(counter(&bed, TAPCARRIER_asked_pkts), MUCH + 4);
	bed_fini(&bed);
}

/* Even if the judge reads at once: what came meanwhile has its turn. */
static void test_tap_the_owner_reads_on_between_questions(void **state)
{
	enum { MUCH = 40 };
	int place = 0, token;
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_behind);
	is_behind_now = false;
	for (uint64_t i = 0; i < MUCH; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	offer_udp(&bed, MUCH, QUIET, "vif1.0");
	assert_true(tapcarrier_next_ns(bed.carrier) <= bed.now_ns);
	ask_all(&bed);
	while ((token = asked(&bed, &id)) >= 0 && token < MUCH)
		place++;
	assert_int_equal(token, MUCH);
	assert_true(place < MUCH / 2);
	bed_fini(&bed);
}

/* There may always be some unread of who went unasked. */
static void test_tap_only_questions_are_too_many_to_be_unread(void **state)
{
	enum { MANY = 30 };
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_behind);
	is_behind_now = false;
	for (uint64_t i = 0; i < MANY; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	ask_all(&bed);
	/* The last is unread, all of it. */
	unread_now = 100;
	offer_udp(&bed, MANY, BUSY, "vif1.0");
	for (int i = 0; i <= MANY; i++)
		assert_int_equal(asked(&bed, &id), i);
	/* So many are. */
	unread_now = 12 * 100;
	offer_udp(&bed, MANY + 1, BUSY, "vif1.0");
	assert_int_equal(asked(&bed, &id), -1);
	unread_now = 0;
	bed_fini(&bed);
}

static void test_tap_who_has_the_most_makes_room(void **state)
{
	enum { MUCH = WAITING - 2, LITTLE = 5 };
	struct bed bed;
	uint64_t id = 0;
	int token;

	(void)state;
	bed_init_by(&bed, be_behind);
	for (uint64_t i = 0; i < MUCH; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	for (uint64_t i = 0; i < LITTLE; i++)
		offer_udp(&bed, MUCH + i, QUIET, "vif1.0");
	assert_true(tapcarrier_has_room(bed.carrier));
	assert_int_equal(counter(&bed, TAPCARRIER_crowded_pkts), 3);
	assert_int_equal(bed.verdicts_count, 3);
	for (uint64_t i = MUCH - 3; i < MUCH; i++)
		assert_int_equal(bed.verdicts[i], TAP_DROP);
	read_all(&bed);
	/* What the judge has is not to be taken from him. */
	assert_false(tapcarrier_has_room(bed.carrier));
	offer_udp(&bed, 200, QUIET, "vif1.0");
	assert_int_equal(counter(&bed, TAPCARRIER_full_pkts), 1);
	while ((token = asked(&bed, &id)) >= 0)
		say_verdict(&bed, id, TAP_PASS);
	for (uint64_t i = 0; i < LITTLE; i++)
		assert_int_equal(bed.verdicts[MUCH + i], TAP_PASS);
	bed_fini(&bed);
}

static void say_lease(struct bed *bed, uint64_t id, uint32_t lease_pkts)
{
	const struct tapmessage message = {
		.kind = TAPMESSAGE_VERDICT,
		.verdict = { .id = id, .lease_pkts = lease_pkts },
	};

	say(bed, &message);
}

/* Who follows one that makes room has nobody before him. */
static void test_tap_who_follows_goes_when_room_was_made(void **state)
{
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_behind);
	is_behind_now = false;
	offer_udp(&bed, 0, BUSY, "vif1.0");
	is_behind_now = true;
	for (uint64_t i = 1; i < WAITING; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	assert_int_equal(asked(&bed, &id), 0);
	/* Its lease is for those behind them: they follow. */
	say_lease(&bed, id, PACKETS);
	assert_int_equal(bed.verdicts_count, 1);
	offer_udp(&bed, WAITING, BUSY, "vif1.0");
	assert_int_equal(bed.verdicts_count, 1);
	for (uint64_t i = 1; i < WAITING; i++)
		offer_udp(&bed, WAITING + i, BUSY, "vif1.0");
	/* Each took the place of the newest that was to be asked about. */
	assert_int_equal(counter(&bed, TAPCARRIER_crowded_pkts), WAITING - 1);
	for (uint64_t i = 1; i < WAITING; i++)
		assert_int_equal(bed.verdicts[i], TAP_DROP);
	for (uint64_t i = 0; i < WAITING; i++)
		assert_int_equal(bed.verdicts[WAITING + i], TAP_PASS);
	bed_fini(&bed);
}

/* The judge would drop them, too. */
static void test_tap_who_is_refused_meanwhile_has_no_turn(void **state)
{
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_behind);
	is_behind_now = false;
	for (uint64_t i = 0; i < 6; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	is_behind_now = true;
	for (uint64_t i = 6; i < 10; i++)
		offer_udp(&bed, i, BUSY, "vif1.0");
	offer_udp(&bed, 10, QUIET, "vif1.0");
	for (int i = 0; i < 6; i++)
		assert_int_equal(asked(&bed, &id), i);
	say_verdict(&bed, id, TAP_DROP);
	read_all(&bed);
	assert_int_equal(asked(&bed, &id), 10);
	assert_int_equal(asked(&bed, &id), -1);
	assert_int_equal(counter(&bed, TAPCARRIER_refused_pkts), 4);
	for (uint64_t i = 5; i < 10; i++)
		assert_int_equal(bed.verdicts[i], TAP_DROP);
	assert_int_equal(bed.verdicts_count, 5);
	bed_fini(&bed);
}

/* Whatever ends the wait: nobody is asked about who has gone, and his place is
 * another's. */
static void test_tap_who_went_meanwhile_has_no_turn(void **state)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_behind);
	/* A judge may say what he was not asked. */
	offer_udp(&bed, 0, BUSY, "vif1.0");
	offer_udp(&bed, 1, BUSY, "vif1.0");
	say_verdict(&bed, (uint64_t)FIRST_ID << 32, TAP_PASS);
	assert_int_equal(bed.verdicts[0], TAP_PASS);
	assert_int_equal(bed.verdicts[1], NO_VERDICT);
	/* It is too late. */
	for (int i = 0; i < 10; i++) {
		advance(&bed, 500 * MS);
		say(&bed, &beat);
	}
	assert_int_equal(bed.verdicts[1], TAP_DROP);
	assert_int_equal(counter(&bed, TAPCARRIER_late_pkts), 1);
	/* Nobody interposes any more. */
	offer_udp(&bed, 2, BUSY, "vif1.0");
	say_mode(&bed, TAPMESSAGE_MODE, TAP_OBSERVE);
	assert_int_equal(bed.verdicts[2], TAP_PASS);
	say_mode(&bed, TAPMESSAGE_MODE, TAP_INTERPOSE);
	offer_udp(&bed, 3, BUSY, "vif1.0");
	read_all(&bed);
	assert_int_equal(asked(&bed, &id), 3);
	assert_int_equal(asked(&bed, &id), -1);
	is_behind_now = true;
	offer_udp(&bed, 4, BUSY, "vif1.0");
	bed_fini(&bed);
	assert_int_equal(bed.verdicts[4], TAP_DROP);
	assert_int_equal(bed.verdicts_count, 5);
}

static int send_nothing(void *self, const uint8_t *bytes, size_t count)
{
	(void)self;
	(void)bytes;
	(void)count;
	return -EAGAIN;
}

static void be_full(struct tapwire *wire)
{
	wire->send = send_nothing;
}

/* Although it was not behind. */
static void test_tap_a_full_wire_loses_no_question(void **state)
{
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init_by(&bed, be_full);
	offer_udp(&bed, 0, BUSY, "vif1.0");
	offer_udp(&bed, 1, BUSY, "vif1.0");
	assert_int_equal(bed.verdicts_count, 0);
	assert_int_equal(counter(&bed, TAPCARRIER_asked_pkts), 0);
	assert_int_equal(asked(&bed, &id), -1);
	bed_fini(&bed);
	assert_int_equal(bed.verdicts_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tap_who_sends_little_has_his_turn_soon),
		cmocka_unit_test(test_tap_the_owner_reads_on_between_questions),
		cmocka_unit_test(
			test_tap_only_questions_are_too_many_to_be_unread),
		cmocka_unit_test(test_tap_who_has_the_most_makes_room),
		cmocka_unit_test(test_tap_who_follows_goes_when_room_was_made),
		cmocka_unit_test(test_tap_who_is_refused_meanwhile_has_no_turn),
		cmocka_unit_test(test_tap_who_went_meanwhile_has_no_turn),
		cmocka_unit_test(test_tap_a_full_wire_loses_no_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
