/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/capture_stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/capture_decoder.h"

enum { STORED_BYTES = 1 << 17, MAGIC_MAX_BYTES = 6 };

static const struct capture_decoder *const decoders[] = {
	&capture_gzip,
	&capture_zstd,
	&capture_xz,
};

static void fail(struct capture_stream *stream, const char *subject,
		 const char *what)
{
	stream->ended = true;
	snprintf(stream->error, sizeof(stream->error), "%s: %s", subject, what);
}

/* As stored.  0: no more, or an error. */
static size_t read_some(struct capture_stream *stream, uint8_t *into,
			size_t room)
{
	ssize_t count;

	do
		count = read(stream->fd, into, room);
	while (count < 0 && errno == EINTR);
	if (count < 0) {
		fail(stream, "cannot be read", strerror(errno));
		return 0;
	}
	stream->read_bytes += (uint64_t)count;
	return (size_t)count;
}

static void decode_some(struct capture_stream *stream, uint8_t *into,
			size_t room, struct capture_decoder_io *io)
{
	enum capture_decoder_status status;
	size_t in_bytes;

	if (stream->stored_begin == stream->stored_end) {
		stream->stored_begin = 0;
		stream->stored_end =
			read_some(stream, stream->stored, STORED_BYTES);
	}
	if (stream->ended)
		return;
	io->in = stream->stored + stream->stored_begin;
	io->in_bytes = stream->stored_end - stream->stored_begin;
	io->out = into;
	io->out_bytes = room;
	io->in_ended = io->in_bytes == 0;
	in_bytes = io->in_bytes;
	status = stream->decoder->step(stream->decoder_state, io);
	stream->stored_begin = stream->stored_end - io->in_bytes;
	/* A decoder that stands still with input and room is none of ours. */
	if (status == CAPTURE_DECODER_DAMAGED ||
	    (in_bytes > 0 && io->in_bytes == in_bytes && io->out == into))
		fail(stream, stream->decoder->name, "the data is damaged");
	else if (in_bytes > 0 || io->out > into)
		return;
	else if (status == CAPTURE_DECODER_BETWEEN)
		stream->ended = true;
	else
		fail(stream, stream->decoder->name, "the data ends early");
}

static size_t decode(struct capture_stream *stream, uint8_t *into, size_t room)
{
	struct capture_decoder_io io = { .out = into };

	while (!stream->ended && io.out == into)
		decode_some(stream, into, room, &io);
	return (size_t)(io.out - into);
}

bool capture_stream_fill(struct capture_stream *stream, size_t count)
{
	assert(count <= CAPTURE_STREAM_PIECE_BYTES);
	if (CAPTURE_STREAM_BLOCK_BYTES - stream->begin < count ||
	    stream->begin == stream->end) {
		memmove(stream->block, stream->block + stream->begin,
			stream->end - stream->begin);
		stream->end -= stream->begin;
		stream->begin = 0;
	}
	while (stream->end - stream->begin < count && !stream->ended) {
		uint8_t *into = stream->block + stream->end;
		size_t room = CAPTURE_STREAM_BLOCK_BYTES - stream->end;
		size_t got;

		if (stream->decoder) {
			got = decode(stream, into, room);
		} else {
			got = read_some(stream, into, room);
			stream->ended |= got == 0;
		}
		stream->end += got;
	}
	return stream->end - stream->begin >= count;
}

bool capture_stream_skip(struct capture_stream *stream, uint64_t count)
{
	while (count > 0) {
		size_t here = stream->end - stream->begin;

		if (here == 0 && !capture_stream_fill(stream, 1))
			return false;
		here = stream->end - stream->begin;
		if (here > count)
			here = (size_t)count;
		capture_stream_use(stream, here);
		count -= here;
	}
	return true;
}

/* What was read so far is compressed: it moves to where that belongs. */
static int start_decoder(struct capture_stream *stream,
			 const struct capture_decoder *decoder)
{
	stream->stored = malloc(STORED_BYTES);
	if (!stream->stored)
		return -ENOMEM;
	stream->decoder_state = decoder->start();
	if (!stream->decoder_state)
		return -ENOMEM;
	stream->decoder = decoder;
	memcpy(stream->stored, stream->block, stream->end);
	stream->stored_end = stream->end;
	stream->end = 0;
	return 0;
}

/* Little enough is read that it fits into `stored`. */
static int look_at_magic(struct capture_stream *stream)
{
	while (stream->end < MAGIC_MAX_BYTES && !stream->ended) {
		size_t got = read_some(stream, stream->block + stream->end,
				       STORED_BYTES - stream->end);

		stream->ended |= got == 0;
		stream->end += got;
	}
	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
		if (stream->end >= decoders[i]->magic_bytes &&
		    memcmp(stream->block, decoders[i]->magic,
			   decoders[i]->magic_bytes) == 0) {
			if (stream->error[0] == '\0')
				stream->ended = false;
			return start_decoder(stream, decoders[i]);
		}
	}
	return 0;
}

static int open_fd(struct capture_stream *stream, const char *path)
{
	struct stat info;

	if (strcmp(path, "-") == 0)
		stream->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		stream->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (stream->fd < 0)
		return -errno;
	if (fstat(stream->fd, &info) == 0) {
		if (S_ISDIR(info.st_mode))
			return -EISDIR;
		if (S_ISREG(info.st_mode))
			stream->size_bytes = (uint64_t)info.st_size;
	}
	posix_fadvise(stream->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

int capture_stream_open(struct capture_stream *stream, const char *path)
{
	int error;

	memset(stream, 0, sizeof(*stream));
	error = open_fd(stream, path);
	if (error == 0) {
		stream->block = malloc(CAPTURE_STREAM_BLOCK_BYTES);
		error = stream->block ? look_at_magic(stream) : -ENOMEM;
	}
	if (error != 0)
		capture_stream_close(stream);
	return error;
}

void capture_stream_close(struct capture_stream *stream)
{
	if (stream->decoder)
		stream->decoder->stop(stream->decoder_state);
	free(stream->stored);
	free(stream->block);
	if (stream->fd >= 0)
		close(stream->fd);
}
