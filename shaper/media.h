/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_MEDIA_H
#define SHAPER_MEDIA_H

/*
 * Is this flow a voice or video stream?  Calls begin one-way: the callee hears
 * ringing or an announcement for seconds before it says a word.  A flow counts
 * as a stream while its packets bear RTP headers of one source in sequence,
 * which is how a receiver tells it as well (RFC 3550 A.1).  Anybody can write
 * such headers; what that gains is bounded where it is used (credit.h).
 */

#include <stdbool.h>
#include <stdint.h>

struct packet_meta;

enum { MEDIA_PROBATION = 3 };

struct media { /* all-zero: no packet yet */
	uint32_t ssrc;
	uint16_t seq;
	uint8_t in_sequence; /* up to MEDIA_PROBATION */
};

/* A UDP packet of the flow goes out.  Cannot fail. */
void media_sent(struct media *media, const struct packet_meta *meta);

static inline bool media_is_stream(const struct media *media)
{
	return media->in_sequence == MEDIA_PROBATION;
}

#endif
