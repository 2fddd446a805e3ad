/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_refusals.h"

#include <stddef.h>

#include "shaper/io/nft_plan.h"

/* Memory of the kernel, at 100 to 200 bytes each. */
static const uint32_t SIZES[] = {
	[NFTREFUSALS_ANY] = 16384,    [NFTREFUSALS_HOST] = 16384,
	[NFTREFUSALS_PAIR] = 65536,   [NFTREFUSALS_FLOW] = 65536,
	[NFTREFUSALS_SPARED] = 65536,
};

/* Every element has its own; this one is for those that somebody else adds. */
enum { TIMEOUT_MS = 600 * 1000 };

const char *nftrefusals_set(enum nftrefusals_kind kind, bool ipv4)
{
	static const char *const NAMES[][2] = {
		[NFTREFUSALS_ANY] = { "refusing6", "refusing4" },
		[NFTREFUSALS_HOST] = { "refused_hosts6", "refused_hosts4" },
		[NFTREFUSALS_PAIR] = { "refused_pairs6", "refused_pairs4" },
		[NFTREFUSALS_FLOW] = { "refused_flows6", "refused_flows4" },
		[NFTREFUSALS_SPARED] = { "spared_pairs6", "spared_pairs4" },
	};

	return NAMES[kind][ipv4];
}

static void fields_of(enum nftrefusals_kind kind, enum nftplan_field address,
		      enum nftplan_field ret_fields[NFTPLAN_FIELDS + 1])
{
	const enum nftplan_field flow[NFTPLAN_FIELDS + 1] = {
		NFTPLAN_IFINDEX, NFTPLAN_PROTOCOL, address,
		address,         NFTPLAN_NUMBER,
	};
	const enum nftplan_field pair[NFTPLAN_FIELDS + 1] = { NFTPLAN_IFINDEX,
							      address,
							      address };
	const enum nftplan_field host[NFTPLAN_FIELDS + 1] = { NFTPLAN_IFINDEX,
							      address };
	const enum nftplan_field *fields = host;
	size_t i;

	if (kind == NFTREFUSALS_FLOW)
		fields = flow;
	if (kind == NFTREFUSALS_PAIR || kind == NFTREFUSALS_SPARED)
		fields = pair;
	for (i = 0; i <= NFTPLAN_FIELDS; i++)
		ret_fields[i] = fields[i];
}

void nftrefusals_sets(struct nftplan_table *table, bool ipv4)
{
	struct nftplan_set set = { .kind = NFTPLAN_REFUSALS,
				   .timeout_ms = TIMEOUT_MS };
	unsigned int kind;

	for (kind = 0; kind < NFTREFUSALS_KINDS; kind++) {
		set.name = nftrefusals_set(kind, ipv4);
		set.size_max = SIZES[kind];
		fields_of(kind, ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6, set.fields);
		nftplan_set(table, &set);
	}
}
