/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flowtable/packet_meta.h"
#include "shaper/media.h"

static bool send(struct media *media, uint32_t ssrc, uint16_t seq)
{
	struct packet_meta meta = { .rtp_ssrc = ssrc, .rtp_seq = seq };

	media_sent(media, &meta);
	return media_is_stream(media);
}

static void test_media_is_a_stream_from_the_third_in_sequence(void **state)
{
	struct media media = { 0 };

	(void)state;
	assert_false(send(&media, 7, 65534));
	assert_false(send(&media, 7, 65535));
	assert_true(send(&media, 7, 0));
	assert_true(send(&media, 7, 1));
}

static void test_media_begins_anew_when_the_sequence_breaks(void **state)
{
	static const struct {
		uint32_t ssrc;
		uint16_t seq;
	} breaks[] = {
		{ 7, 4 }, /* one is missing */
		{ 7, 2 }, /* the same again */
		{ 8, 3 }, /* another source */
		{ 0, 0 }, /* no RTP */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		struct media media = { 0 };

		for (uint16_t seq = 0; seq < 3; seq++)
			send(&media, 7, seq);
		assert_true(media_is_stream(&media));
		assert_false(send(&media, breaks[i].ssrc, breaks[i].seq));
	}
}

static void test_media_is_never_a_stream_without_rtp(void **state)
{
	struct media media = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_false(send(&media, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_media_is_a_stream_from_the_third_in_sequence),
		cmocka_unit_test(
			test_media_begins_anew_when_the_sequence_breaks),
		cmocka_unit_test(test_media_is_never_a_stream_without_rtp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
