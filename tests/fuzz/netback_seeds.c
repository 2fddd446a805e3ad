/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds for the fuzzer of a guard's keys: some that make sense. */
#include <string.h>

#include "tests/fuzz/seed_file.h"
#include "xen-hooks/netback/guard_record.h"

enum { RECORDS = 12, RECORD_BYTES = 1 + sizeof(struct guard_record) };

int main(int argc, char *argv[])
{
	static uint8_t seed[RECORDS * RECORD_BYTES];

	if (argc != 2)
		return 2;
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct guard_record record = {
			.key = { .inside = { [15] = 1 },
				 .outside = { [15] = (uint8_t)(i / 4) },
				 .scope = i % 2 ? FLOW_SCOPE_PAIR
						: FLOW_SCOPE_FLOW },
			.armed_in_ns = i * 1000000,
			.releases = i,
			.runs_count = 1 + i,
		};

		for (uint32_t run = 0; run <= i; run++)
			record.runs[run] = (struct guard_run){
				.age_ns = (i - run) * 71000000,
				.sent_pkts = 10 * i,
				.heard_pkts = i % 3,
			};
		seed[i * RECORD_BYTES] = (uint8_t)i;
		memcpy(&seed[i * RECORD_BYTES + 1], &record, sizeof(record));
		seed_file_write(argv[1], "keys", seed, (i + 1) * RECORD_BYTES);
	}
	return 0;
}
