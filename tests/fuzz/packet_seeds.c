/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the packet fuzzer's seeds, one file a sample: packet_seeds FOLDER */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/packet_input.h"
#include "tests/fuzz/seed_file.h"
#include "tests/packet_samples.h"

static uint8_t choice_of(uint16_t ethertype)
{
	for (uint8_t i = 0; i < PACKET_INPUT_ETHERTYPES; i++) {
		if (packet_input_ethertypes[i] == ethertype)
			return i;
	}
	abort();
}

static void write_seed(const char *folder, const struct packet_sample *sample)
{
	uint8_t input[PACKET_INPUT_HEAD_BYTES + PACKET_SAMPLE_MAX_BYTES];
	uint32_t count =
		packet_sample_bytes(sample, input + PACKET_INPUT_HEAD_BYTES);
	uint32_t longer = 0;

	if (sample->wire_bytes > count)
		longer = sample->wire_bytes - count;
	input[0] = choice_of(sample->ethertype);
	input[1] = (uint8_t)(longer >> 16);
	input[2] = (uint8_t)(longer >> 8);
	input[3] = (uint8_t)longer;
	seed_file_write(folder, sample->name, input,
			PACKET_INPUT_HEAD_BYTES + count);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: packet_seeds FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < packet_samples_count; i++)
		write_seed(argv[1], &packet_samples[i]);
	return 0;
}
