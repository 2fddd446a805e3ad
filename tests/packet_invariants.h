/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PACKET_INVARIANTS_H
#define TESTS_PACKET_INVARIANTS_H

#include <stdint.h>

#include "flowtable/packet.h"

/*
 * Parse hostile bytes (ethertype 0: a frame) from a buffer of exactly their
 * size, and assert what must hold of every answer.  Returns the parser's.
 */
enum packet_error packet_invariants_hold(uint16_t ethertype,
					 const uint8_t *bytes,
					 uint32_t captured_bytes,
					 uint32_t wire_bytes);

#endif
