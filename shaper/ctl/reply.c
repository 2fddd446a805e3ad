/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/reply.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/ctl/client.h"

enum { NAME_BYTES = 64 };

struct reply {
	json_t *root;
	enum reply_verdict verdict;
	const json_t *body;
};

struct reply *reply_parse(const char *text)
{
	static const struct {
		const char *name;
		enum reply_verdict verdict;
	} verdicts[] = { { "ok", REPLY_OK },
			 { "no", REPLY_NO },
			 { "bad", REPLY_BAD } };
	struct reply *reply = calloc(1, sizeof(*reply));
	size_t i;

	if (reply == NULL)
		return NULL;
	reply->verdict = REPLY_NONSENSE;
	reply->root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		const json_t *body =
			json_object_get(reply->root, verdicts[i].name);

		if (body != NULL) {
			reply->verdict = verdicts[i].verdict;
			reply->body = body;
			break;
		}
	}
	return reply;
}

void reply_free(struct reply *reply)
{
	if (reply == NULL)
		return;
	json_decref(reply->root);
	free(reply);
}

enum reply_verdict reply_verdict(const struct reply *reply)
{
	return reply->verdict;
}

const char *reply_why(const struct reply *reply)
{
	const char *text = json_string_value(reply->body);

	return text != NULL ? text : "";
}

const struct json_t *reply_body(const struct reply *reply)
{
	return reply->body;
}

static const json_t *find(const json_t *value, const char *path)
{
	char name[NAME_BYTES];

	while (value != NULL && *path != '\0') {
		size_t length = strcspn(path, ".");

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, path, length);
		name[length] = '\0';
		value = json_object_get(value, name);
		path += length;
		path += *path == '.';
	}
	return value;
}

const char *reply_text(const struct json_t *value, const char *path)
{
	const char *text = json_string_value(find(value, path));

	return text != NULL ? text : "";
}

double reply_number(const struct json_t *value, const char *path)
{
	return json_number_value(find(value, path));
}

bool reply_is_true(const struct json_t *value, const char *path)
{
	return json_is_true(find(value, path));
}

bool reply_has(const struct json_t *value, const char *path)
{
	const json_t *found = find(value, path);

	return found != NULL && !json_is_null(found);
}

size_t reply_count(const struct json_t *value, const char *path)
{
	return json_array_size(find(value, path));
}

const struct json_t *reply_item(const struct json_t *value, const char *path,
				size_t index)
{
	return json_array_get(find(value, path), index);
}

struct reply *reply_ask(struct client *client, const char *request,
			const char **ret_why)
{
	struct reply *reply;
	char *answer;
	int error = client_ask(client, request, &answer);

	if (error < 0) {
		*ret_why = strerror(-error);
		return NULL;
	}
	reply = reply_parse(answer);
	free(answer);
	if (reply != NULL && reply_verdict(reply) == REPLY_OK)
		return reply;
	reply_free(reply);
	*ret_why = "it refused to";
	return NULL;
}
