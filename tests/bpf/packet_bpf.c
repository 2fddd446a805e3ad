/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That the parser compiles for the kernel: no library, no loop without a
 * bound, nothing that the BPF back end cannot take. */
#include "flowtable/packet.h"

int packet_bpf(const uint8_t *bytes, uint32_t captured_bytes,
	       uint32_t wire_bytes, struct packet_meta *ret_meta);
int packet_bpf_network(const uint8_t *bytes, uint32_t captured_bytes,
		       uint32_t wire_bytes, struct packet_meta *ret_meta);

int packet_bpf(const uint8_t *bytes, uint32_t captured_bytes,
	       uint32_t wire_bytes, struct packet_meta *ret_meta)
{
	return (int)packet_parse_ethernet(bytes, captured_bytes, wire_bytes,
					  ret_meta);
}

int packet_bpf_network(const uint8_t *bytes, uint32_t captured_bytes,
		       uint32_t wire_bytes, struct packet_meta *ret_meta)
{
	return (int)packet_parse(0x86dd, bytes, captured_bytes, wire_bytes,
				 ret_meta);
}
