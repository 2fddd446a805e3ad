/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_PRINT_H
#define POLICY_PRINT_H

struct policy;

/*
 * All of a policy as text, with every default written out, that policy_parse
 * makes an equal policy of.  The caller frees it.  NULL: out of memory.
 */
char *policy_print(const struct policy *policy);

#endif
