/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What loads.sh must refuse: a read that nothing bounds. */
#include <linux/bpf.h>

__attribute__((section("tc"), used)) int reads_past(struct __sk_buff *skb)
{
	const unsigned char *bytes = (void *)(long)skb->data;

	return bytes[0];
}

char program_license[] __attribute__((section("license"), used)) = "GPL";
