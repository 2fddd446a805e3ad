/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PUMP_WORLD_POLICIES_H
#define TESTS_PUMP_WORLD_POLICIES_H

/* What pump_world.c changes between. */

struct policy;

enum { PUMP_WORLD_POLICIES = 18 };

/* Parsed once, whoever asks: parsing is not what is tested there. */
void pump_world_load(struct policy *ret_policies[PUMP_WORLD_POLICIES]);

#endif
