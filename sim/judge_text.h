/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGE_TEXT_H
#define SIM_JUDGE_TEXT_H

#include <stdio.h>

#include "sim/judgement.h"

/* One table for each group, found against target. */
void judge_print(FILE *file, const struct judgement *judgement);

#endif
