/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Built without libxenstore. */
#include <errno.h>

#include "shaper/daemon/vif_process.h"

int vif_process_start(int *ret_pace_fd)
{
	(void)ret_pace_fd;
	return -EOPNOTSUPP;
}
