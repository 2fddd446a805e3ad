/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_UNITS_H
#define POLICY_UNITS_H

/*
 * "2ms", "64KiB", "2.885" to integers and back.  Whole numbers only, no sign,
 * no leading zero; a unit is required except for 0.  No floating point and no
 * locale.
 */

#include <stddef.h>
#include <stdint.h>

enum units_result {
	UNITS_OK,
	UNITS_MALFORMED,    /* not a number of that kind */
	UNITS_OUT_OF_RANGE, /* also when it overflows */
};

enum { UNITS_TEXT_SIZE = 32 };

/* "65536".  `min` and `max` belong to the range, here and below. */
enum units_result units_parse_count(const char *text, uint64_t min,
				    uint64_t max, uint64_t *ret_count);

/* "0660": octal digits, at least one. */
enum units_result units_parse_octal(const char *text, uint64_t min,
				    uint64_t max, uint64_t *ret_value);

/* ns us ms s m h, to nanoseconds. */
enum units_result units_parse_time(const char *text, uint64_t min_ns,
				   uint64_t max_ns, uint64_t *ret_ns);

/* B KiB MiB GiB TiB, to bytes. */
enum units_result units_parse_bytes(const char *text, uint64_t min_bytes,
				    uint64_t max_bytes, uint64_t *ret_bytes);

/* "20000/s". */
enum units_result units_parse_count_per_s(const char *text, uint64_t min,
					  uint64_t max, uint64_t *ret_count);

/* "100MB/s": B kB MB GB KiB MiB GiB, to bytes a second. */
enum units_result units_parse_bytes_per_s(const char *text, uint64_t min,
					  uint64_t max, uint64_t *ret_bytes);

/*
 * A logarithm to base 2, 0 to 15 with up to nine decimals, to the ratio
 * 2^text x 65536, rounded to nearest: "2.0" is exactly 262144.
 */
enum units_result units_parse_log2(const char *text, uint32_t *ret_ratio_q16);

/* The shortest text that parses back to the same value. */
void units_print_time(uint64_t ns, char ret_text[UNITS_TEXT_SIZE]);
void units_print_bytes(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE]);
void units_print_count_per_s(uint64_t count, char ret_text[UNITS_TEXT_SIZE]);
void units_print_bytes_per_s(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE]);

/* As above, with at least one decimal ("2.0").  A ratio that no nine decimals
 * make (none that was parsed) prints as the next lower one that they do. */
void units_print_log2(uint32_t ratio_q16, char ret_text[UNITS_TEXT_SIZE]);

#endif
