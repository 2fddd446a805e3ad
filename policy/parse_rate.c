/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `rate`: of every guarded host, and of one binding. */
#include "policy/draft.h"

const struct keys_entry DRAFT_RATE_KEYS[] = {
	{ .name = "packets",
	  .type = KEYS_COUNT_PER_S,
	  .min = 1,
	  .max = 100000000,
	  .zero_word = "any",
	  KEYS_FIELD(struct rate_params, pkts_per_s),
	  .help = "wire packets out, of one host; any" },
	{ .name = "bytes",
	  .type = KEYS_BYTES_PER_S,
	  .min = 1000,
	  .max = UINT64_C(12500000000),
	  .zero_word = "any",
	  KEYS_FIELD(struct rate_params, bytes_per_s),
	  .help = "the same in bytes, from the IP header on; any" },
	{ .name = "burst",
	  .type = KEYS_TIME,
	  .min = 1000000,
	  .max = 1000000000,
	  KEYS_FIELD(struct rate_params, burst_ns),
	  .help = "as much as in this time may leave at once; 100ms" },
	{ 0 },
};

bool draft_read_rate(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	struct draft *draft = into;

	return keys_read(reader, node, DRAFT_RATE_KEYS, &draft->policy.rate);
}
