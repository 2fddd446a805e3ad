/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_RECORD_H
#define XEN_HOOKS_NETBACK_RECORD_H

/* A key as the module tells it, and as everybody else here has it.  Its zone is
 * the VLAN that it is in. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pump_record;

enum { NETBACKRECORD_BYTES = 328 };

/* Of NETBACKRECORD_BYTES, with any alignment.  false: it makes no sense. */
bool netbackrecord_read(const uint8_t *bytes, struct pump_record *ret_record);

/* false: the module has no such keys. */
bool netbackrecord_write(const struct pump_record *record,
			 uint8_t ret_bytes[NETBACKRECORD_BYTES]);

#endif
