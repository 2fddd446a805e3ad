/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LINK_INVARIANTS_H
#define TESTS_LINK_INVARIANTS_H

#include "sim/link.h"

/*
 * Parse a hostile frame from a buffer of exactly its size, and assert what must
 * hold of every answer.  Returns what link_parse did, and what it wrote.
 */
enum link_status link_invariants_hold(uint32_t link_type, const uint8_t *bytes,
				      uint32_t captured_bytes,
				      uint32_t wire_bytes,
				      struct packet_meta *ret_meta,
				      enum packet_error *ret_error);

#endif
