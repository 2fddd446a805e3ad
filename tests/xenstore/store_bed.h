/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_XENSTORE_STORE_BED_H
#define TESTS_XENSTORE_STORE_BED_H

/* Debian's real xenstored without a hypervisor (hypervisor.c), and what a tool
 * stack does in it.  Whatever fails, fails the test. */

#include <stdint.h>
#include <sys/types.h>

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

struct xs_handle;

struct store_bed {
	char folder[64];
	pid_t xenstored;
	struct xs_handle *dom0;
};

uint64_t store_bed_now(void);

void store_bed_open(struct store_bed *bed);
void store_bed_close(struct store_bed *bed);

/* It ends, and begins again with nothing. */
void store_bed_stop(struct store_bed *bed);
void store_bed_start(struct store_bed *bed);

/* As "domN.sock"; the caller's to close. */
struct xs_handle *store_bed_speak(const struct store_bed *bed,
				  const char *name);

void store_bed_put(struct xs_handle *xs, const char *value, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));

/* As the tool stack does it. */
void store_bed_domain(const struct store_bed *bed, uint32_t id);
void store_bed_vif(const struct store_bed *bed, uint32_t id, const char *state);
void store_bed_key(const struct store_bed *bed, uint32_t id, const char *name,
		   const char *value);

#endif
