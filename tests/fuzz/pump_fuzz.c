/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any sequence of operations leaves a pump whole, see tests/pump_world.h. */
#include <stddef.h>
#include <stdint.h>

#include "tests/pump_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	if (count <= 8192)
		pump_world_run(bytes, count);
	return 0;
}
