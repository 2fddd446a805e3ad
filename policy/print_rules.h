/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_PRINT_RULES_H
#define POLICY_PRINT_RULES_H

/* The lists of a policy as text: who may send as whom, and what is done with
 * it.  A list that is empty adds nothing. */

struct policy;
struct text;

void print_zones(struct text *text, const struct policy *policy);
void print_antispoof(struct text *text, const struct policy *policy);
void print_rules(struct text *text, const struct policy *policy);

#endif
