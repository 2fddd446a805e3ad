/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "sim/capture.h"
#include "tests/capture_samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

static uint32_t sum;

static void check_packet(const struct capture_packet *packet)
{
	assert(packet->captured_bytes <= 1 << 18);
	assert(packet->captured_bytes <= packet->wire_bytes);
	assert(packet->has_time || packet->time_ns == 0);
	for (uint32_t i = 0; i < packet->captured_bytes; i++)
		sum += packet->bytes[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
	enum capture_status status;
	struct capture_packet packet;
	struct capture *capture;
	uint64_t offset = 0;
	int fd;

	capture = capture_file_open(input, count, &fd);
	if (capture) {
		while ((status = capture_next(capture, &packet)) ==
		       CAPTURE_PACKET) {
			check_packet(&packet);
			assert(capture_offset(capture) > offset);
			offset = capture_offset(capture);
		}
		assert(capture_next(capture, &packet) == status);
		assert(capture_read_bytes(capture) <= count);
		assert(capture_size_bytes(capture) == count);
		assert((capture_error(capture)[0] != '\0') ==
		       (status == CAPTURE_DAMAGED));
	}
	capture_close(capture);
	close(fd);
	return 0;
}
