/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_PROGRAM_H
#define SHAPER_IO_FAST_PROGRAM_H

/*
 * The kernel program of shaper/bpf, loaded and attached.  Loading needs
 * CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; attaching CAP_NET_ADMIN, and CAP_BPF
 * on some kernels.  What it shares with the daemon is shaper/io/fast.h's.
 *
 * The program leaves its interfaces with the process that attached it; on
 * kernels without tcx links only if that process has the time to
 * (shaper/io/fast_links.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/io/fast.h"

struct fastprogram;

/* What it shares.  0 or -errno; then ret_wrong says why this kernel has no fast
 * path. */
int fastprogram_new(const struct fast_options *options,
		    struct fastprogram **ret_program,
		    char ret_wrong[FAST_TEXT_BYTES]);
/* The program itself, once, before it is attached: the kernel looks through it,
 * which takes half a second, or on a machine that is emulated a minute.  Same
 * result. */
int fastprogram_load(struct fastprogram *program,
		     char ret_wrong[FAST_TEXT_BYTES]);
/* Detaches it everywhere. */
void fastprogram_free(struct fastprogram *program);

/* Borrowed. */
void fastprogram_fds(const struct fastprogram *program,
		     struct fast_fds *ret_fds);

/* Both directions of a guarded interface; again, if it is there already and
 * nobody took it away: nothing.  0 or -errno. */
int fastprogram_attach(struct fastprogram *program, uint32_t ifindex,
		       char ret_wrong[FAST_TEXT_BYTES]);
/* Still, after what others did to the interface? */
bool fastprogram_is_attached(const struct fastprogram *program,
			     uint32_t ifindex);
/* All that it was attached to, and not detached from. */
bool fastprogram_is_complete(const struct fastprogram *program);
/* "tcx", "clsact", "" */
const char *fastprogram_way(const struct fastprogram *program,
			    uint32_t ifindex);
void fastprogram_detach(struct fastprogram *program, uint32_t ifindex);

/* For tests, see fast_run.  `times` runs; nanoseconds for each. */
int fastprogram_run(const struct fastprogram *program,
		    const struct fast_frame *frame, int times,
		    uint32_t *ret_mark, uint32_t *ret_ns);

/* As fast_run_redirects and fast_run_departs. */
int fastprogram_redirects(const struct fastprogram *program,
			  const struct fast_frame *frame, bool *ret_redirects);
int fastprogram_departs(const struct fastprogram *program,
			const struct fast_frame *frame, uint64_t *ret_ns);

#endif
