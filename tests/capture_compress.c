/* SPDX-License-Identifier: GPL-2.0-or-later */
#define ZLIB_CONST
#include "tests/capture_compress.h"

#include <assert.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

static size_t gzip(const uint8_t *bytes, size_t count, uint8_t *into,
		   size_t room)
{
	z_stream stream = {
		.next_in = bytes,
		.avail_in = (uInt)count,
		.next_out = into,
		.avail_out = (uInt)room,
	};
	int result = deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8,
				  Z_DEFAULT_STRATEGY);

	assert(result == Z_OK);
	result = deflate(&stream, Z_FINISH);
	assert(result == Z_STREAM_END);
	deflateEnd(&stream);
	return room - stream.avail_out;
}

static size_t zstd(const uint8_t *bytes, size_t count, uint8_t *into,
		   size_t room)
{
	size_t result = ZSTD_compress(into, room, bytes, count, 3);

	assert(!ZSTD_isError(result));
	return result;
}

static size_t xz(const uint8_t *bytes, size_t count, uint8_t *into, size_t room)
{
	size_t made = 0;
	lzma_ret result = lzma_easy_buffer_encode(
		0, LZMA_CHECK_CRC32, NULL, bytes, count, into, &made, room);

	assert(result == LZMA_OK);
	return made;
}

const struct capture_compression capture_compressions[] = {
	{ "gzip", gzip },
	{ "zstd", zstd },
	{ "xz", xz },
};
const size_t capture_compressions_count =
	sizeof(capture_compressions) / sizeof(capture_compressions[0]);
