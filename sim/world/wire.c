/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/wire.h"

#define NS_PER_S UINT64_C(1000000000)

/* Bounds the product below: 1 Tbit/s for an hour fits. */
static uint64_t span_ns(uint64_t bytes, uint64_t rate_bits_per_s)
{
	return bytes * 8 * NS_PER_S / rate_bits_per_s;
}

bool wire_send(struct wire *wire, const struct wire_params *params,
	       uint32_t bytes, uint64_t now_ns, uint64_t *ret_arrives_ns)
{
	uint64_t own_ns =
		span_ns(bytes + WIRE_FRAME_BYTES, params->rate_bits_per_s);
	uint64_t starts_ns = wire->free_ns > now_ns ? wire->free_ns : now_ns;

	wire->sent_pkts++;
	if (starts_ns - now_ns >
	    span_ns(params->queue_bytes, params->rate_bits_per_s)) {
		wire->dropped_pkts++;
		return false;
	}
	wire->free_ns = starts_ns + own_ns;
	if (dice_hits(&wire->dice, params->loss_in_million)) {
		wire->lost_pkts++;
		return false;
	}
	*ret_arrives_ns = wire->free_ns + params->delay_ns;
	return true;
}
