/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/nearest.h"
#include "policy/units.h"
#include "policy/yaml.h"

/* Where in a table or below it `name` is a key: "limiter", or NULL. */
static const char *find_home(const struct keys_entry *entries, const char *name)
{
	for (; entries->name != NULL; entries++) {
		const struct keys_entry *below = entries->keys;

		for (; below != NULL && below->name != NULL; below++) {
			if (strcmp(below->name, name) == 0)
				return entries->name;
		}
	}
	return NULL;
}

static void list_names(const struct keys_entry *entries, char *ret_text,
		       size_t size)
{
	size_t length = 0;

	for (; entries->name != NULL && length < size; entries++) {
		int more = snprintf(ret_text + length, size - length, "%s%s",
				    length == 0 ? "one of " : ", ",
				    entries->name);

		length += more > 0 ? (size_t)more : 0;
	}
}

static void refuse_unknown(struct keys_reader *reader,
			   const struct yaml_node *node,
			   const struct keys_entry *entries)
{
	const char *home = find_home(entries, node->key), *best = NULL;
	char right[192];
	size_t before = keys_enter(reader, node->key);

	for (const struct keys_entry *entry = entries; entry->name != NULL;
	     entry++)
		best = nearest_of(node->key, best, entry->name);
	if (home != NULL)
		snprintf(right, sizeof(right), "it belongs in %s", home);
	else if (best != NULL)
		snprintf(right, sizeof(right), "did you mean %s?", best);
	else
		list_names(entries, right, sizeof(right));
	keys_key_error(reader, node, right, "there is no such key");
	keys_leave(reader, before);
}

static bool refuse_unknown_keys(struct keys_reader *reader,
				const struct yaml_node *map,
				const struct keys_entry *entries)
{
	bool good = true;

	for (const struct yaml_node *node = map->first; node != NULL;
	     node = node->next) {
		const struct keys_entry *entry = entries;

		while (entry->name != NULL &&
		       strcmp(entry->name, node->key) != 0)
			entry++;
		if (entry->name != NULL)
			continue;
		good = false;
		if (!policy_errors_count_only(reader->errors))
			refuse_unknown(reader, node, entries);
	}
	return good;
}

const char *keys_text(struct keys_reader *reader, const struct yaml_node *node,
		      const char *right)
{
	switch (node->kind) {
	case YAML_SCALAR:
		if (node->text[0] != '\0')
			return node->text;
		keys_error(reader, node, right, "is empty");
		return NULL;
	case YAML_LIST:
		keys_error(reader, node, right, "is a list");
		return NULL;
	case YAML_MAP:
		keys_error(reader, node, right, "is a map");
		return NULL;
	case YAML_BROKEN:
		break;
	}
	return NULL;
}

bool keys_word(struct keys_reader *reader, const struct yaml_node *node,
	       const char *const *words, size_t *ret_place)
{
	const char *text, *best = NULL;
	char right[192] = "";
	size_t length = 0;

	for (size_t i = 0; words[i] != NULL && length < sizeof(right); i++) {
		int more = snprintf(right + length, sizeof(right) - length,
				    "%s%s",
				    i == 0                 ? ""
				    : words[i + 1] == NULL ? " or "
							   : ", ",
				    words[i]);

		length += more > 0 ? (size_t)more : 0;
	}
	text = keys_text(reader, node, right);
	if (text == NULL)
		return false;
	for (size_t i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_place = i;
			return true;
		}
		best = nearest_of(text, best, words[i]);
	}
	if (best != NULL)
		snprintf(right, sizeof(right), "did you mean %s?", best);
	keys_error(reader, node, right, "\"%.*s\" is not known", KEYS_SHOWN,
		   text);
	return false;
}

/* Into an unsigned of any width; its range was checked by the table. */
static void store(void *into, const struct keys_entry *entry, uint64_t value)
{
	unsigned char *place = (unsigned char *)into + entry->offset;
	uint8_t value8 = (uint8_t)value;
	uint16_t value16 = (uint16_t)value;
	uint32_t value32 = (uint32_t)value;

	switch (entry->size) {
	case sizeof(value8):
		memcpy(place, &value8, sizeof(value8));
		break;
	case sizeof(value16):
		memcpy(place, &value16, sizeof(value16));
		break;
	case sizeof(value32):
		memcpy(place, &value32, sizeof(value32));
		break;
	default:
		memcpy(place, &value, sizeof(value));
	}
}

