/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/packet_input.h"
#include "tests/packet_invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
	uint32_t captured_bytes, wire_bytes;

	if (count < PACKET_INPUT_HEAD_BYTES || count > UINT16_MAX)
		return 0;
	captured_bytes = (uint32_t)(count - PACKET_INPUT_HEAD_BYTES);
	wire_bytes = packet_input_wire_bytes(input, captured_bytes);
	packet_invariants_hold(
		packet_input_ethertypes[input[0] % PACKET_INPUT_ETHERTYPES],
		input + PACKET_INPUT_HEAD_BYTES, captured_bytes, wire_bytes);
	return 0;
}
