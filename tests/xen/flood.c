/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's sender, and nothing else of its C library: it is linked statically.
 *
 *	flood ADDRESS PORT BYTES PKTS_PER_S SECONDS
 *
 * Numbered datagrams, 0 a second: as fast as they go.  At the end, which may be
 * a SIGTERM, one line of JSON: how many were sent and the longest that send()
 * took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "seconds.h"

enum { BYTES_MAX = 65000, ARGUMENTS = 6 };

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

int main(int argc, char **argv)
{
	const struct sigaction ending = { .sa_handler = end };
	static char bytes[BYTES_MAX];
	struct sockaddr_in to = { .sin_family = AF_INET };
	double begin = seconds_now(), longest = 0, rate, seconds;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint32_t sent = 0;
	size_t count;

	if (argc != ARGUMENTS || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return EXIT_FAILURE;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	count = (size_t)atoi(argv[3]);
	rate = atof(argv[4]);
	seconds = atof(argv[5]);
	if (fd < 0 || count < sizeof(sent) || count > sizeof(bytes) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return EXIT_FAILURE;
	sigaction(SIGTERM, &ending, NULL);
	while (!ended) {
		double at = seconds_now(), took;
		uint32_t number = htonl(sent);

		if (at - begin > seconds)
			break;
		if (rate > 0 && sent >= (at - begin) * rate) {
			/* Who looks more often takes time from the others. */
			took = sent / rate - (at - begin);
			seconds_rest(took < 0.1 ? took + 0.0005 : 0.1);
			continue;
		}
		memcpy(bytes, &number, sizeof(number));
		if (send(fd, bytes, count, 0) < 0 && errno != ECONNREFUSED) {
			seconds_rest(0.0005);
			continue;
		}
		took = seconds_now() - at;
		if (took > longest)
			longest = took;
		sent++;
	}
	printf("{\"sent\": %u, \"longest_s\": %.3f}\n", sent, longest);
	return EXIT_SUCCESS;
}
