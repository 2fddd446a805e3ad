/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_VIF_DEBT_H
#define SHAPER_IO_VIF_DEBT_H

/*
 * What an engine tells whoever can pause a vif: its guest sent packets that
 * should have waited, and how many of them would still be waiting.  One
 * datagram, when that begins and when it ends.
 */

#include <stdint.h>

struct vif_debt {
	char interface[16];
	uint32_t engine;
	uint32_t owed_pkts;
	uint32_t packet_bytes; /* of the last of them, as a frame */
};

#endif
