/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_UNINSTALL_H
#define SHAPER_CTL_UNINSTALL_H

#include <stdbool.h>

/*
 * Remove the rules and restore the sysctls that a daemon left when it died.
 * Says on standard output (with `json` as JSON) what was done, and on standard
 * error why not.  0 or -errno; -EBUSY: a daemon runs, and they are in use.
 */
int uninstall(const char *socket_path, bool json);

#endif
