/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: printing takes the first that divides. */
static const struct unit TIME_UNITS[] = {
	{ "h", UINT64_C(3600000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "s", UINT64_C(1000000000) },
	{ "ms", UINT64_C(1000000) },
	{ "us", UINT64_C(1000) },
	{ "ns", UINT64_C(1) },
	{ NULL, 0 },
};

static const struct unit BYTE_UNITS[] = {
	{ "TiB", UINT64_C(1) << 40 }, { "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 }, { "KiB", UINT64_C(1) << 10 },
	{ "B", UINT64_C(1) },         { NULL, 0 },
};

static const struct unit BYTES_PER_S_UNITS[] = {
	{ "GiB/s", UINT64_C(1) << 30 }, { "GB/s", UINT64_C(1000000000) },
	{ "MiB/s", UINT64_C(1) << 20 }, { "MB/s", UINT64_C(1000000) },
	{ "KiB/s", UINT64_C(1) << 10 }, { "kB/s", UINT64_C(1000) },
	{ "B/s", UINT64_C(1) },         { NULL, 0 },
};

static const struct unit COUNT_PER_S_UNITS[] = {
	{ "/s", UINT64_C(1) },
	{ NULL, 0 },
};

/* Digits at *text, which moves past them. */
static enum units_result read_digits(const char **text, unsigned base,
				     uint64_t *ret_value)
{
	const char *at = *text;
	enum units_result result = UNITS_OK;
	uint64_t value = 0;

	for (; *at >= '0' && (unsigned)(*at - '0') < base; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (value > (UINT64_MAX - digit) / base)
			result = UNITS_OUT_OF_RANGE;
		else
			value = value * base + digit;
	}
	if (at == *text)
		return UNITS_MALFORMED;
	*text = at;
	*ret_value = value;
	return result;
}

static enum units_result read_decimal(const char **text, uint64_t *ret_value)
{
	if ((*text)[0] == '0' && (*text)[1] >= '0' && (*text)[1] <= '9')
		return UNITS_MALFORMED;
	return read_digits(text, 10, ret_value);
}

static enum units_result within(uint64_t value, uint64_t min, uint64_t max,
				uint64_t *ret_value)
{
	if (value < min || value > max)
		return UNITS_OUT_OF_RANGE;
	*ret_value = value;
	return UNITS_OK;
}

enum units_result units_parse_count(const char *text, uint64_t min,
				    uint64_t max, uint64_t *ret_count)
{
	uint64_t value = 0;
	enum units_result result = read_decimal(&text, &value);

	if (result == UNITS_MALFORMED || *text != '\0')
		return UNITS_MALFORMED;
	if (result != UNITS_OK)
		return result;
	return within(value, min, max, ret_count);
}

enum units_result units_parse_octal(const char *text, uint64_t min,
				    uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	enum units_result result = read_digits(&text, 8, &value);

	if (result == UNITS_MALFORMED || *text != '\0')
		return UNITS_MALFORMED;
	if (result != UNITS_OK)
		return result;
	return within(value, min, max, ret_value);
}

static enum units_result parse_with_unit(const struct unit *units,
					 const char *text, uint64_t min,
					 uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	enum units_result result = read_decimal(&text, &value);

	if (result == UNITS_MALFORMED)
		return result;
	if (result == UNITS_OK && value == 0 && *text == '\0')
		return within(0, min, max, ret_value);
	while (units->name != NULL && strcmp(units->name, text) != 0)
		units++;
	if (units->name == NULL)
		return UNITS_MALFORMED;
	if (result != UNITS_OK || value > UINT64_MAX / units->factor)
		return UNITS_OUT_OF_RANGE;
	return within(value * units->factor, min, max, ret_value);
}

enum units_result units_parse_time(const char *text, uint64_t min_ns,
				   uint64_t max_ns, uint64_t *ret_ns)
{
	return parse_with_unit(TIME_UNITS, text, min_ns, max_ns, ret_ns);
}

enum units_result units_parse_bytes(const char *text, uint64_t min_bytes,
				    uint64_t max_bytes, uint64_t *ret_bytes)
{
	return parse_with_unit(BYTE_UNITS, text, min_bytes, max_bytes,
			       ret_bytes);
}

enum units_result units_parse_count_per_s(const char *text, uint64_t min,
					  uint64_t max, uint64_t *ret_count)
{
	return parse_with_unit(COUNT_PER_S_UNITS, text, min, max, ret_count);
}

enum units_result units_parse_bytes_per_s(const char *text, uint64_t min,
					  uint64_t max, uint64_t *ret_bytes)
{
	return parse_with_unit(BYTES_PER_S_UNITS, text, min, max, ret_bytes);
}

static void print_with_unit(const struct unit *units, uint64_t value,
			    char ret_text[UNITS_TEXT_SIZE])
{
	if (value == 0) {
		snprintf(ret_text, UNITS_TEXT_SIZE, "0");
		return;
	}
	while (value % units->factor != 0)
		units++;
	snprintf(ret_text, UNITS_TEXT_SIZE, "%" PRIu64 "%s",
		 value / units->factor, units->name);
}

void units_print_time(uint64_t ns, char ret_text[UNITS_TEXT_SIZE])
{
	print_with_unit(TIME_UNITS, ns, ret_text);
}

void units_print_bytes(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE])
{
	print_with_unit(BYTE_UNITS, bytes, ret_text);
}

void units_print_count_per_s(uint64_t count, char ret_text[UNITS_TEXT_SIZE])
{
	print_with_unit(COUNT_PER_S_UNITS, count, ret_text);
}

void units_print_bytes_per_s(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE])
{
	print_with_unit(BYTES_PER_S_UNITS, bytes, ret_text);
}