static enum units_result parse_number(const struct keys_entry *entry,
				      const char *text, uint64_t *ret_value)
{
	uint32_t ratio_q16;
	enum units_result result;

	switch (entry->type) {
	case KEYS_COUNT:
		return units_parse_count(text, entry->min, entry->max,
					 ret_value);
	case KEYS_OCTAL:
		return units_parse_octal(text, entry->min, entry->max,
					 ret_value);
	case KEYS_TIME:
		return units_parse_time(text, entry->min, entry->max,
					ret_value);
	case KEYS_BYTES:
		return units_parse_bytes(text, entry->min, entry->max,
					 ret_value);
	case KEYS_COUNT_PER_S:
		return units_parse_count_per_s(text, entry->min, entry->max,
					       ret_value);
	case KEYS_BYTES_PER_S:
		return units_parse_bytes_per_s(text, entry->min, entry->max,
					       ret_value);
	case KEYS_LOG2:
		result = units_parse_log2(text, &ratio_q16);
		if (result == UNITS_OK)
			*ret_value = ratio_q16;
		return result;
	case KEYS_BOOL:
	case KEYS_WORD:
	case KEYS_TEXT:
	case KEYS_MAP:
	case KEYS_OTHER:
		break;
	}
	return UNITS_MALFORMED;
}

void keys_describe(const struct keys_entry *entry, char *ret_text, size_t size)
{
	char low[UNITS_TEXT_SIZE] = "0", high[UNITS_TEXT_SIZE] = "15";
	const char *what = "a whole number";

	switch (entry->type) {
	case KEYS_COUNT:
		snprintf(low, sizeof(low), "%" PRIu64, entry->min);
		snprintf(high, sizeof(high), "%" PRIu64, entry->max);
		break;
	case KEYS_OCTAL:
		what = "an octal number";
		snprintf(low, sizeof(low), "%04" PRIo64, entry->min);
		snprintf(high, sizeof(high), "%04" PRIo64, entry->max);
		break;
	case KEYS_TIME:
		what = "a whole number and ns, us, ms, s, m or h,";
		units_print_time(entry->min, low);
		units_print_time(entry->max, high);
		break;
	case KEYS_BYTES:
		what = "a whole number and B, KiB, MiB, GiB or TiB,";
		units_print_bytes(entry->min, low);
		units_print_bytes(entry->max, high);
		break;
	case KEYS_COUNT_PER_S:
		what = "a whole number and /s,";
		units_print_count_per_s(entry->min, low);
		units_print_count_per_s(entry->max, high);
		break;
	case KEYS_BYTES_PER_S:
		what = "a whole number and B/s, kB/s, MB/s or GB/s,";
		units_print_bytes_per_s(entry->min, low);
		units_print_bytes_per_s(entry->max, high);
		break;
	case KEYS_LOG2:
		what = "a number such as 2.0, with up to nine decimals,";
		break;
	case KEYS_BOOL:
	case KEYS_WORD:
	case KEYS_TEXT:
	case KEYS_MAP:
	case KEYS_OTHER:
		break;
	}
	snprintf(ret_text, size, "%s%s%s from %s to %s",
		 entry->zero_word != NULL ? entry->zero_word : "",
		 entry->zero_word != NULL ? ", or " : "", what, low, high);
}

static bool read_number(struct keys_reader *reader,
			const struct yaml_node *node,
			const struct keys_entry *entry, void *into)
{
	char right[192];
	const char *text;
	uint64_t value = 0;

	keys_describe(entry, right, sizeof(right));
	text = keys_text(reader, node, right);
	if (text == NULL)
		return false;
	if (entry->zero_word == NULL || strcmp(text, entry->zero_word) != 0) {
		switch (parse_number(entry, text, &value)) {
		case UNITS_OK:
			break;
		case UNITS_MALFORMED:
			keys_error(reader, node, right, "cannot read \"%.*s\"",
				   KEYS_SHOWN, text);
			return false;
		case UNITS_OUT_OF_RANGE:
			keys_error(reader, node, right, "%.*s is out of range",
				   KEYS_SHOWN, text);
			return false;
		}
	}
	store(into, entry, value);
	return true;
}

