/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser in a program that the kernel's verifier must believe: the headers
 * copied into a map's value, which is as long as the furthest read. */
#include <linux/bpf.h>

#include "flowtable/packet.h"

#define SECTION(name) __attribute__((section(name), used))

enum { COPIED_BYTES = 128, VALUE_BYTES = PACKET_HEADERS_MAX_BYTES + 128 };

struct scratch {
	uint8_t bytes[VALUE_BYTES];
	struct packet_meta meta;
};

struct {
	int (*type)[BPF_MAP_TYPE_PERCPU_ARRAY];
	int (*max_entries)[1];
	uint32_t *key;
	struct scratch *value;
} scratch SECTION(".maps");

static void *(*lookup)(void *map,
		       const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*load_bytes)(const void *skb, uint32_t offset, void *to,
			  uint32_t count) = (void *)BPF_FUNC_skb_load_bytes;

SECTION("tc") int packet_load(struct __sk_buff *skb)
{
	uint32_t first = 0, count_bytes = skb->len;
	struct scratch *to = lookup(&scratch, &first);

	if (!to)
		return 0;
	if (count_bytes > COPIED_BYTES)
		count_bytes = COPIED_BYTES;
	if (count_bytes < 14 || load_bytes(skb, 0, to->bytes, count_bytes) != 0)
		return 0;
	return (int)packet_parse_ethernet(to->bytes, count_bytes, skb->len,
					  &to->meta);
}

char program_license[] SECTION("license") = "GPL";
