/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_FAST_EMPTY_H
#define TESTS_BENCH_FAST_EMPTY_H

/* A program that does nothing: what any program costs at least. */

#include <stddef.h>
#include <stdint.h>

/* Its descriptor, or -errno. */
int empty_load(void);

/* At ingress and egress of an interface: tcx, until the process ends, or
 * clsact.  0 or -errno. */
int empty_attach(int fd, const char *interface);

/* Over one frame, so many times.  0 or -errno. */
int empty_run(int fd, const uint8_t *frame, size_t bytes, int times);

#endif
