/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which addresses a MAC binding makes one host. */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_handle.h"

static int compare_all(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nfthandle_bound));
}

/* Prefixes are left out: the kernel's set of hosts has addresses. */
static size_t collect(const struct policy *policy,
		      struct nfthandle_bound *ret_bound)
{
	size_t count = 0;
	size_t i, j;

	for (i = 0; i < policy->bindings_count; i++) {
		const struct policy_prefixes *all =
			&policy->bindings[i].addresses;

		for (j = 0; j < all->count; j++) {
			if (all->list[j].length != 128)
				continue;
			memcpy(ret_bound[count].host, all->list[0].addr, 16);
			memcpy(ret_bound[count].address, all->list[j].addr, 16);
			count++;
		}
	}
	return count;
}

struct nfthandle_bound *nfthandle_find_hosts(const struct policy *policy,
					     size_t *ret_count)
{
	struct nfthandle_bound *bound;
	size_t count = 0;
	size_t i;

	for (i = 0; i < policy->bindings_count; i++)
		count += policy->bindings[i].addresses.count;
	bound = calloc(count + 1, sizeof(*bound));
	if (!bound)
		return NULL;
	*ret_count = collect(policy, bound);
	qsort(bound, *ret_count, sizeof(*bound), compare_all);
	return bound;
}

const struct nfthandle_bound *nfthandle_addresses(const struct nftrules *rules,
						  const uint8_t host[16],
						  size_t *ret_count)
{
	size_t low = 0, high = rules->bound_count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rules->bound[middle].host, host, 16) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < rules->bound_count; end++)
		if (memcmp(rules->bound[end].host, host, 16) != 0)
			break;
	*ret_count = end - low;
	return rules->bound + low;
}
