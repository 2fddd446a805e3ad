/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/media.h"

#include "flowtable/packet_meta.h"

void media_sent(struct media *media, const struct packet_meta *meta)
{
	bool follows = media->in_sequence > 0 &&
		       meta->rtp_ssrc == media->ssrc &&
		       meta->rtp_seq == (uint16_t)(media->seq + 1);
	bool is_rtp = meta->rtp_ssrc != 0 || meta->rtp_seq != 0;

	if (!is_rtp)
		media->in_sequence = 0;
	else if (!follows)
		media->in_sequence = 1;
	else if (media->in_sequence < MEDIA_PROBATION)
		media->in_sequence++;
	media->ssrc = meta->rtp_ssrc;
	media->seq = meta->rtp_seq;
}
