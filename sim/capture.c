/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/capture_format.h"

enum capture_status capture_fail(struct capture *capture, const char *format,
				 ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(capture->error, sizeof(capture->error), format, arguments);
	va_end(arguments);
	return CAPTURE_DAMAGED;
}

enum capture_status capture_cut(struct capture *capture)
{
	if (capture->stream.error[0] != '\0')
		return capture_fail(capture, "%s", capture->stream.error);
	return capture_fail(capture, "the file ends within a record");
}

enum capture_status capture_ended(struct capture *capture)
{
	if (capture->stream.end > capture->stream.begin ||
	    capture->stream.error[0] != '\0')
		return capture_cut(capture);
	return CAPTURE_END;
}

static enum capture_status too_short_next(struct capture *capture,
					  struct capture_packet *ret_packet)
{
	(void)ret_packet;
	if (capture->stream.error[0] != '\0')
		return capture_cut(capture);
	return capture_fail(capture, "the file ends within its header");
}

/* False: it is nothing that we read. */
static bool start(struct capture *capture)
{
	const uint8_t *at = capture_stream_peek(&capture->stream, 4);
	uint32_t magic;

	capture->next = too_short_next;
	if (!at)
		return true;
	memcpy(&magic, at, sizeof(magic));
	if (magic == CAPTURE_PCAPNG_MAGIC) {
		capture->next = capture_pcapng_next;
		return true;
	}
	if (!capture_pcap_is_magic(magic)) {
		capture_fail(capture, "is no pcap or pcapng file");
		return false;
	}
	at = capture_stream_peek(&capture->stream, CAPTURE_PCAP_HEADER_BYTES);
	if (!at)
		return true;
	capture->next = capture_pcap_next;
	if (!capture_pcap_start(capture, at))
		return false;
	capture_stream_use(&capture->stream, CAPTURE_PCAP_HEADER_BYTES);
	return true;
}

struct capture *capture_open(const char *path, char *ret_error,
			     size_t error_size)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int error;

	if (!capture) {
		snprintf(ret_error, error_size, "%s", strerror(ENOMEM));
		return NULL;
	}
	error = capture_stream_open(&capture->stream, path);
	if (error != 0) {
		snprintf(ret_error, error_size, "%s", strerror(-error));
		free(capture);
		return NULL;
	}
	if (!start(capture)) {
		snprintf(ret_error, error_size, "%s", capture->error);
		capture_close(capture);
		return NULL;
	}
	return capture;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	capture_stream_close(&capture->stream);
	free(capture->pcapng.interfaces);
	free(capture);
}

enum capture_status capture_next(struct capture *capture,
				 struct capture_packet *ret_packet)
{
	if (capture->status == CAPTURE_PACKET)
		capture->status = capture->next(capture, ret_packet);
	return capture->status;
}

const char *capture_error(const struct capture *capture)
{
	return capture->error;
}

uint64_t capture_offset(const struct capture *capture)
{
	return capture->record_offset;
}

uint64_t capture_read_bytes(const struct capture *capture)
{
	return capture->stream.read_bytes;
}

uint64_t capture_size_bytes(const struct capture *capture)
{
	return capture->stream.size_bytes;
}
