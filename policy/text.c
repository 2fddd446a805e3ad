/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "policy/units.h"

static bool make_room(struct text *text, size_t more)
{
	size_t room = text->room == 0 ? 4096 : text->room;
	char *bytes;

	while (room - text->length <= more)
		room *= 2;
	if (room == text->room)
		return true;
	bytes = realloc(text->bytes, room);
	if (bytes == NULL) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

void text_add(struct text *text, const char *format, ...)
{
	va_list arguments, again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	if (length < 0)
		text->failed = true;
	if (!text->failed && make_room(text, (size_t)length)) {
		vsnprintf(text->bytes + text->length, (size_t)length + 1,
			  format, again);
		text->length += (size_t)length;
	}
	va_end(again);
	va_end(arguments);
}

/* Quoted, unless every YAML reader takes it for one plain word. */
void text_word(struct text *text, const char *value)
{
	size_t plain = strspn(value, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_./-:");
	char last = value[0] == '\0' ? ':' : value[strlen(value) - 1];

	if (value[plain] == '\0' && last != ':' && value[0] != ':' &&
	    value[0] != '-') {
		text_add(text, "%s", value);
		return;
	}
	text_add(text, "\"");
	for (; *value != '\0'; value++)
		text_add(text, *value == '"' || *value == '\\' ? "\\%c" : "%c",
			 *value);
	text_add(text, "\"");
}

void text_prefixes(struct text *text, const struct policy_prefixes *prefixes)
{
	text_add(text, "[");
	for (size_t i = 0; i < prefixes->count; i++) {
		char prefix[ADDRESS_TEXT_SIZE];

		address_print_prefix(&prefixes->list[i], prefix);
		text_add(text, i > 0 ? ", " : "");
		text_word(text, prefix);
	}
	text_add(text, "]");
}

void text_word_or_none(struct text *text, const char *value)
{
	if (value[0] == '\0')
		text_add(text, "none");
	else
		text_word(text, value);
}

static void add_time(struct text *text, const char *key, uint64_t ns)
{
	char value[UNITS_TEXT_SIZE];

	units_print_time(ns, value);
	text_add(text, ", %s: %s", key, value);
}

void text_params(struct text *text, const struct gate_params *params)
{
	char value[UNITS_TEXT_SIZE];

	units_print_log2(params->ratio_q16, value);
	text_add(text, "threshold: %s", value);
	add_time(text, "window", params->window_ns);
	add_time(text, "first_delay", params->first_delay_ns);
	add_time(text, "max_delay", params->max_delay_ns);
}

void text_rate(struct text *text, const struct rate_params *rate)
{
	char pkts[UNITS_TEXT_SIZE] = "any", bytes[UNITS_TEXT_SIZE] = "any";
	char burst[UNITS_TEXT_SIZE];

	if (rate->pkts_per_s != 0)
		units_print_count_per_s(rate->pkts_per_s, pkts);
	if (rate->bytes_per_s != 0)
		units_print_bytes_per_s(rate->bytes_per_s, bytes);
	units_print_time(rate->burst_ns, burst);
	text_add(text, "rate: {packets: %s, bytes: %s, burst: %s}", pkts, bytes,
		 burst);
}

void text_key(struct text *text, size_t *count, const char *key)
{
	text_add(text, "%s%s: ", (*count)++ > 0 ? ", " : "", key);
}
