/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goldens of the policy file: runner FOLDER [update] [FILE...]
 *
 * Beside every FOLDER/wrong/NAME.yaml stands NAME.txt with what is said of it,
 * and beside every FOLDER/right/NAME.yaml one with its warnings and how it
 * prints.  Each FILE, NAME.yaml, must be right without a warning, and
 * FOLDER/shipped/NAME.txt has how it prints.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/print.h"

enum { TEXT_SIZE = 65536 };

static bool read_all(const char *path, char *ret_text, size_t *ret_bytes)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return false;
	*ret_bytes = fread(ret_text, 1, TEXT_SIZE - 1, file);
	ret_text[*ret_bytes] = '\0';
	fclose(file);
	return *ret_bytes < TEXT_SIZE - 1;
}

static bool write_all(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");
	bool good;

	if (file == NULL)
		return false;
	good = fputs(text, file) >= 0;
	return fclose(file) == 0 && good;
}

static void add_messages(const struct policy_errors *errors, char *text)
{
	size_t said = errors->count, length = strlen(text);

	for (size_t i = 0; i < said; i++) {
		length += policy_errors_print(errors, i, text + length,
					      TEXT_SIZE - length);
		length += (size_t)snprintf(text + length, TEXT_SIZE - length,
					   "\n");
	}
	if (errors->errors + errors->warnings > said)
		snprintf(text + length, TEXT_SIZE - length, "%zu more\n",
			 errors->errors + errors->warnings - said);
}

static bool parses_back(const struct policy *policy, const char *printed)
{
	struct policy_errors errors;
	struct policy *again;
	bool equal;

	if (!policy_parse("printed", printed, strlen(printed), &again, &errors))
		return false;
	equal = policy_equal(policy, again);
	policy_free(again);
	return equal;
}

/* What is said of a file, into `text`; false: not what it should be. */
static bool describe(const char *path, const char *name, bool right, char *text)
{
	static char file[TEXT_SIZE];
	char shown[1024];
	struct policy_errors errors;
	struct policy *policy = NULL;
	char *printed;
	size_t bytes;
	bool good;

	text[0] = '\0';
	if (!read_all(path, file, &bytes))
		return false;
	snprintf(shown, sizeof(shown), "%s.yaml", name);
	good = policy_parse(shown, file, bytes, &policy, &errors) == right;
	add_messages(&errors, text);
	if (policy == NULL)
		return good && errors.errors > 0;
	printed = policy_print(policy);
	if (printed == NULL || strlen(text) + strlen(printed) >= TEXT_SIZE)
		abort();
	strcat(text, printed);
	good = good && parses_back(policy, printed);
	free(printed);
	policy_free(policy);
	return good;
}

static bool compare(const char *path, const char *text, bool update)
{
	static char golden[TEXT_SIZE];
	size_t bytes;

	if (update)
		return write_all(path, text);
	if (read_all(path, golden, &bytes) && strcmp(golden, text) == 0)
		return true;
	printf("%s: it says\n%s", path, text);
	return false;
}

static bool check_golden(const char *folder, const char *name, bool right,
			 bool update)
{
	static char text[TEXT_SIZE];
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
	if (!describe(path, name, right, text)) {
		printf("%s is not %s, or does not parse back:\n%s", path,
		       right ? "right" : "wrong", text);
		return false;
	}
	snprintf(path, sizeof(path), "%s/%s.txt", folder, name);
	return compare(path, text, update);
}

static bool check_folder(const char *top, const char *which, bool right,
			 bool update)
{
	char folder[512];
	struct dirent **entries;
	size_t checked = 0;
	bool good = true;
	int count;

	snprintf(folder, sizeof(folder), "%s/%s", top, which);
	count = scandir(folder, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *name = entries[i]->d_name, *dot = strrchr(name, '.');

		if (dot != NULL && strcmp(dot, ".yaml") == 0) {
			*dot = '\0';
			good &= check_golden(folder, name, right, update);
			checked++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	printf("%s: %zu files\n", which, checked);
	return good && checked > 0;
}

static bool check_shipped(const char *top, const char *file, bool update)
{
	static char text[TEXT_SIZE];
	const char *base = strrchr(file, '/');
	char name[256], path[1024];

	base = base != NULL ? base + 1 : file;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(base, "."), base);
	if (!describe(file, name, true, text) || strstr(text, ": warning: ")) {
		printf("%s is not right without a warning, or does not parse "
		       "back:\n%s",
		       file, text);
		return false;
	}
	snprintf(path, sizeof(path), "%s/shipped/%s.txt", top, name);
	return compare(path, text, update);
}

int main(int argc, char **argv)
{
	bool update = argc > 2 && strcmp(argv[2], "update") == 0;
	bool good;

	if (argc < 2)
		return 2;
	good = check_folder(argv[1], "wrong", false, update);
	good &= check_folder(argv[1], "right", true, update);
	for (int i = update ? 3 : 2; i < argc; i++)
		good &= check_shipped(argv[1], argv[i], update);
	return good ? 0 : 1;
}
