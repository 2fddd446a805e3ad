/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEMO_GOOD_H
#define DEMO_GOOD_H

/* The good host and the server that it talks to.  All are bounded in time. */

struct good_order {
	const char *local;        /* IPv4 address to speak from or listen on */
	const char *remote;       /* IPv4 address to speak to */
	unsigned rate_kbit_per_s; /* of the upload */
	unsigned seconds;         /* 1..600 */
};

/* Each returns 0 or -errno. */

/* Send over TCP at a steady rate to `remote`; prints nothing. */
int good_upload(const struct good_order *order);

/* The other side of the upload; prints ten times a second
 * `received BYTES` so far. */
int good_receive(const struct good_order *order);

/* ICMP echo, one every 10 ms; prints for each `rtt MICROSECONDS`, or `lost`
 * when no answer came within a second. */
int good_ping(const struct good_order *order);

#endif
