/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <ctype.h>

#include "tests/packet_samples.h"

static uint8_t digit(char c)
{
	assert(isxdigit((unsigned char)c));
	if (c <= '9')
		return (uint8_t)(c - '0');
	return (uint8_t)(tolower((unsigned char)c) - 'a' + 10);
}

uint32_t packet_sample_bytes(const struct packet_sample *sample,
			     uint8_t ret_bytes[PACKET_SAMPLE_MAX_BYTES])
{
	uint32_t digits = 0;

	for (const char *at = sample->hex; *at; at++) {
		uint8_t *byte = ret_bytes + digits / 2;

		if (*at == ' ')
			continue;
		assert(digits / 2 < PACKET_SAMPLE_MAX_BYTES);
		if (digits++ % 2 == 0)
			*byte = (uint8_t)(digit(*at) << 4);
		else
			*byte = (uint8_t)(*byte | digit(*at));
	}
	assert(digits % 2 == 0);
	return digits / 2;
}