/* Logarithms are whole numbers of 1e-9 here. */
#define LOG2_ONE    UINT64_C(1000000000)
#define LOG2_MAX    (15 * LOG2_ONE)
#define LN2_Q60     UINT64_C(799144290325165979) /* ln 2 x 2^60 */
#define LOG2_DIGITS 9

/* a x b in Q60, both below 4; by halves, since C has no 128 bits. */
static uint64_t multiply_q60(uint64_t a, uint64_t b)
{
	uint64_t a_high = a >> 32, a_low = a & UINT32_MAX;
	uint64_t b_high = b >> 32, b_low = b & UINT32_MAX;
	uint64_t low = a_low * b_low;
	uint64_t middle = a_high * b_low + (low >> 32);
	uint64_t middle2 = a_low * b_high + (middle & UINT32_MAX);
	uint64_t high = a_high * b_high + (middle >> 32) + (middle2 >> 32);

	low = (middle2 << 32) | (low & UINT32_MAX);
	return (high << 4) | (low >> 60);
}

/*
 * 2^log2 = 2^whole x e^(part x ln 2), the latter as its power series: all
 * terms are positive and below 0.7^k / k!, so that twenty reach 2^-60.
 */
static uint32_t ratio_q16_of(uint64_t log2)
{
	uint64_t whole = log2 / LOG2_ONE, part = log2 % LOG2_ONE;
	uint64_t x_q60 = part * (LN2_Q60 / LOG2_ONE) +
			 part * (LN2_Q60 % LOG2_ONE) / LOG2_ONE;
	uint64_t term_q60 = UINT64_C(1) << 60, sum_q60 = term_q60;
	unsigned shift = 44 - (unsigned)whole;

	for (uint64_t k = 1; term_q60 != 0; k++) {
		term_q60 = multiply_q60(term_q60, x_q60) / k;
		sum_q60 += term_q60;
	}
	return (uint32_t)((sum_q60 + (UINT64_C(1) << (shift - 1))) >> shift);
}

enum units_result units_parse_log2(const char *text, uint32_t *ret_ratio_q16)
{
	uint64_t value = 0, part = 0, place = LOG2_ONE;
	enum units_result result = read_decimal(&text, &value);

	if (result == UNITS_MALFORMED)
		return result;
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++) {
			if (place == 1)
				return UNITS_MALFORMED;
			place /= 10;
			part += place * (unsigned)(*text - '0');
		}
		if (place == LOG2_ONE)
			return UNITS_MALFORMED;
	}
	if (*text != '\0')
		return UNITS_MALFORMED;
	if (result != UNITS_OK || value > 15 ||
	    value * LOG2_ONE + part > LOG2_MAX)
		return UNITS_OUT_OF_RANGE;
	*ret_ratio_q16 = ratio_q16_of(value * LOG2_ONE + part);
	return UNITS_OK;
}

/* The least logarithm whose ratio is at least `ratio_q16`. */
static uint64_t least_log2_of(uint64_t ratio_q16)
{
	uint64_t low = 0, high = LOG2_MAX + 1;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (middle <= LOG2_MAX && ratio_q16_of(middle) < ratio_q16)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void units_print_log2(uint32_t ratio_q16, char ret_text[UNITS_TEXT_SIZE])
{
	uint64_t first = least_log2_of(ratio_q16);
	uint64_t end = least_log2_of((uint64_t)ratio_q16 + 1);
	uint64_t step = LOG2_ONE / 10, value;
	size_t digits = 1;

	if (first == end && first > 0)
		first--; /* between two: no decimals make exactly this */
	for (;; step /= 10, digits++) {
		value = (first + step - 1) / step * step;
		if (step == 1 || value < end)
			break;
	}
	snprintf(ret_text, UNITS_TEXT_SIZE, "%u.%09u",
		 (unsigned)(value / LOG2_ONE), (unsigned)(value % LOG2_ONE));
	ret_text[strlen(ret_text) - LOG2_DIGITS + digits] = '\0';
}
