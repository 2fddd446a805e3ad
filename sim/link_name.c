/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libpcap knows of link types, for people: names. */
#include <pcap/pcap.h>
#include <stddef.h>

#include "sim/link.h"

/* Files number these unlike libpcap does in memory, where the number depends
 * on the system that it was built for. */
static const struct {
	uint32_t link_type;
	int dlt;
} numbered_otherwise[] = {
	{ 12, DLT_RAW },          { 14, DLT_RAW },       { 101, DLT_RAW },
	{ 100, DLT_ATM_RFC1483 }, { 106, DLT_ATM_CLIP },
};

const char *link_type_name(uint32_t link_type)
{
	int dlt = (int)(link_type & 0x3ffffff);
	const size_t count =
		sizeof(numbered_otherwise) / sizeof(numbered_otherwise[0]);

	for (size_t i = 0; i < count; i++) {
		if (numbered_otherwise[i].link_type == link_type)
			dlt = numbered_otherwise[i].dlt;
	}
	return pcap_datalink_val_to_name(dlt);
}
