/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is every key in the manual, with its range?  manual policy|scenario PAGE
 *
 * The page has a subsection for every map ("Top level", "limiter",
 * "rules.match") and in it an item for every key, ".It Ic key".
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/keys.h"
#include "policy/parse.h"
#include "sim/world/scenario.h"

enum { PAGE_SIZE = 262144 };

static char page[PAGE_SIZE];

static bool read_page(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t bytes;

	if (file == NULL)
		return false;
	bytes = fread(page, 1, PAGE_SIZE - 1, file);
	page[bytes] = '\0';
	fclose(file);
	return bytes > 0 && bytes < PAGE_SIZE - 1;
}

/* From the line `head` to the next that begins like one of `ends`; the
 * caller's to free.  NULL: there is none. */
static char *cut(const char *text, const char *head, const char *const *ends)
{
	char line[128];
	const char *start, *end;

	snprintf(line, sizeof(line), "\n%s\n", head);
	start = strstr(text, line);
	if (start == NULL)
		return NULL;
	start += strlen(line) - 1;
	end = start + strlen(start);
	for (; *ends != NULL; ends++) {
		const char *next = strstr(start, *ends);

		if (next != NULL && next < end)
			end = next;
	}
	return strndup(start, (size_t)(end - start));
}

static bool has_range(const struct keys_entry *entry, char *item)
{
	char description[192];
	const char *range;

	switch (entry->type) {
	case KEYS_COUNT:
	case KEYS_OCTAL:
	case KEYS_TIME:
	case KEYS_BYTES:
	case KEYS_COUNT_PER_S:
	case KEYS_BYTES_PER_S:
	case KEYS_LOG2:
		break;
	case KEYS_BOOL:
	case KEYS_WORD:
	case KEYS_TEXT:
	case KEYS_MAP:
	case KEYS_OTHER:
		return true;
	}
	keys_describe(entry, description, sizeof(description));
	range = strstr(description, "from ");
	for (char *at = item; *at != '\0'; at++) {
		if (*at == '\n')
			*at = ' ';
	}
	return range != NULL && strstr(item, range + strlen("from ")) != NULL;
}

static bool has_words(const struct keys_entry *entry, const char *item)
{
	for (size_t i = 0; entry->words != NULL && entry->words[i] != NULL;
	     i++) {
		if (strstr(item, entry->words[i]) == NULL)
			return false;
	}
	return entry->zero_word == NULL ||
	       strstr(item, entry->zero_word) != NULL;
}

static bool check_entry(const char *section, const char *path,
			const struct keys_entry *entry)
{
	static const char *const ENDS[] = { "\n.It Ic", "\n.Ss", "\n.Sh",
					    NULL };
	char head[64], *item;
	bool good;

	snprintf(head, sizeof(head), ".It Ic %s", entry->name);
	item = cut(section, head, ENDS);
	if (item == NULL) {
		printf("%s: there is no item %s\n", path, entry->name);
		return false;
	}
	good = has_words(entry, item) && has_range(entry, item);
	if (!good)
		printf("%s: %s lacks a word or its range:%s\n", path,
		       entry->name, item);
	free(item);
	return good;
}

static bool check_table(const char *path, const struct keys_entry *entries,
			size_t *count)
{
	static const char *const ENDS[] = { "\n.Ss", "\n.Sh", NULL };
	char head[128], *section;
	bool good = true;

	snprintf(head, sizeof(head), ".Ss %s",
		 path[0] == '\0' ? "Top level" : path);
	section = cut(page, head, ENDS);
	if (section == NULL) {
		printf("there is no subsection %s\n", path);
		return false;
	}
	for (; entries->name != NULL; entries++, (*count)++) {
		char below[96];

		good &= check_entry(section, path, entries);
		if (entries->keys == NULL)
			continue;
		snprintf(below, sizeof(below), "%s%s%s", path,
			 path[0] != '\0' ? "." : "", entries->name);
		good &= check_table(below, entries->keys, count);
	}
	free(section);
	return good;
}

int main(int argc, char **argv)
{
	size_t count = 0;
	bool good;

	if (argc != 3 || !read_page(argv[2]))
		return 2;
	good = check_table("",
			   strcmp(argv[1], "scenario") == 0 ? scenario_keys()
							    : policy_keys(),
			   &count);
	printf("%zu keys\n", count);
	return good && count > 0 ? 0 : 1;
}
