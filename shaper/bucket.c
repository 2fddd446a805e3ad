/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/bucket.h"

#define BILLION UINT64_C(1000000000)

/* What `used` is after so long.  At most `used`, so that nothing overflows. */
static uint64_t leaked(uint64_t used, uint64_t per_s, uint64_t elapsed_ns)
{
	if (per_s == 0 || elapsed_ns > used / per_s)
		return 0;
	return used - elapsed_ns * per_s;
}

static void leak(struct bucket *bucket, const struct rate_params *params,
		 uint64_t now_ns)
{
	uint64_t elapsed_ns;

	if (now_ns <= bucket->at_ns)
		return;
	elapsed_ns = now_ns - bucket->at_ns;
	bucket->at_ns = now_ns;
	bucket->used_npkts =
		leaked(bucket->used_npkts, params->pkts_per_s, elapsed_ns);
	bucket->used_nbytes =
		leaked(bucket->used_nbytes, params->bytes_per_s, elapsed_ns);
}

/* By how much more than the burst would be in it?  What is more than the burst
 * by itself fits into an empty one.  12.5 GB/s for a second are 1.25e19, and a
 * packet 2^32 bytes at most: that is below 2^64. */
static uint64_t excess(uint64_t used, uint64_t per_s, uint64_t burst_ns,
		       uint32_t more)
{
	uint64_t room = per_s * burst_ns;
	uint64_t wanted = more * BILLION;

	if (per_s == 0)
		return 0;
	if (room < wanted)
		room = wanted;
	return used > room - wanted ? used - (room - wanted) : 0;
}

static uint64_t span_ns(uint64_t excess, uint64_t per_s)
{
	return excess == 0 ? 0 : (excess - 1) / per_s + 1;
}

uint64_t bucket_next_ns(struct bucket *bucket, const struct rate_params *params,
			uint32_t pkts, uint32_t bytes, uint64_t now_ns)
{
	uint64_t pkts_ns, bytes_ns;

	leak(bucket, params, now_ns);
	pkts_ns = span_ns(excess(bucket->used_npkts, params->pkts_per_s,
				 params->burst_ns, pkts),
			  params->pkts_per_s);
	bytes_ns = span_ns(excess(bucket->used_nbytes, params->bytes_per_s,
				  params->burst_ns, bytes),
			   params->bytes_per_s);
	return now_ns + (pkts_ns > bytes_ns ? pkts_ns : bytes_ns);
}

bool bucket_allows(struct bucket *bucket, const struct rate_params *params,
		   uint32_t pkts, uint32_t bytes, uint64_t now_ns)
{
	leak(bucket, params, now_ns);
	return excess(bucket->used_npkts, params->pkts_per_s, params->burst_ns,
		      pkts) == 0 &&
	       excess(bucket->used_nbytes, params->bytes_per_s,
		      params->burst_ns, bytes) == 0;
}

static void fill(uint64_t *used, uint64_t per_s, uint32_t more)
{
	uint64_t wanted = more * BILLION;

	if (per_s != 0)
		*used = *used > UINT64_MAX - wanted ? UINT64_MAX
						    : *used + wanted;
}

void bucket_take(struct bucket *bucket, const struct rate_params *params,
		 uint32_t pkts, uint32_t bytes, uint64_t now_ns)
{
	leak(bucket, params, now_ns);
	fill(&bucket->used_npkts, params->pkts_per_s, pkts);
	fill(&bucket->used_nbytes, params->bytes_per_s, bytes);
}
