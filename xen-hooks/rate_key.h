/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_RATE_KEY_H
#define XEN_HOOKS_RATE_KEY_H

/*
 * The key `rate` of a vif's backend node, which netback obeys as soon as it is
 * written: "BYTES,MICROSECONDS", for each of its queues.  It belongs to the
 * operator: what we write over stands in `symtap-rate` beside it, with what we
 * wrote, before anything is changed.  So whoever comes after us, were we killed
 * or not, can tell our value from the operator's, and put his back as it was.
 * Each call is one transaction: whatever the operator writes at any time is
 * seen by the next.
 */

#include <stddef.h>
#include <stdint.h>

struct store;

/* Beside `rate`, as long as that is ours. */
#define RATEKEY_NOTE "symtap-rate"

enum { RATEKEY_VALUE_BYTES = 64 }; /* of ours, with its end */

/*
 * Let the guest send `window_bytes` in RATEPACE_WINDOW_US by all its queues
 * together, or what the operator allows if that is less.  ret_value: what
 * stands there now.  0 or -errno; -ENOENT: the vif is gone, -EMSGSIZE: the
 * operator's value is too long to be one.
 */
int ratekey_limit(struct store *store, uint32_t domain, uint32_t handle,
		  uint32_t queues, uint32_t window_bytes,
		  char ret_value[RATEKEY_VALUE_BYTES]);

/* The operator's value again, or none.  0, also when nothing is ours there, or
 * -errno. */
int ratekey_free(struct store *store, uint32_t domain, uint32_t handle);

/* 1: `value` stands there; 0: another, or none; or -errno. */
int ratekey_is(struct store *store, uint32_t domain, uint32_t handle,
	       const char *value);

/* What the operator allows by all queues in that window, UINT32_MAX: anything,
 * as netback takes what it cannot read.  Pure. */
uint32_t ratekey_window_bytes(const char *value, uint32_t queues);

#endif
