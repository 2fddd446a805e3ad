/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody else's programs at an interface, which let everything pass. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { GO_ON = -1 }; /* TC_ACT_UNSPEC */

SEC("xdp") int others_xdp(struct xdp_md *packet)
{
	(void)packet;
	return XDP_PASS;
}

SEC("tc") int others_tc(struct __sk_buff *packet)
{
	(void)packet;
	return GO_ON;
}

char program_license[] SEC("license") = "GPL";
