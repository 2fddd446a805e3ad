/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/import.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/ctl/client.h"
#include "shaper/ctl/document.h"
#include "shaper/ctl/reply.h"

enum { CHUNK_BYTES = 65536 };

struct counts {
	size_t expected, remembered, refused;
	char why[128]; /* of the first that was refused */
};

/* NULL: it cannot be read, is too long, or there is no memory. */
static char *read_input(size_t *ret_length_bytes, const char **ret_wrong)
{
	size_t used = 0, size = 0;
	char *text = NULL, *more;

	do {
		if (used == size) {
			size = size ? 2 * size : CHUNK_BYTES;
			more = size > 2 * (size_t)DOCUMENT_BYTES_MAX
				       ? NULL
				       : realloc(text, size);
			if (more == NULL) {
				*ret_wrong = "it is too long";
				free(text);
				return NULL;
			}
			text = more;
		}
		used += fread(text + used, 1, size - used, stdin);
	} while (!feof(stdin) && !ferror(stdin));
	if (ferror(stdin) || used > DOCUMENT_BYTES_MAX) {
		*ret_wrong = ferror(stdin) ? "it cannot be read"
					   : "it is too long";
		free(text);
		return NULL;
	}
	*ret_length_bytes = used;
	return text;
}

static struct document *read_document(void)
{
	char wrong[DOCUMENT_WRONG_BYTES];
	const char *unread = "";
	struct document *document;
	size_t length_bytes = 0;
	char *text = read_input(&length_bytes, &unread);

	if (text == NULL) {
		fprintf(stderr, "symtapctl: standard input: %s\n", unread);
		return NULL;
	}
	document = document_read(text, length_bytes, wrong);
	if (document == NULL)
		fprintf(stderr, "symtapctl: standard input: %s\n", wrong);
	free(text);
	return document;
}

static void count(struct counts *counts, const char *answer)
{
	struct reply *reply = reply_parse(answer);
	const char *taken;

	if (reply != NULL && reply_verdict(reply) == REPLY_OK) {
		taken = reply_text(reply_body(reply), "taken");
		if (strcmp(taken, "expected") == 0)
			counts->expected++;
		else
			counts->remembered++;
	} else if (counts->refused++ == 0) {
		snprintf(counts->why, sizeof(counts->why), "%s",
			 reply != NULL ? reply_why(reply) : "out of memory");
	}
	reply_free(reply);
}

static int ask_all(const struct document *document, const char *socket_path,
		   struct counts *counts)
{
	struct client client;
	int error = client_open(&client, socket_path);

	for (size_t i = 0; error == 0 && i < document_count(document); i++) {
		char *answer = NULL;

		error = client_ask(&client, document_request(document, i),
				   &answer);
		if (error == 0)
			count(counts, answer);
		free(answer);
	}
	client_close(&client);
	return error;
}

static void tell(const struct counts *counts, bool json)
{
	if (json) {
		printf("{\"ok\":{\"expected\":%zu,\"remembered\":%zu,"
		       "\"refused\":%zu}}\n",
		       counts->expected, counts->remembered, counts->refused);
		return;
	}
	printf("%zu keys are expected, %zu are remembered until their guest "
	       "comes\n",
	       counts->expected, counts->remembered);
	if (counts->refused > 0)
		fprintf(stderr, "symtapctl: %zu keys were refused: %s\n",
			counts->refused, counts->why);
}

enum import_outcome import_document(const char *socket_path, bool json,
				    int *ret_error)
{
	struct document *document = read_document();
	struct counts counts = { 0 };
	int error;

	if (document == NULL)
		return IMPORT_WRONG;
	error = ask_all(document, socket_path, &counts);
	document_free(document);
	if (error < 0) {
		*ret_error = error;
		return IMPORT_UNREACHABLE;
	}
	tell(&counts, json);
	return counts.refused == 0 ? IMPORT_DONE : IMPORT_NO;
}
