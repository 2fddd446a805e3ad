/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_OFFLOADS_H
#define SHAPER_IO_OFFLOADS_H

/* What an interface does by itself, by ethtool's names for it. */

#include <stdbool.h>

/* Is "rx-lro", or another of `ethtool -k`, switched on?  0 or -errno. */
int offloads_read(const char *interface, const char *feature, bool *ret_on);

#endif
