/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_CREDIT_PARAMS_H
#define POLICY_CREDIT_PARAMS_H

#include <stdint.h>

/* What may leave although S is above its threshold: shaper/credit.h. */
struct credit_params {
	uint8_t floor_pkts;    /* in a window; 0: none */
	uint8_t patience_pkts; /* 0: none */
	uint8_t earned_pkts;   /* for each packet heard; 0: none */
};

#endif
