/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_REPLY_H
#define SHAPER_CTL_REPLY_H

/*
 * The daemon's answer as values.  Everything that is asked for has a default,
 * so that a newer or older daemon is shown as far as it goes.  Paths are names
 * joined by dots: "tables.pairs.used".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct reply;  /* an answer */
struct json_t; /* a value inside of it; borrowed from the answer */

enum reply_verdict {
	REPLY_OK,
	REPLY_NO,
	REPLY_BAD,
	REPLY_NONSENSE, /* not an answer of ours */
};

/* Ask, and take what is OK alone.  NULL: *ret_why says why there is none. */
struct reply *reply_ask(struct client *client, const char *request,
			const char **ret_why);

/* Never NULL unless out of memory. */
struct reply *reply_parse(const char *text);
void reply_free(struct reply *reply);

enum reply_verdict reply_verdict(const struct reply *reply);
/* What "no" or "bad" says; "" otherwise. */
const char *reply_why(const struct reply *reply);
/* What "ok" holds. */
const struct json_t *reply_body(const struct reply *reply);

/* "" unless it is there and a string. */
const char *reply_text(const struct json_t *value, const char *path);
/* 0 unless it is there and a number. */
double reply_number(const struct json_t *value, const char *path);
bool reply_is_true(const struct json_t *value, const char *path);
/* Is it there, and not null? */
bool reply_has(const struct json_t *value, const char *path);
/* Items of a list; 0 and NULL when it is none. */
size_t reply_count(const struct json_t *value, const char *path);
const struct json_t *reply_item(const struct json_t *value, const char *path,
				size_t index);

#endif
