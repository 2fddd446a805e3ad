/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that sends any frame it likes.
 *
 *	frame INTERFACE COUNT HEX [AT]
 *
 * The frame that HEX says, COUNT times.  The byte AT, an odd one of an IPv4
 * header, is one more each time, and the header's checksum one less.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "seconds.h"

enum {
	BYTES_MIN = 14,
	BYTES_MAX = 1514,
	COUNT_MAX = 1000,
	ARGUMENTS = 4,
	CHECKSUM_AT = 24,
};

/* How many bytes, 0: that is no frame. */
static size_t read_hex(const char *hex, unsigned char *bytes)
{
	size_t digits = strlen(hex), at;

	if (digits % 2 != 0 || digits < 2 * BYTES_MIN || digits > 2 * BYTES_MAX)
		return 0;
	for (at = 0; at < digits / 2; at++) {
		char pair[3] = { hex[2 * at], hex[2 * at + 1], 0 }, *end;

		bytes[at] = (unsigned char)strtoul(pair, &end, 16);
		if (*end != 0)
			return 0;
	}
	return digits / 2;
}

/* RFC 1624; past 0 comes -1 less one. */
static void count_up(unsigned char *bytes, size_t at)
{
	unsigned int sum = (unsigned int)(bytes[CHECKSUM_AT] << 8 |
					  bytes[CHECKSUM_AT + 1]);

	sum = sum > 0 ? sum - 1 : 0xfffe;
	bytes[CHECKSUM_AT] = (unsigned char)(sum >> 8);
	bytes[CHECKSUM_AT + 1] = (unsigned char)sum;
	bytes[at]++;
}

int main(int argc, char **argv)
{
	unsigned char bytes[BYTES_MAX];
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), count;
	size_t length, at = BYTES_MAX;

	if (fd < 0 || argc < ARGUMENTS || argc > ARGUMENTS + 1)
		return EXIT_FAILURE;
	if (argc > ARGUMENTS)
		at = (size_t)atoi(argv[ARGUMENTS]);
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	count = atoi(argv[2]);
	length = read_hex(argv[3], bytes);
	if (to.sll_ifindex == 0 || count < 1 || count > COUNT_MAX ||
	    length == 0)
		return EXIT_FAILURE;
	for (int sent = 0; sent < count; sent++) {
		if (sendto(fd, bytes, length, 0, (struct sockaddr *)&to,
			   sizeof(to)) < 0)
			return EXIT_FAILURE;
		if (at < length)
			count_up(bytes, at);
		seconds_rest(0.001);
	}
	printf("{\"sent\": %d}\n", count);
	return EXIT_SUCCESS;
}
