/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/document.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/requests.h"
#include "shaper/daemon/state_json.h"

struct document {
	char **requests;
	size_t count, room;
};

/* Where we are, and the line that is being made. */
struct reading {
	struct document *document;
	const char *uuid; /* NULL: of no guest */
	size_t guest, key;
	char line[REQUEST_LINE_BYTES];
	size_t used;
	char *wrong;
};

__attribute__((format(printf, 2, 3))) static bool
refuse(const struct reading *reading, const char *format, ...)
{
	char where[64] = "";
	va_list args;
	int n;

	if (reading->uuid != NULL)
		snprintf(where, sizeof(where), "guests[%zu].", reading->guest);
	n = snprintf(reading->wrong, DOCUMENT_WRONG_BYTES,
		     "%skeys[%zu]: ", where, reading->key);
	va_start(args, format);
	vsnprintf(reading->wrong + n, DOCUMENT_WRONG_BYTES - (size_t)n, format,
		  args);
	va_end(args);
	return false;
}

/* ------ one key */

__attribute__((format(printf, 2, 3))) static bool
append(struct reading *reading, const char *format, ...)
{
	size_t room = sizeof(reading->line) - reading->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(reading->line + reading->used, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		return refuse(reading, "too long");
	reading->used += (size_t)n;
	return true;
}

/* Blanks would make words of it. */
static bool append_text(struct reading *reading, const char *name,
			const json_t *value)
{
	const char *text = json_string_value(value);

	if (text == NULL || strlen(text) != json_string_length(value))
		return refuse(reading, "%s is no text", name);
	for (const char *at = text; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~')
			return refuse(reading,
				      "%s has a blank, or what is not ASCII",
				      name);
	return append(reading, " %s=%s", name, text);
}

static bool append_number(struct reading *reading, const char *name,
			  const json_t *value)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return refuse(reading, "%s is no whole number", name);
	return append(reading, " %s=%lld", name,
		      (long long)json_integer_value(value));
}

static bool is_count(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool append_window(struct reading *reading, const char *name,
			  const json_t *value)
{
	const json_t *run;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return refuse(reading, "%s is no list", name);
	if (!append(reading, " %s=", name))
		return false;
	json_array_foreach(value, i, run)
	{
		const json_t *age = json_array_get(run, 0);
		const json_t *sent = json_array_get(run, 1);
		const json_t *heard = json_array_get(run, 2);

		if (json_array_size(run) != 3 || !is_count(age) ||
		    !is_count(sent) || !is_count(heard))
			return refuse(reading,
				      "%s[%zu] is not [age_ns, sent, heard]",
				      name, i);
		if (!append(reading, "%s%lld/%lld/%lld", i > 0 ? "," : "",
			    (long long)json_integer_value(age),
			    (long long)json_integer_value(sent),
			    (long long)json_integer_value(heard)))
			return false;
	}
	return true;
}

static const struct {
	const char *name;
	bool (*append)(struct reading *reading, const char *name,
		       const json_t *value);
} members[] = {
	{ "scope", append_text },         { "inside", append_text },
	{ "outside", append_text },       { "proto", append_number },
	{ "inside_port", append_number }, { "outside_port", append_number },
	{ "zone", append_text },          { "penalty", append_number },
	{ "wait_ns", append_number },     { "window", append_window },
};

static bool read_members(struct reading *reading, const json_t *key)
{
	size_t found = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *value = json_object_get(key, members[i].name);

		if (value == NULL)
			continue;
		found++;
		if (!members[i].append(reading, members[i].name, value))
			return false;
	}
	if (found != json_object_size(key))
		return refuse(reading, "it has a member that is not known");
	return true;
}

static bool add(struct reading *reading)
{
	struct document *document = reading->document;
	size_t room = document->room ? 2 * document->room : 64;
	char **requests;

	if (document->count == DOCUMENT_KEYS_MAX)
		return refuse(reading, "more than %d keys", DOCUMENT_KEYS_MAX);
	if (document->count == document->room) {
		requests =
			realloc(document->requests, room * sizeof(*requests));
		if (requests == NULL)
			return refuse(reading, "out of memory");
		document->requests = requests;
		document->room = room;
	}
	document->requests[document->count] = strdup(reading->line);
	if (document->requests[document->count] == NULL)
		return refuse(reading, "out of memory");
	document->count++;
	return true;
}

static bool read_key(struct reading *reading, const json_t *key)
{
	struct request_error error;
	struct request request;

	reading->used = 0;
	if (!json_is_object(key))
		return refuse(reading, "is no object");
	if (!append(reading, "import") ||
	    (reading->uuid != NULL &&
	     !append(reading, " uuid=%s", reading->uuid)) ||
	    !read_members(reading, key))
		return false;
	if (!request_parse(reading->line, reading->used, &request, &error))
		return refuse(reading, "%s", error.text);
	return add(reading);
}

static bool read_keys(struct reading *reading, const json_t *keys)
{
	const json_t *key;

	reading->key = 0;
	if (!json_is_array(keys))
		return refuse(reading, "there is no list of keys");
	json_array_foreach(keys, reading->key,
			   key) if (!read_key(reading, key)) return false;
	return true;
}

/* ------ all of it */

static bool read_guests(struct reading *reading, const json_t *guests)
{
	const json_t *guest;

	if (!json_is_array(guests)) {
		snprintf(reading->wrong, DOCUMENT_WRONG_BYTES,
			 "there is no list of guests");
		return false;
	}
	json_array_foreach(guests, reading->guest, guest)
	{
		const json_t *uuid = json_object_get(guest, "uuid");

		reading->uuid = json_string_value(uuid);
		reading->key = 0;
		if (reading->uuid == NULL ||
		    strlen(reading->uuid) != json_string_length(uuid) ||
		    !request_state_is_uuid(reading->uuid)) {
			snprintf(reading->wrong, DOCUMENT_WRONG_BYTES,
				 "guests[%zu].uuid: is no UUID in small "
				 "letters",
				 reading->guest);
			return false;
		}
		if (!read_keys(reading, json_object_get(guest, "keys")))
			return false;
	}
	reading->uuid = NULL;
	return true;
}

static bool read_all(struct reading *reading, const json_t *root)
{
	const json_t *version = json_object_get(root, "symtap_state");

	if (!json_is_integer(version)) {
		snprintf(reading->wrong, DOCUMENT_WRONG_BYTES,
			 "it is not what `symtapctl state export` prints");
		return false;
	}
	if (json_integer_value(version) != STATE_JSON_VERSION) {
		snprintf(reading->wrong, DOCUMENT_WRONG_BYTES,
			 "symtap_state is %lld; this symtapctl reads %d",
			 (long long)json_integer_value(version),
			 STATE_JSON_VERSION);
		return false;
	}
	return read_guests(reading, json_object_get(root, "guests")) &&
	       read_keys(reading, json_object_get(root, "keys"));
}

struct document *document_read(const char *text, size_t length_bytes,
			       char ret_wrong[DOCUMENT_WRONG_BYTES])
{
	struct document *document = calloc(1, sizeof(*document));
	struct reading reading = { .document = document, .wrong = ret_wrong };
	json_error_t error;
	json_t *root;

	snprintf(ret_wrong, DOCUMENT_WRONG_BYTES, "out of memory");
	if (document == NULL)
		return NULL;
	root = json_loadb(text, length_bytes, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		snprintf(ret_wrong, DOCUMENT_WRONG_BYTES,
			 "line %d column %d: %s", error.line, error.column,
			 error.text);
	if (root == NULL || !read_all(&reading, root)) {
		json_decref(root);
		document_free(document);
		return NULL;
	}
	json_decref(root);
	return document;
}

void document_free(struct document *document)
{
	if (document == NULL)
		return;
	for (size_t i = 0; i < document->count; i++)
		free(document->requests[i]);
	free(document->requests);
	free(document);
}

size_t document_count(const struct document *document)
{
	return document->count;
}

const char *document_request(const struct document *document, size_t at)
{
	return document->requests[at];
}

char *document_print(const struct json_t *body)
{
	return json_dumps(body, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
}
