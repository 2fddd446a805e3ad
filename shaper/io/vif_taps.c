/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/vif_taps.h"

#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

/* "sk RefCnt Type Proto Iface R Rmem User Inode"; R: it runs.  One that asks
 * for a single protocol gets its packets behind a bridge, if at all. */
bool viftaps_parse(const char *line, uint32_t *ret_ifindex)
{
	unsigned int protocol, ifindex, runs;

	if (sscanf(line, "%*s %*u %*u %4x %9u %1u", &protocol, &ifindex,
		   &runs) != 3 ||
	    protocol != ETH_P_ALL || runs != 1)
		return false;
	*ret_ifindex = ifindex;
	return true;
}

FILE *viftaps_open(void)
{
	return fopen("/proc/net/packet", "re");
}

void viftaps_read(FILE *list, struct viftaps *ret_taps)
{
	char line[256];
	uint32_t ifindex;

	rewind(list); /* it was read to its end: nothing is left of it */
	ret_taps->count = 0;
	while (fgets(line, sizeof(line), list) != NULL) {
		if (!viftaps_parse(line, &ifindex))
			continue;
		if (ret_taps->count == VIFTAPS_MAX)
			ret_taps->ifindexes[0] = 0;
		else
			ret_taps->ifindexes[ret_taps->count++] = ifindex;
	}
}

bool viftaps_equal(const struct viftaps *a, const struct viftaps *b)
{
	return a->count == b->count &&
	       memcmp(a->ifindexes, b->ifindexes,
		      a->count * sizeof(a->ifindexes[0])) == 0;
}

bool viftaps_has(const struct viftaps *taps, uint32_t ifindex)
{
	for (uint32_t i = 0; i < taps->count; i++)
		if (taps->ifindexes[i] == 0 || taps->ifindexes[i] == ifindex)
			return true;
	return false;
}
