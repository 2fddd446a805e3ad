/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP connection that sends as fast as it may.
 *
 *	stream ADDRESS PORT SECONDS
 *	stream take ADDRESS PORT
 *
 * The first ends with one line of JSON, also when it is told to before; who
 * takes does so until it is killed, and says so.
 */
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seconds.h"

enum { PIECE_BYTES = 65536, SENDS = 4 };
static char piece[PIECE_BYTES];

static int take(int fd, const struct sockaddr_in *at)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
	    listen(fd, 4) < 0)
		return EXIT_FAILURE;
	puts("ready");
	fflush(stdout);
	for (;;) {
		int taken = accept(fd, NULL, NULL);

		while (taken >= 0 && recv(taken, piece, sizeof(piece), 0) > 0)
			continue;
		close(taken);
	}
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t room = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &room);
	return info;
}

static int give(int fd, const struct sockaddr_in *to, double seconds)
{
	struct timeval limit = { .tv_sec = 1 };
	struct tcp_info info;
	double begin, took;

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return EXIT_FAILURE;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	signal(SIGTERM, seconds_end);
	begin = seconds_now();
	do {
		send(fd, piece, sizeof(piece), MSG_NOSIGNAL);
		took = seconds_now() - begin;
	} while (took < seconds && !seconds_are_over);
	info = info_of(fd);
	printf("{\"bytes\": %llu, \"seconds\": %.3f, \"again\": %u, "
	       "\"rtt_us\": %u}\n",
	       (unsigned long long)info.tcpi_bytes_acked, took,
	       info.tcpi_total_retrans, info.tcpi_rtt);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int takes = argc == SENDS && strcmp(argv[1], "take") == 0;

	if (fd < 0 || argc != SENDS ||
	    inet_pton(AF_INET, argv[1 + takes], &to.sin_addr) != 1)
		return EXIT_FAILURE;
	to.sin_port = htons((uint16_t)atoi(argv[2 + takes]));
	return takes ? take(fd, &to) : give(fd, &to, atof(argv[3]));
}
