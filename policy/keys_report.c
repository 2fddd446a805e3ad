/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The path of the value being read, and messages about it. */
#include "policy/keys.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/errors.h"
#include "policy/yaml.h"

static size_t extend_path(struct keys_reader *reader, const char *text)
{
	size_t before = reader->path_length;
	size_t room = sizeof(reader->path) - before;
	int length = snprintf(reader->path + before, room, "%s", text);

	if (length > 0)
		reader->path_length += (size_t)length < room ? (size_t)length
							     : room - 1;
	return before;
}

size_t keys_enter(struct keys_reader *reader, const char *name)
{
	size_t before = reader->path_length;

	if (before > 0)
		extend_path(reader, ".");
	extend_path(reader, name);
	return before;
}

size_t keys_enter_index(struct keys_reader *reader, size_t index)
{
	char text[32];

	snprintf(text, sizeof(text), "[%zu]", index);
	return extend_path(reader, text);
}

void keys_leave(struct keys_reader *reader, size_t length)
{
	reader->path_length = length;
	reader->path[length] = '\0';
}

static void add(struct keys_reader *reader, bool warning, uint32_t line,
		uint32_t column, const char *right, const char *wrong,
		va_list arguments)
{
	struct policy_error error = {
		.warning = warning,
		.line = line,
		.column = column,
	};

	snprintf(error.key, sizeof(error.key), "%s", reader->path);
	vsnprintf(error.wrong, sizeof(error.wrong), wrong, arguments);
	snprintf(error.right, sizeof(error.right), "%s", right);
	policy_errors_add(reader->errors, &error);
}

void keys_error(struct keys_reader *reader, const struct yaml_node *node,
		const char *right, const char *wrong, ...)
{
	va_list arguments;

	va_start(arguments, wrong);
	add(reader, false, node != NULL ? node->line : 0,
	    node != NULL ? node->column : 0, right, wrong, arguments);
	va_end(arguments);
}

void keys_warning(struct keys_reader *reader, const struct yaml_node *node,
		  const char *right, const char *wrong, ...)
{
	va_list arguments;

	va_start(arguments, wrong);
	add(reader, true, node != NULL ? node->line : 0,
	    node != NULL ? node->column : 0, right, wrong, arguments);
	va_end(arguments);
}

void keys_key_error(struct keys_reader *reader, const struct yaml_node *node,
		    const char *right, const char *wrong, ...)
{
	va_list arguments;

	va_start(arguments, wrong);
	add(reader, false, node->key_line, node->key_column, right, wrong,
	    arguments);
	va_end(arguments);
}
