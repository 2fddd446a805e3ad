/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PUMP_WORLD_H
#define TESTS_PUMP_WORLD_H

/*
 * Bytes as a sequence of operations on a tiny pump: packets of a few hosts,
 * peers and ports in batches, also super-packets; bringing back what was set
 * aside, late and in pieces; time; other policies, exemptions, releases,
 * drains, export and import, readers.  Aborts when a packet is lost, doubled,
 * overtaken or dropped without being counted, when a bound is passed, when
 * something waits that nothing will call, or when the pump contradicts itself.
 *
 * Any bytes will do: a fuzzer's, or a random generator's.  With SYMTAP_TRACE
 * in the environment every packet's fate and every operation is told.
 */

#include <stddef.h>
#include <stdint.h>

void pump_world_run(const uint8_t *bytes, size_t count);

#endif
