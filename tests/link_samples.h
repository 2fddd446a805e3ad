/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LINK_SAMPLES_H
#define TESTS_LINK_SAMPLES_H

/*
 * Frames of every link type, written out by hand, and what must be found in
 * them: rows for the unit test, seeds for the fuzzer.  The packet in them is a
 * DNS question from 10.20.0.7 or 2001:db8:20::7.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/link.h"

enum { LINK_SAMPLE_MAX_BYTES = 256 };

struct link_sample {
	const char *name;
	const char *hex; /* blanks are skipped */
	uint32_t link_type;
	enum link_status status;
	enum packet_error error; /* when parsed */
	uint16_t ethertype;      /* when that is PACKET_OK */
	uint16_t vlan[2];
	bool link_group;
};

extern const struct link_sample link_samples[];
extern const size_t link_samples_count;

/* The bytes of one; returns how many. */
uint32_t link_sample_bytes(const struct link_sample *sample,
			   uint8_t ret_bytes[LINK_SAMPLE_MAX_BYTES]);

#endif