static bool read_text(struct keys_reader *reader, const struct yaml_node *node,
		      const struct keys_entry *entry, void *into)
{
	char *place = (char *)into + entry->offset, right[64];
	const char *text;
	size_t length;

	snprintf(right, sizeof(right), "1 to %zu printable characters",
		 entry->size - 1);
	text = keys_text(reader, node, right);
	if (text == NULL)
		return false;
	if (entry->zero_word != NULL && strcmp(text, entry->zero_word) == 0) {
		place[0] = '\0';
		return true;
	}
	length = strlen(text);
	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e) {
			keys_error(reader, node, right,
				   "holds a character beyond printable ASCII");
			return false;
		}
	}
	if (length >= entry->size) {
		keys_error(reader, node, right, "is %zu characters long",
			   length);
		return false;
	}
	memset(place, 0, entry->size);
	memcpy(place, text, length);
	return true;
}

static bool read_value(struct keys_reader *reader, const struct yaml_node *node,
		       const struct keys_entry *entry, void *into)
{
	static const char *const BOOLEANS[] = { "false", "true", NULL };
	bool yes;
	size_t place;

	switch (entry->type) {
	case KEYS_COUNT:
	case KEYS_OCTAL:
	case KEYS_TIME:
	case KEYS_BYTES:
	case KEYS_COUNT_PER_S:
	case KEYS_BYTES_PER_S:
	case KEYS_LOG2:
		return read_number(reader, node, entry, into);
	case KEYS_BOOL:
		if (!keys_word(reader, node, BOOLEANS, &place))
			return false;
		yes = place == 1;
		memcpy((char *)into + entry->offset, &yes, sizeof(yes));
		return true;
	case KEYS_WORD:
		if (!keys_word(reader, node, entry->words, &place))
			return false;
		store(into, entry, place);
		return true;
	case KEYS_TEXT:
		return read_text(reader, node, entry, into);
	case KEYS_MAP:
		return keys_read(reader, node, entry->keys, into);
	case KEYS_OTHER:
		return node->kind != YAML_BROKEN &&
		       entry->read(reader, node, into);
	}
	return false;
}

bool keys_read(struct keys_reader *reader, const struct yaml_node *map,
	       const struct keys_entry *entries, void *into)
{
	bool good;

	if (map->kind != YAML_MAP) {
		char right[192];

		list_names(entries, right, sizeof(right));
		if (map->kind != YAML_BROKEN)
			keys_error(reader, map, right,
				   "a map of keys and values is wanted here");
		return false;
	}
	good = refuse_unknown_keys(reader, map, entries);
	for (; entries->name != NULL; entries++) {
		const struct yaml_node *node =
			yaml_tree_find(map, entries->name);
		size_t before = keys_enter(reader, entries->name);

		if (node != NULL)
			good &= read_value(reader, node, entries, into);
		else if (entries->required) {
			keys_error(reader, map, entries->help, "is missing");
			good = false;
		}
		keys_leave(reader, before);
	}
	return good;
}

bool keys_each(struct keys_reader *reader, const struct yaml_node *node,
	       size_t max,
	       bool (*one)(struct keys_reader *reader,
			   const struct yaml_node *node, void *into),
	       void *into)
{
	const struct yaml_node *child = node->first;
	bool good = true;

	if (node->kind == YAML_BROKEN)
		return false;
	if (node->kind == YAML_MAP) {
		keys_error(reader, node, "begin each of its values with \"- \"",
			   "is a map, where a list is wanted");
		return false;
	}
	if (node->kind == YAML_SCALAR)
		return one(reader, node, into);
	if (node->count == 0) {
		keys_error(reader, node,
			   "give at least one value, or leave the key out",
			   "is an empty list");
		return false;
	}
	if (node->count > max) {
		char right[32];

		snprintf(right, sizeof(right), "at most %zu", max);
		keys_error(reader, node, right, "%zu values are too many",
			   node->count);
		return false;
	}
	for (size_t i = 0; child != NULL; i++, child = child->next) {
		size_t before = keys_enter_index(reader, i);

		if (child->kind == YAML_BROKEN)
			good = false;
		else
			good &= one(reader, child, into);
		keys_leave(reader, before);
	}
	return good;
}
