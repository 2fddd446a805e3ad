/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_WAY_RATE_H
#define XEN_HOOKS_WAY_RATE_H

/*
 * The way `rate`: vifs that netback is told to pause while their guest owes
 * packets (rate_pace.h), by the key `rate` in XenStore (rate_key.h).  Of the
 * process that follows XenStore.
 */

#include <stdbool.h>
#include <stdint.h>

#include "xen-hooks/vif_keys.h"

struct store;
struct wayrate;

struct wayrate_stats {
	uint64_t changes; /* by somebody else, while it was ours */
	uint64_t failed;  /* XenStore refused */
};

/* NULL: out of memory. */
struct wayrate *wayrate_new(void);
void wayrate_free(struct wayrate *rates);

/* A vif is there, or some key of it is another.  What somebody left there who
 * was killed is the operator's again.  false: out of memory. */
bool wayrate_know(struct wayrate *rates, struct store *store,
		  const struct vifkeys *keys);
/* It leaves; it need not be known.  `store` may be NULL. */
void wayrate_forget(struct wayrate *rates, struct store *store, uint32_t domain,
		    uint32_t handle);

/* An engine says so; of a vif that is not known: nothing.  packet_bytes: as
 * ratepace_owes has it. */
void wayrate_owes(struct wayrate *rates, const char *interface, uint32_t engine,
		  uint32_t packet_bytes, uint64_t now_ns);

/* Somebody wrote its key. */
void wayrate_touched(struct wayrate *rates, uint32_t domain, uint32_t handle);
/* Of all of them, maybe: there was no connection. */
void wayrate_lost(struct wayrate *rates);

/* Write what is to be written.  `store`: NULL while there is none. */
void wayrate_advance(struct wayrate *rates, struct store *store,
		     uint64_t now_ns);
uint64_t wayrate_next_ns(const struct wayrate *rates);

/* All keys are the operator's again: nobody says any more what is owed. */
void wayrate_let_go(struct wayrate *rates, struct store *store);

const struct wayrate_stats *wayrate_stats(const struct wayrate *rates);

#endif
