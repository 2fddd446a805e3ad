/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/values.h"

#include <jansson.h>
#include <math.h>

#include "shaper/daemon/explain.h"
#include "shaper/daemon/sentences.h"

/* Every number is finite here; three decimals are what a reader can use. */
json_t *values_decimal(double value)
{
	return json_real(round(value * 1000) / 1000);
}

json_t *values_seconds(uint64_t span_ns)
{
	return values_decimal((double)span_ns / 1e9);
}

json_t *values_count(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *values_since(uint64_t then_ns, uint64_t now_ns)
{
	if (then_ns == 0)
		return json_null();
	return values_seconds(now_ns > then_ns ? now_ns - then_ns : 0);
}

json_t *values_until(uint64_t then_ns, uint64_t now_ns)
{
	if (then_ns == 0)
		return json_null();
	return values_seconds(then_ns > now_ns ? then_ns - now_ns : 0);
}

json_t *values_address(const uint8_t address[16])
{
	char text[EXPLAIN_ADDRESS_BYTES];

	explain_address(address, text);
	return json_string(text);
}

/* A path or a name may hold any byte: what is not UTF-8 becomes '?'. */
json_t *values_text(const char *text)
{
	json_t *string = json_string(text);
	char ascii[SENTENCES_BYTES];
	size_t i;

	if (string != NULL)
		return string;
	for (i = 0; i < sizeof(ascii) - 1 && text[i] != '\0'; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}
