/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_DOCUMENT_H
#define SHAPER_CTL_DOCUMENT_H

/*
 * What `state export` printed, as the requests that import it.  Whoever wrote
 * it may have been anybody: it is good as a whole, and by the daemon's own
 * parser, before anything is asked for.
 */

#include <stdbool.h>
#include <stddef.h>

struct document;
struct json_t;

enum {
	DOCUMENT_BYTES_MAX = 32 << 20,
	DOCUMENT_KEYS_MAX = 65536,
	DOCUMENT_WRONG_BYTES = 256,
};

/* NULL: ret_wrong says what is wrong with it, and where. */
struct document *document_read(const char *text, size_t length_bytes,
			       char ret_wrong[DOCUMENT_WRONG_BYTES]);
void document_free(struct document *document); /* NULL is fine */

size_t document_count(const struct document *document);
/* A line as request_parse takes it. */
const char *document_request(const struct document *document, size_t at);

/* `body` of the daemon's answer as a text to be read by document_read, to be
 * freed by the caller.  NULL: out of memory. */
char *document_print(const struct json_t *body);

#endif
