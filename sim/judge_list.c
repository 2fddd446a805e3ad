/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"

enum { FILE_NAME_MAX = 1024 };

static const char *const families[JUDGE_FAMILIES] = {
	[JUDGE_LEGIT] = "legit",
	[JUDGE_SILENT_TARGET] = "silent-target",
	[JUDGE_ANSWERED_FLOOD] = "answered-flood",
	[JUDGE_SWEEP] = "sweep",
	[JUDGE_FORGED] = "forged",
	[JUDGE_REFLECTED] = "reflected-at-victim",
	[JUDGE_BROADCAST] = "broadcast",
	[JUDGE_ANSWERED] = "answered",
};

const char *judge_family_name(enum judge_family family)
{
	return families[family];
}

const char *judge_class_name(enum judge_family family)
{
	return family == JUDGE_LEGIT ? "legit" : "attack";
}

static bool __attribute__((format(printf, 2, 3)))
wrong(struct judge_list_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return false;
}

/* What is shown of a field: at most so much, and nothing that a terminal
 * would act upon. */
static const char *quote(const char *field)
{
	static _Thread_local char shown[48];
	size_t i = 0;

	for (; field[i] && i < sizeof(shown) - 1; i++)
		shown[i] = field[i] < ' ' || field[i] > '~' ? '?' : field[i];
	shown[i] = 0;
	return shown;
}

/* Nothing above the folder. */
static bool is_below(const char *file)
{
	const char *part = file;

	if (*file == '/' || *file == 0)
		return false;
	while (part) {
		size_t length = strcspn(part, "/");

		if (length == 0 || (length == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part = part[length] ? part + length + 1 : NULL;
	}
	return true;
}

static bool parse_file(const char *field, const struct judge_list *list,
		       struct judge_list_error *error)
{
	if (strlen(field) > FILE_NAME_MAX)
		return wrong(error, "file: longer than %d bytes",
			     FILE_NAME_MAX);
	if (!is_below(field))
		return wrong(error,
			     "file: \"%s\" is not a path below this folder",
			     quote(field));
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->entries[i].file, field) == 0)
			return wrong(error, "file: \"%s\" stands here twice",
				     quote(field));
	return true;
}

static bool parse_family(const char *class_name, const char *field,
			 enum judge_family *ret_family,
			 struct judge_list_error *error)
{
	size_t i = 0;

	if (strcmp(class_name, "legit") != 0 &&
	    strcmp(class_name, "attack") != 0)
		return wrong(error, "class: \"%s\" is neither legit nor attack",
			     quote(class_name));
	while (i < JUDGE_FAMILIES && strcmp(families[i], field) != 0)
		i++;
	if (i == JUDGE_FAMILIES)
		return wrong(error,
			     "family: \"%s\" is none of legit, silent-target, "
			     "answered-flood, sweep, forged, "
			     "reflected-at-victim, broadcast, answered",
			     quote(field));
	if (strcmp(judge_class_name((enum judge_family)i), class_name) != 0)
		return wrong(error, "family: %s is no family of class %s",
			     families[i], class_name);
	*ret_family = (enum judge_family)i;
	return true;
}

static bool parse_guarded(const char *field, struct judge_entry *entry,
			  struct judge_list_error *error)
{
	entry->guarded = JUDGE_GUARDED_PREFIX;
	if (strcmp(field, "initiators") == 0)
		entry->guarded = JUDGE_GUARDED_INITIATORS;
	else if (strcmp(field, "responders") == 0)
		entry->guarded = JUDGE_GUARDED_RESPONDERS;
	else if (address_parse_prefix(field, &entry->prefix) != ADDRESS_OK)
		return wrong(error,
			     "guarded: \"%s\" is neither a prefix, such as "
			     "10.20.0.0/16, nor initiators or responders",
			     quote(field));
	if (entry->family == JUDGE_FORGED &&
	    entry->guarded != JUDGE_GUARDED_PREFIX)
		return wrong(error, "guarded: forged sources are told by the "
				    "prefix that belongs there");
	return true;
}

/* `line` ends with a 0 and is cut up. */
static bool parse_line(char *line, struct judge_list *list,
		       struct judge_list_error *error)
{
	enum { FIELDS = 4 };
	char *fields[FIELDS];
	struct judge_entry *entry;
	struct judge_entry *entries;
	size_t count = 0;

	for (char *at = line; at; count++) {
		char *end = strchr(at, '\t');

		if (end)
			*end = 0;
		if (count < FIELDS)
			fields[count] = at;
		at = end ? end + 1 : NULL;
	}
	if (count != FIELDS)
		return wrong(error,
			     "%zu column%s, not 4 (file, class, family, "
			     "guarded) between tabs",
			     count, count == 1 ? "" : "s");
	if (list->count == JUDGE_ROWS_MAX)
		return wrong(error, "more than %d captures", JUDGE_ROWS_MAX);
	entries = realloc(list->entries, (list->count + 1) * sizeof(*entries));
	if (!entries)
		return wrong(error, "out of memory");
	list->entries = entries;
	entry = &entries[list->count];
	*entry = (struct judge_entry){ 0 };
	if (!parse_file(fields[0], list, error) ||
	    !parse_family(fields[1], fields[2], &entry->family, error) ||
	    !parse_guarded(fields[3], entry, error))
		return false;
	entry->file = strdup(fields[0]);
	if (!entry->file)
		return wrong(error, "out of memory");
	list->count++;
	return true;
}

static bool parse_lines(char *text, struct judge_list *list,
			struct judge_list_error *error)
{
	for (char *line = text; line;) {
		char *end = strchr(line, '\n');

		error->line++;
		if (end) {
			*end = 0;
			if (end > line && end[-1] == '\r')
				end[-1] = 0;
		}
		if (error->line == 1) {
			if (strcmp(line, "file\tclass\tfamily\tguarded") != 0)
				return wrong(error, "the first line is not "
						    "\"file class family "
						    "guarded\", with tabs");
		} else if (*line && !parse_line(line, list, error)) {
			return false;
		}
		line = end ? end + 1 : NULL;
	}
	error->line = 0;
	if (list->count == 0)
		return wrong(error, "no capture stands in it");
	return true;
}

bool judge_list_parse(const char *text, size_t bytes,
		      struct judge_list *ret_list,
		      struct judge_list_error *error)
{
	struct judge_list list = { 0 };
	char *copy;
	bool good;

	*error = (struct judge_list_error){ 0 };
	if (bytes > JUDGE_LIST_BYTES_MAX)
		return wrong(error, "larger than 1 MiB");
	if (memchr(text, 0, bytes))
		return wrong(error, "a byte of it is 0: this is no text");
	copy = strndup(text, bytes);
	if (!copy)
		return wrong(error, "out of memory");
	good = parse_lines(copy, &list, error);
	free(copy);
	if (good)
		*ret_list = list;
	else
		judge_list_fini(&list);
	return good;
}

void judge_list_fini(struct judge_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].file);
	free(list->entries);
	*list = (struct judge_list){ 0 };
}
