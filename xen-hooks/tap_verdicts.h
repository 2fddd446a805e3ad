/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_VERDICTS_H
#define XEN_HOOKS_TAP_VERDICTS_H

/*
 * Verdicts on their way to the carrier, in order; those that the wire has no
 * room for wait here.  All-zero is empty.  Internal to the judge.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/tap.h"

struct tapwire;

enum { TAPVERDICTS_MAX = 8192 };

struct tapverdicts {
	struct {
		uint64_t id;
		uint32_t verdict, lease_pkts;
	} waiting[TAPVERDICTS_MAX];
	size_t from, count;
};

/* false: too many wait. */
bool tapverdicts_add(struct tapverdicts *verdicts, uint64_t id,
		     enum tap_verdict verdict, uint32_t lease_pkts);

/* As many as there is room for.  true: something was sent. */
bool tapverdicts_send(struct tapverdicts *verdicts, const struct tapwire *wire);

#endif
