/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_COUNTED_H
#define SHAPER_IO_FAST_COUNTED_H

/* What the kernel program counts of a pair or a flow, as the pump has it. */

#include <stdint.h>

#include "flowtable/flow.h"

struct fasttable;
struct pump_lease;

/*
 * Oldest first, each bucket at its last moment: there it would be counted
 * again, should the key be leased anew.  Writes nothing; any content is as
 * good.
 */
void fastcounted_read(const struct fasttable *table, uint32_t at,
		      enum flow_scope scope, uint64_t now_ns,
		      struct pump_lease *ret_lease);

/* What the program begins with. */
void fastcounted_write(const struct fasttable *table, uint32_t at,
		       enum flow_scope scope, const struct pump_lease *lease,
		       uint64_t now_ns);

#endif
