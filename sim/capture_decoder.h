/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_CAPTURE_DECODER_H
#define SIM_CAPTURE_DECODER_H

/*
 * What a compression library does for a capture: bytes in, bytes out, as far as
 * either goes.  What comes out before the input turns out to be damaged is
 * kept: hence the libraries themselves and no wrapper around them, which would
 * hold back a buffer of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A window of a decoder, whatever the file asks for.  zstd --ultra -22 and
 * xz -9 need 128 and 65 MiB. */
enum { CAPTURE_DECODER_MAX_MIB = 128 };

enum capture_decoder_status {
	CAPTURE_DECODER_WITHIN,  /* more must follow */
	CAPTURE_DECODER_BETWEEN, /* the input may end here; several compressed
				  * files in one are one */
	CAPTURE_DECODER_DAMAGED, /* or its window is too large */
};

/* Step moves these on. */
struct capture_decoder_io {
	const uint8_t *in;
	size_t in_bytes;
	uint8_t *out;
	size_t out_bytes;
	bool in_ended; /* nothing comes after `in` */
};

struct capture_decoder {
	const char *name;
	uint8_t magic[6];
	size_t magic_bytes;
	void *(*start)(void); /* NULL: out of memory */
	void (*stop)(void *state);
	enum capture_decoder_status (*step)(void *state,
					    struct capture_decoder_io *io);
};

extern const struct capture_decoder capture_gzip;
extern const struct capture_decoder capture_zstd;
extern const struct capture_decoder capture_xz;

#endif
