/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two bytes of link type, two of how much more was on the wire, the frame. */
#include <stddef.h>
#include <stdint.h>

#include "tests/link_invariants.h"

enum { HEAD_BYTES = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
	struct packet_meta meta;
	enum packet_error error;
	uint32_t captured_bytes;

	if (count < HEAD_BYTES || count > UINT16_MAX)
		return 0;
	captured_bytes = (uint32_t)(count - HEAD_BYTES);
	link_invariants_hold((uint32_t)input[0] << 8 | input[1],
			     input + HEAD_BYTES, captured_bytes,
			     captured_bytes +
				     ((uint32_t)input[2] << 8 | input[3]),
			     &meta, &error);
	return 0;
}
