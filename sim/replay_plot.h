/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPLAY_PLOT_H
#define SIM_REPLAY_PLOT_H

/* --plot of `symtap-sim replay`: S of the worst keys of one capture over time,
 * what they offered and what they were let, and the delay. */

struct result;

/* As the end of `path` says: .svg or .png.  0 or -errno; -EINVAL: neither. */
int replay_plot(const char *path, const struct result *result);

#endif
