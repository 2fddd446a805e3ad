/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <lzma.h>
#include <stdlib.h>

#include "sim/capture_decoder.h"

/* The dictionary and a bit for the decoder itself. */
static const uint64_t memory_max_bytes =
	((uint64_t)CAPTURE_DECODER_MAX_MIB << 20) + (1 << 20);

static void *xz_start(void)
{
	lzma_stream *stream = malloc(sizeof(*stream));

	if (!stream)
		return NULL;
	*stream = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(stream, memory_max_bytes, LZMA_CONCATENATED) !=
	    LZMA_OK) {
		free(stream);
		return NULL;
	}
	return stream;
}

static void xz_stop(void *state)
{
	lzma_end(state);
	free(state);
}

static enum capture_decoder_status xz_step(void *state,
					   struct capture_decoder_io *io)
{
	lzma_stream *stream = state;
	lzma_ret result;

	stream->next_in = io->in;
	stream->avail_in = io->in_bytes;
	stream->next_out = io->out;
	stream->avail_out = io->out_bytes;
	result = lzma_code(stream, io->in_ended ? LZMA_FINISH : LZMA_RUN);
	io->in = stream->next_in;
	io->in_bytes = stream->avail_in;
	io->out = stream->next_out;
	io->out_bytes = stream->avail_out;
	if (result == LZMA_STREAM_END)
		return CAPTURE_DECODER_BETWEEN;
	if (result == LZMA_OK || result == LZMA_BUF_ERROR)
		return CAPTURE_DECODER_WITHIN;
	return CAPTURE_DECODER_DAMAGED;
}

const struct capture_decoder capture_xz = {
	.name = "xz",
	.magic = { 0xfd, '7', 'z', 'X', 'Z', 0 },
	.magic_bytes = 6,
	.start = xz_start,
	.stop = xz_stop,
	.step = xz_step,
};
