/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flood's first packets, and which of them waited.
 *
 *	fast_burst IN OUT TARGET PKTS ANSWERED
 *
 * From the namespace IN to an address of OUT (both paths).  ANSWERED packets
 * are answered, one after the other, then both sides are silent for longer than
 * a window; then PKTS follow at once, and nobody answers.
 *
 * One line of JSON: when each was sent, [ns, 1] out or [ns, 0] in.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PKTS_MAX = 1000,
	EVENTS_MAX = 3 * PKTS_MAX,
	FROM_PORT = 40000,
	TO_PORT = 9,
	PAUSE_US = 5000,
	SILENCE_US = 1200000,
	WAIT_MS = 1000,
};

static const uint32_t flooder = 0x0a140200; /* 10.20.2.0 */

struct event {
	uint64_t at_ns;
	bool out;
};

static struct event events[EVENTS_MAX];
static size_t events_count;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "fast_burst: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note(bool out)
{
	events[events_count++] = (struct event){ now_ns(), out };
}

static struct sockaddr_in address_of(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
		.sin_port = htons(port),
	};
}

/* Bound to the one, connected to the other. */
static int open_socket(const char *path, struct sockaddr_in own,
		       struct sockaddr_in peer)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), on = 1;

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(path);
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		fail("socket");
	return fd;
}

static void send_one(int fd, bool out)
{
	char bytes[4] = { 0 };

	note(out);
	if (send(fd, bytes, sizeof(bytes), 0) < 0 && errno != ENOBUFS)
		fail("send");
}

static void expect_one(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char bytes[4];

	if (poll(&poll_fd, 1, WAIT_MS) <= 0 ||
	    recv(fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
		fail("a packet of the conversation does not come");
}

static void talk(int in, int out, uint32_t answered)
{
	for (uint32_t i = 0; i < answered; i++) {
		send_one(in, true);
		expect_one(out);
		send_one(out, false);
		expect_one(in);
		usleep(PAUSE_US);
	}
	if (answered > 0)
		usleep(SILENCE_US);
}

int main(int argc, char **argv)
{
	struct in_addr target;
	uint32_t pkts, answered;
	struct sockaddr_in inside = address_of(flooder, FROM_PORT), outside;
	int in, out;

	if (argc != 6 || inet_aton(argv[3], &target) == 0 ||
	    atoi(argv[4]) < 1 || atoi(argv[4]) > PKTS_MAX ||
	    atoi(argv[5]) < 0 || atoi(argv[5]) > PKTS_MAX) {
		fprintf(stderr,
			"usage: fast_burst IN OUT TARGET PKTS ANSWERED\n");
		return 2;
	}
	pkts = (uint32_t)atoi(argv[4]);
	answered = (uint32_t)atoi(argv[5]);
	outside = address_of(ntohl(target.s_addr), TO_PORT);
	out = open_socket(argv[2], outside, inside);
	in = open_socket(argv[1], inside, outside);
	setpriority(PRIO_PROCESS, 0, -20);
	talk(in, out, answered);
	for (uint32_t i = 0; i < pkts; i++)
		send_one(in, true);
	printf("[");
	for (size_t i = 0; i < events_count; i++)
		printf("%s[%llu, %d]", i ? ", " : "",
		       (unsigned long long)events[i].at_ns, events[i].out);
	puts("]");
	return 0;
}
