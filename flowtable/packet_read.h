/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_PACKET_READ_H
#define FLOWTABLE_PACKET_READ_H

/*
 * The cursor of the packet parser: a place in bytes that somebody else chose.
 * Also compiled for BPF: every offset has a constant bound that the kernel's
 * verifier can see.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_meta.h"

/* The header that follows a skipped one starts at most this far in.  Enough
 * for two tags, PPPoE and IPv6 with options; more is nobody's friend. */
enum { PACKET_HEADERS_MAX_BYTES = 512 };

/* As wide as BPF's registers: its verifier loses the bounds of less. */
struct packet_cursor {
	const uint8_t *bytes;
	uint64_t end_bytes;    /* nothing is read here or beyond */
	uint64_t offset_bytes; /* the next header; never past the end */
};

static inline uint16_t packet_u16(const uint8_t *at)
{
	return (uint16_t)((uint32_t)at[0] << 8 | at[1]);
}

static inline uint32_t packet_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

/* Are there `count` bytes from the cursor on? */
static inline bool packet_has(const struct packet_cursor *cursor,
			      uint64_t count_bytes)
{
	return count_bytes <= cursor->end_bytes - cursor->offset_bytes;
}

static inline const uint8_t *packet_at(const struct packet_cursor *cursor)
{
	return cursor->bytes + cursor->offset_bytes;
}

/*
 * BPF's verifier walks all the code that follows once for each offset that it
 * can tell apart: past its limit, after some tags or extension headers.  What
 * comes back from memory it knows nothing of, so it walks on once, for every
 * offset up to the bound.  Elsewhere there is nothing to do.
 */
#ifdef __bpf__
static inline enum packet_error packet_converge(struct packet_cursor *cursor,
						struct packet_meta *meta)
{
	volatile uint32_t *kept_bytes = &meta->header_bytes;

	*kept_bytes = (uint32_t)cursor->offset_bytes;
	cursor->offset_bytes = *kept_bytes;
	if (cursor->offset_bytes > PACKET_HEADERS_MAX_BYTES)
		return PACKET_TOO_MANY_HEADERS;
	return PACKET_OK;
}
#else
static inline enum packet_error packet_converge(struct packet_cursor *cursor,
						struct packet_meta *meta)
{
	(void)cursor;
	(void)meta;
	return PACKET_OK;
}
#endif

/* Step over a header of at most 2 KiB, which must be there to its last byte. */
static inline enum packet_error packet_skip(struct packet_cursor *cursor,
					    uint64_t count_bytes)
{
	uint64_t next_bytes;

	if (!packet_has(cursor, count_bytes))
		return PACKET_TRUNCATED;
	next_bytes = cursor->offset_bytes + count_bytes;
	if (next_bytes > PACKET_HEADERS_MAX_BYTES)
		return PACKET_TOO_MANY_HEADERS;
	cursor->offset_bytes = next_bytes;
	return PACKET_OK;
}

#endif
