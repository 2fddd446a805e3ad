/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that changes its mind about what it has sent already.
 *
 *	rewrite INTERFACE COUNT HEX HEX
 *
 * The first frame, COUNT times, out of memory that is sent where it stands; the
 * second, of the same length, over all of them half a second later.  "sent" is
 * said then, and it ends when nothing of them waits any more.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "seconds.h"

enum {
	SLOT_BYTES = 2048,
	SLOTS = 64,
	BLOCK_BYTES = 4096,
	BYTES_MAX = 1514,
	ARGUMENTS = 5,
	ETHERTYPE_IPV4 = 0x0800,
};

static size_t read_hex(const char *hex, unsigned char *bytes)
{
	size_t digits = strlen(hex), at;

	for (at = 0; at < digits / 2 && at < BYTES_MAX; at++) {
		char pair[3] = { hex[2 * at], hex[2 * at + 1], 0 };

		bytes[at] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return at;
}

static struct tpacket_hdr *slot(unsigned char *ring, int i)
{
	return (struct tpacket_hdr *)(void *)(ring + i * SLOT_BYTES);
}

static unsigned char *frame_of(struct tpacket_hdr *header)
{
	const size_t align = TPACKET_ALIGNMENT;

	return (unsigned char *)header +
	       (sizeof(*header) + align - 1) / align * align;
}

static unsigned char *map_ring(int fd, const char *interface)
{
	struct tpacket_req req = { .tp_block_size = BLOCK_BYTES,
				   .tp_block_nr =
					   SLOTS * SLOT_BYTES / BLOCK_BYTES,
				   .tp_frame_size = SLOT_BYTES,
				   .tp_frame_nr = SLOTS };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETHERTYPE_IPV4) };
	void *ring;

	to.sll_ifindex = (int)if_nametoindex(interface);
	if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) < 0 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return NULL;
	ring = mmap(NULL, SLOTS * SLOT_BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	return ring == MAP_FAILED ? NULL : ring;
}

static int waiting(unsigned char *ring, int count)
{
	int left = 0;

	for (int i = 0; i < count; i++)
		left += ((volatile struct tpacket_hdr *)slot(ring, i))
				->tp_status != TP_STATUS_AVAILABLE;
	return left;
}

int main(int argc, char **argv)
{
	unsigned char first[BYTES_MAX], second[BYTES_MAX], *ring;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	int count = argc == ARGUMENTS ? atoi(argv[2]) : 0;
	size_t bytes;

	if (fd < 0 || count < 1 || count > SLOTS)
		return EXIT_FAILURE;
	bytes = read_hex(argv[3], first);
	ring = map_ring(fd, argv[1]);
	if (ring == NULL || read_hex(argv[4], second) != bytes)
		return EXIT_FAILURE;
	for (int i = 0; i < count; i++) {
		memcpy(frame_of(slot(ring, i)), first, bytes);
		slot(ring, i)->tp_len = (unsigned int)bytes;
		slot(ring, i)->tp_status = TP_STATUS_SEND_REQUEST;
	}
	if (send(fd, NULL, 0, MSG_DONTWAIT) < 0)
		return EXIT_FAILURE;
	seconds_rest(0.5);
	for (int i = 0; i < count; i++)
		memcpy(frame_of(slot(ring, i)), second, bytes);
	printf("sent\n");
	fflush(stdout);
	while (waiting(ring, count) > 0)
		seconds_rest(0.05);
	return EXIT_SUCCESS;
}
