/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/tap_frames.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

int tap_frames_open(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int tap_frames_send(int fd, const char *interface, const uint8_t *frame,
		    size_t count)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };

	to.sll_ifindex = (int)if_nametoindex(interface);
	if (to.sll_ifindex == 0)
		return -ENODEV;
	memcpy(to.sll_addr, frame, 6);
	return sendto(fd, frame, count, MSG_DONTWAIT,
		      (const struct sockaddr *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}
