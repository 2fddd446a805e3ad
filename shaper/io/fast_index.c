/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_index.h"

#include <stdint.h>

#include "shaper/bpf/fast_maps.h"

void fastindex_make(struct fast_config *config)
{
	uint16_t index[FAST_INDEX] = { 0 };

	for (uint32_t i = 0; i < FAST_INTERFACES; i++) {
		uint32_t ifindex = config->interfaces[i].ifindex;
		uint32_t at = fast_index_home(ifindex);
		uint32_t probes = 0;

		if (ifindex == 0)
			continue;
		while (probes < FAST_INDEX_PROBES && index[at] != 0) {
			at = (at + 1) % FAST_INDEX;
			probes++;
		}
		if (probes < FAST_INDEX_PROBES)
			index[at] = (uint16_t)(i + 1);
	}
	for (uint32_t i = 0; i < FAST_INDEX; i++)
		__atomic_store_n(&config->index[i], index[i], __ATOMIC_RELEASE);
}
