/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_ANNOUNCE_H
#define XEN_HOOKS_ANNOUNCE_H

/*
 * What tells a network that an address is now elsewhere: an unsolicited ARP
 * request (RFC 5227 section 2.3) or neighbour advertisement (RFC 4861 section
 * 7.2.6), as a frame.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

struct policy_prefix;

enum { ANNOUNCE_BYTES = 86 };

/* How many bytes were written; 0: `prefix` is not one address of a host. */
size_t announce_frame(const uint8_t mac[6], const struct policy_prefix *prefix,
		      uint8_t ret_frame[ANNOUNCE_BYTES]);

#endif
