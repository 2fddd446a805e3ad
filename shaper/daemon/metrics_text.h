/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_METRICS_TEXT_H
#define SHAPER_DAEMON_METRICS_TEXT_H

/* The status as Prometheus text, version 0.0.4. */

#include <stddef.h>
#include <stdint.h>

struct counter_row;
struct status;

enum { METRICS_NAME_BYTES = 96 };

/* The whole page, to be freed by the caller.  NULL: out of memory. */
char *metrics_text(const struct status *status, uint64_t now_ns);

/*
 * A counter's name in base units: waited_ns of "symtap" becomes
 * symtap_waited_seconds_total, sent_pkts symtap_sent_packets_total.
 */
void metrics_text_name(const char *prefix, const struct counter_row *row,
		       char ret_name[METRICS_NAME_BYTES]);

#endif
