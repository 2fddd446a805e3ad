/* SPDX-License-Identifier: GPL-2.0-or-later */
#define ZLIB_CONST
#include <stdlib.h>
#include <zlib.h>

#include "sim/capture_decoder.h"

struct gzip {
	z_stream stream;
	enum capture_decoder_status status;
};

/* 16: gzip's header and trailer, and nothing else. */
enum { GZIP_WINDOW_BITS = 15 + 16 };

static void *gzip_start(void)
{
	struct gzip *gzip = calloc(1, sizeof(*gzip));

	if (!gzip)
		return NULL;
	if (inflateInit2(&gzip->stream, GZIP_WINDOW_BITS) != Z_OK) {
		free(gzip);
		return NULL;
	}
	return gzip;
}

static void gzip_stop(void *state)
{
	struct gzip *gzip = state;

	inflateEnd(&gzip->stream);
	free(gzip);
}

static enum capture_decoder_status gzip_step(void *state,
					     struct capture_decoder_io *io)
{
	struct gzip *gzip = state;
	z_stream *stream = &gzip->stream;
	int result;

	if (io->in_bytes == 0 && gzip->status == CAPTURE_DECODER_BETWEEN)
		return CAPTURE_DECODER_BETWEEN;
	stream->next_in = io->in;
	stream->avail_in = (uInt)io->in_bytes;
	stream->next_out = io->out;
	stream->avail_out = (uInt)io->out_bytes;
	result = inflate(stream, Z_NO_FLUSH);
	io->in = stream->next_in;
	io->in_bytes = stream->avail_in;
	io->out = stream->next_out;
	io->out_bytes = stream->avail_out;
	gzip->status = CAPTURE_DECODER_WITHIN;
	if (result == Z_STREAM_END && inflateReset(stream) == Z_OK)
		gzip->status = CAPTURE_DECODER_BETWEEN;
	else if (result != Z_OK && result != Z_BUF_ERROR)
		gzip->status = CAPTURE_DECODER_DAMAGED;
	return gzip->status;
}

const struct capture_decoder capture_gzip = {
	.name = "gzip",
	.magic = { 0x1f, 0x8b },
	.magic_bytes = 2,
	.start = gzip_start,
	.stop = gzip_stop,
	.step = gzip_step,
};
