/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/value.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_t *value_count(uint64_t count)
{
	return json_integer((json_int_t)count);
}

struct json_t *value_decimal(double value)
{
	return json_real(round(value * 1e6) / 1e6);
}

struct json_t *value_ms(uint64_t ns)
{
	return value_decimal((double)ns / 1e6);
}

struct json_t *value_text(const char *text)
{
	json_t *json = json_string(text);
	char *copy;

	if (json)
		return json;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

bool value_write(struct json_t *json, const char *path)
{
	bool to_stdout = strcmp(path, "-") == 0;
	FILE *file = to_stdout ? stdout : fopen(path, "w");
	bool good = file && json &&
		    json_dumpf(json, file,
			       JSON_INDENT(1) | JSON_REAL_PRECISION(15)) == 0;

	if (good)
		good = fputc('\n', file) != EOF && fflush(file) == 0;
	if (file && !to_stdout && fclose(file) != 0)
		good = false;
	if (!good)
		fprintf(stderr, "symtap-sim: %s: %s\n", path,
			strerror(errno ? errno : ENOMEM));
	json_decref(json);
	return good;
}
