/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "shaper/io/nft_plan.h"

enum { KEY_BYTES = NFTPAIRS_PORT + NFTPAIRS_MAC + 16, MAC_BYTES = 6 };

void nftpairs_add(struct nftpairs *pairs, const char *port,
		  const uint8_t mac[6], const struct nftranges_range *range)
{
	size_t size = pairs->size ? 2 * pairs->size : 64;
	struct nftpairs_pair *list;

	if (pairs->count == pairs->size) {
		list = realloc(pairs->list, size * sizeof(*list));
		if (!list) {
			pairs->failed = true;
			return;
		}
		pairs->list = list;
		pairs->size = size;
	}
	list = &pairs->list[pairs->count++];
	memset(list, 0, sizeof(*list));
	if (port)
		memcpy(list->port, port, strnlen(port, NFTPAIRS_PORT - 1));
	if (mac)
		memcpy(list->mac, mac, MAC_BYTES);
	if (range)
		list->range = *range;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nftpairs_pair));
}

static bool is_of_another(const struct nftpairs_pair *a,
			  const struct nftpairs_pair *b)
{
	return memcmp(a->port, b->port, NFTPAIRS_PORT) != 0 ||
	       memcmp(a->mac, b->mac, NFTPAIRS_MAC) != 0;
}

void nftpairs_merge(struct nftpairs *pairs)
{
	struct nftpairs_pair *last;
	size_t kept = 0;
	size_t i;

	if (pairs->count == 0)
		return;
	qsort(pairs->list, pairs->count, sizeof(*pairs->list), compare);
	for (i = 1; i < pairs->count; i++) {
		struct nftpairs_pair *next = &pairs->list[i];

		last = &pairs->list[kept];
		if (is_of_another(last, next) ||
		    memcmp(next->range.first, last->range.last, 16) > 0) {
			pairs->list[++kept] = *next;
			continue;
		}
		if (memcmp(next->range.last, last->range.last, 16) > 0)
			memcpy(last->range.last, next->range.last, 16);
	}
	pairs->count = kept + 1;
}

bool nftpairs_are_single(const struct nftpairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (memcmp(pairs->list[i].range.first,
			   pairs->list[i].range.last, 16) != 0)
			return false;
	return true;
}

void nftpairs_fini(struct nftpairs *pairs)
{
	free(pairs->list);
}

static uint32_t lay_out(const struct nftpairs_key *key,
			const struct nftpairs_pair *pair,
			const uint8_t address[16], uint8_t *ret_bytes)
{
	uint32_t bytes = 0;

	memset(ret_bytes, 0, KEY_BYTES);
	if (key->port) {
		memcpy(ret_bytes, pair->port, NFTPAIRS_PORT);
		bytes += NFTPAIRS_PORT;
	}
	if (key->mac) {
		memcpy(ret_bytes + bytes, pair->mac, NFTPAIRS_MAC);
		/* Alone, a key is as long as its field. */
		bytes += key->port || key->address ? NFTPAIRS_MAC : MAC_BYTES;
	}
	if (key->address) {
		memcpy(ret_bytes + bytes, address + nftranges_offset(key->ipv4),
		       nftranges_bytes(key->ipv4));
		bytes += nftranges_bytes(key->ipv4);
	}
	return bytes;
}

static void set_fields(const struct nftpairs_key *key,
		       enum nftplan_field *ret_fields)
{
	if (key->port)
		*ret_fields++ = NFTPLAN_INTERFACE;
	if (key->mac)
		*ret_fields++ = NFTPLAN_MAC;
	if (key->address)
		*ret_fields++ = key->ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6;
	*ret_fields = NFTPLAN_END;
}

void nftpairs_set(const struct nftpairs *pairs, struct nftplan_table *table,
		  const char *name, const struct nftpairs_key *key)
{
	struct nftplan_set spec = { .name = name,
				    .kind = key->ranges ? NFTPLAN_RANGES
							: NFTPLAN_FIXED };
	uint8_t first[KEY_BYTES], last[KEY_BYTES];
	struct nftnl_set *set;
	uint32_t bytes;

	if (pairs->failed)
		nftplan_break(table->plan);
	set_fields(key, spec.fields);
	set = nftplan_set(table, &spec);
	for (size_t i = 0; i < pairs->count; i++) {
		const struct nftpairs_pair *pair = &pairs->list[i];

		bytes = lay_out(key, pair, pair->range.first, first);
		lay_out(key, pair, pair->range.last, last);
		nftplan_element(table, set, first, key->ranges ? last : NULL,
				bytes, NULL);
	}
}
