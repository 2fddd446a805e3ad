/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_SHIM_STDBOOL_H
#define XEN_HOOKS_NETBACK_SHIM_STDBOOL_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
