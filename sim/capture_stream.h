/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_CAPTURE_STREAM_H
#define SIM_CAPTURE_STREAM_H

/*
 * The bytes of a capture file, uncompressed, in pieces that lie in one block.
 * A pipe is read as it comes: nothing waits for more than it needs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture_decoder;

enum {
	/* What may be asked for in one piece. */
	CAPTURE_STREAM_PIECE_BYTES = 1 << 19,
	CAPTURE_STREAM_BLOCK_BYTES = 1 << 20,
};

struct capture_stream {
	uint8_t *block;
	size_t begin, end;   /* of what is there and not yet used */
	uint64_t used_bytes; /* before `begin`, uncompressed */
	uint64_t read_bytes; /* as stored */
	uint64_t size_bytes; /* as stored; 0: not known */
	const struct capture_decoder *decoder; /* NULL: it is not compressed */
	void *decoder_state;
	uint8_t *stored; /* compressed bytes; begin and end as above */
	size_t stored_begin, stored_end;
	int fd;
	bool ended;      /* nothing comes behind what is there */
	char error[128]; /* why not; empty: the file ends there */
};

/* 0 or -errno: then there is nothing to close. */
int capture_stream_open(struct capture_stream *stream, const char *path);
void capture_stream_close(struct capture_stream *stream);

/* Read on until `count` bytes are there, or no more come. */
bool capture_stream_fill(struct capture_stream *stream, size_t count);

/* The next `count` bytes (at most CAPTURE_STREAM_PIECE_BYTES), until the next
 * call.  NULL: fewer are left; then the stream has ended. */
static inline const uint8_t *capture_stream_peek(struct capture_stream *stream,
						 size_t count)
{
	if (stream->end - stream->begin < count &&
	    !capture_stream_fill(stream, count))
		return NULL;
	return stream->block + stream->begin;
}

/* What peek has just shown. */
static inline void capture_stream_use(struct capture_stream *stream,
				      size_t count)
{
	stream->begin += count;
	stream->used_bytes += count;
}

/* Any number of bytes; false: fewer were left. */
bool capture_stream_skip(struct capture_stream *stream, uint64_t count);

#endif
