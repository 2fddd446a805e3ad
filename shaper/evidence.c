/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/evidence.h"

enum evidence_refusal evidence_refuses(uint8_t tcp_flags)
{
	if (tcp_flags & EVIDENCE_TCP_RST)
		return EVIDENCE_RESET;
	if ((tcp_flags & (EVIDENCE_TCP_SYN | EVIDENCE_TCP_ACK)) ==
	    (EVIDENCE_TCP_SYN | EVIDENCE_TCP_ACK))
		return EVIDENCE_UNFINISHED;
	return EVIDENCE_COUNTS;
}
