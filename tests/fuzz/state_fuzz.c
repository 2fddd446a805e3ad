/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a state file; then with length and checksum made right, since
 * no fuzzer finds those by itself. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"
#include "shaper/daemon/state.h"

enum { LENGTH_AT = 16, CHECK_BYTES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void read_all(const uint8_t *bytes, size_t size_bytes)
{
	struct state_reader reader;
	struct state_item item;

	if (state_open(&reader, bytes, size_bytes) != NULL)
		return;
	while (state_next(&reader, &item)) {
		if (item.kind != STATE_RECORD)
			continue;
		assert(item.record.runs_count <= PUMP_RECORD_RUNS);
		assert(item.record.key.scope < FLOW_SCOPES);
		assert(item.record.key.zone == 0);
		assert(memchr(item.zone, '\0', sizeof(item.zone)) != NULL);
	}
	assert(reader.position == size_bytes - CHECK_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static const uint8_t key[16] = "symtap state";
	uint8_t *copy;
	uint64_t sum;

	read_all(bytes, size_bytes);
	if (size_bytes < LENGTH_AT + 8 + CHECK_BYTES)
		return 0;
	copy = malloc(size_bytes);
	if (copy == NULL)
		return 0;
	memcpy(copy, bytes, size_bytes);
	memcpy(copy, "symtapst\1\0\0\0", 12);
	for (size_t i = 0; i < 8; i++)
		copy[LENGTH_AT + i] = (uint8_t)((uint64_t)size_bytes >> 8 * i);
	sum = siphash13(key, copy, size_bytes - CHECK_BYTES);
	for (size_t i = 0; i < CHECK_BYTES; i++)
		copy[size_bytes - CHECK_BYTES + i] = (uint8_t)(sum >> 8 * i);
	read_all(copy, size_bytes);
	free(copy);
	return 0;
}
