/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_SHIM_STDINT_H
#define XEN_HOOKS_NETBACK_SHIM_STDINT_H

/* What the core includes, as the kernel has it. */
#include <linux/limits.h>
#include <linux/types.h>

#define UINT32_C(value) value##U
#define UINT64_C(value) value##ULL
#ifndef UINT16_MAX
#define UINT16_MAX U16_MAX
#endif
#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif
#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif

#endif
