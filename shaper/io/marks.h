/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_MARKS_H
#define SHAPER_IO_MARKS_H

/*
 * Who else uses some bits of the packet mark: rules of routing, and nftables'
 * of others, those of iptables-nft among them.  What legacy iptables, tc and
 * programs do to the mark cannot be read.
 */

#include <stddef.h>
#include <stdint.h>

enum { MARKS_TEXT_BYTES = 128 };

struct marks_user {
	char text[MARKS_TEXT_BYTES]; /* "ip rule 100", ... */
};

/* At most `max` of them; *ret_count may be more.  0 or -errno. */
int marks_read(uint32_t bits, struct marks_user *ret_users, size_t max,
	       size_t *ret_count);

#endif
