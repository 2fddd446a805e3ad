/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/errors.h"

#include <stdio.h>
#include <string.h>

static void make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
	}
}

void policy_errors_init(struct policy_errors *errors, const char *file_name)
{
	memset(errors, 0, sizeof(*errors));
	snprintf(errors->file_name, sizeof(errors->file_name), "%s", file_name);
	make_printable(errors->file_name);
}

static struct policy_error *find_room(struct policy_errors *errors,
				      bool warning)
{
	if (errors->count < POLICY_ERRORS_MAX)
		return &errors->list[errors->count++];
	if (warning)
		return NULL;
	for (size_t i = errors->count; i-- > 0;) {
		if (errors->list[i].warning)
			return &errors->list[i];
	}
	return NULL;
}

void policy_errors_add(struct policy_errors *errors,
		       const struct policy_error *error)
{
	struct policy_error *place = find_room(errors, error->warning);

	if (error->warning)
		errors->warnings++;
	else
		errors->errors++;
	if (place == NULL)
		return;
	*place = *error;
	make_printable(place->key);
	make_printable(place->wrong);
	make_printable(place->right);
}

bool policy_errors_count_only(struct policy_errors *errors)
{
	if (errors->errors < POLICY_ERRORS_MAX)
		return false;
	errors->errors++;
	return true;
}

static bool comes_before(const struct policy_error *a,
			 const struct policy_error *b)
{
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

void policy_errors_sort(struct policy_errors *errors)
{
	for (size_t i = 1; i < errors->count; i++) {
		struct policy_error error = errors->list[i];
		size_t j = i;

		for (; j > 0 && comes_before(&error, &errors->list[j - 1]); j--)
			errors->list[j] = errors->list[j - 1];
		errors->list[j] = error;
	}
}

size_t policy_errors_print(const struct policy_errors *errors, size_t index,
			   char *ret_text, size_t size)
{
	const struct policy_error *error = &errors->list[index];
	char place[32] = "";
	int length;

	if (error->line != 0)
		snprintf(place, sizeof(place), ":%u:%u", error->line,
			 error->column);
	length = snprintf(ret_text, size, "%s%s: %s: %s%s%s%s%s",
			  errors->file_name, place,
			  error->warning ? "warning" : "error", error->key,
			  error->key[0] != '\0' ? ": " : "", error->wrong,
			  error->right[0] != '\0' ? "; " : "", error->right);
	if (length < 0)
		return 0;
	return (size_t)length < size ? (size_t)length : size - 1;
}
