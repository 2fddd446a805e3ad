/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without libxenvchan. */
#include "xen-hooks/tap_vchan.h"

#include <errno.h>

int tapvchan_grant(uint32_t judge_domain, struct tapwire *ret_wire)
{
	(void)judge_domain;
	(void)ret_wire;
	return -EOPNOTSUPP;
}

int tapvchan_connect(uint32_t carrier_domain, struct tapwire *ret_wire)
{
	(void)carrier_domain;
	(void)ret_wire;
	return -EOPNOTSUPP;
}
