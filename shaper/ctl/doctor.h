/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_DOCTOR_H
#define SHAPER_CTL_DOCTOR_H

#include <stdbool.h>

/*
 * Look at the daemon at `socket_path`, if it answers, else at the policy in
 * `policy_path`, and at this machine; show what is found.  Returns how many
 * findings there are, or -ENOMEM.
 */
int doctor(const char *socket_path, const char *policy_path, bool json);

#endif
