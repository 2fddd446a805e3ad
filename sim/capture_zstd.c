/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <zstd.h>

#include "sim/capture_decoder.h"

struct zstd {
	ZSTD_DCtx *context;
	enum capture_decoder_status status;
};

enum { ZSTD_WINDOW_LOG = 27 };
_Static_assert(1 << (ZSTD_WINDOW_LOG - 20) == CAPTURE_DECODER_MAX_MIB,
	       "the same bound for all");

static void *zstd_start(void)
{
	struct zstd *zstd = calloc(1, sizeof(*zstd));

	if (!zstd)
		return NULL;
	zstd->context = ZSTD_createDCtx();
	if (!zstd->context ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(
		    zstd->context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
		ZSTD_freeDCtx(zstd->context);
		free(zstd);
		return NULL;
	}
	return zstd;
}

static void zstd_stop(void *state)
{
	struct zstd *zstd = state;

	ZSTD_freeDCtx(zstd->context);
	free(zstd);
}

static enum capture_decoder_status zstd_step(void *state,
					     struct capture_decoder_io *io)
{
	struct zstd *zstd = state;
	ZSTD_inBuffer in = { io->in, io->in_bytes, 0 };
	ZSTD_outBuffer out = { io->out, io->out_bytes, 0 };
	size_t result;

	/* Asked once more, it would take the next frame for begun. */
	if (io->in_bytes == 0 && zstd->status == CAPTURE_DECODER_BETWEEN)
		return CAPTURE_DECODER_BETWEEN;
	result = ZSTD_decompressStream(zstd->context, &out, &in);
	io->in += in.pos;
	io->in_bytes -= in.pos;
	io->out += out.pos;
	io->out_bytes -= out.pos;
	zstd->status = CAPTURE_DECODER_WITHIN;
	if (result == 0)
		zstd->status = CAPTURE_DECODER_BETWEEN;
	else if (ZSTD_isError(result))
		zstd->status = CAPTURE_DECODER_DAMAGED;
	return zstd->status;
}

const struct capture_decoder capture_zstd = {
	.name = "zstd",
	.magic = { 0x28, 0xb5, 0x2f, 0xfd },
	.magic_bytes = 4,
	.start = zstd_start,
	.stop = zstd_stop,
	.step = zstd_step,
};
