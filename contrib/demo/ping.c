/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "contrib/demo/good.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contrib/demo/beat.h"

enum { ECHOES = 65536, EVERY_MS = 10, NS_PER_MS = 1000000, NS_PER_US = 1000 };
static const uint64_t LOST_AFTER_NS = 1000000000;

struct ping {
	int fd;
	uint16_t id;
	uint64_t sent_ns[ECHOES]; /* by sequence number; 0: answered */
	unsigned next, oldest;
};

static int open_echo(const struct good_order *order)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct sockaddr_in there = { .sin_family = AF_INET };
	int fd, error;

	if (inet_pton(AF_INET, order->local, &here.sin_addr) != 1 ||
	    inet_pton(AF_INET, order->remote, &there.sin_addr) != 1)
		return -EINVAL;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) == 0 &&
	    connect(fd, (struct sockaddr *)&there, sizeof(there)) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static uint16_t checksum(const uint16_t *words, size_t count)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += words[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void send_echo(struct ping *ping)
{
	struct icmphdr echo = { .type = ICMP_ECHO };
	uint16_t words[sizeof(echo) / 2];

	echo.un.echo.id = htons(ping->id);
	echo.un.echo.sequence = htons((uint16_t)ping->next);
	memcpy(words, &echo, sizeof(echo));
	echo.checksum = checksum(words, sizeof(words) / 2);
	ping->sent_ns[ping->next % ECHOES] = beat_now_ns();
	ping->next++;
	/* One that cannot be sent is one that is lost. */
	(void)!send(ping->fd, &echo, sizeof(echo), MSG_DONTWAIT);
}

static void hear(struct ping *ping, uint64_t now_ns)
{
	uint8_t bytes[256];
	ssize_t count = recv(ping->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	struct icmphdr echo;
	size_t header_bytes;
	unsigned sequence;

	if (count < (ssize_t)(sizeof(struct iphdr) + sizeof(echo)))
		return;
	header_bytes = (size_t)(bytes[0] & 15) * 4;
	if (header_bytes + sizeof(echo) > (size_t)count)
		return;
	memcpy(&echo, bytes + header_bytes, sizeof(echo));
	sequence = ntohs(echo.un.echo.sequence);
	if (echo.type != ICMP_ECHOREPLY || ntohs(echo.un.echo.id) != ping->id ||
	    ping->sent_ns[sequence] == 0)
		return;
	printf("rtt %" PRIu64 "\n",
	       (now_ns - ping->sent_ns[sequence]) / NS_PER_US);
	ping->sent_ns[sequence] = 0;
}

static void tell_lost(struct ping *ping, uint64_t before_ns)
{
	while (ping->oldest < ping->next) {
		uint64_t *sent_ns = &ping->sent_ns[ping->oldest % ECHOES];

		if (*sent_ns > before_ns)
			return;
		if (*sent_ns != 0)
			printf("lost\n");
		*sent_ns = 0;
		ping->oldest++;
	}
}

static void hear_until(struct ping *ping, uint64_t until_ns)
{
	for (;;) {
		struct pollfd ready = { .fd = ping->fd, .events = POLLIN };
		uint64_t now_ns = beat_now_ns();
		struct timespec left = { 0 };

		if (now_ns < until_ns)
			left.tv_nsec = (long)(until_ns - now_ns);
		if (ppoll(&ready, 1, &left, NULL) <= 0)
			return;
		hear(ping, beat_now_ns());
	}
}

int good_ping(const struct good_order *order)
{
	static struct ping ping;
	uint64_t end_ns;

	ping.fd = open_echo(order);
	if (ping.fd < 0)
		return ping.fd;
	ping.id = (uint16_t)getpid();
	end_ns = beat_now_ns() + order->seconds * LOST_AFTER_NS;
	while (beat_now_ns() < end_ns) {
		uint64_t now_ns = beat_now_ns();

		send_echo(&ping);
		hear_until(&ping, now_ns + EVERY_MS * NS_PER_MS);
		if (now_ns > LOST_AFTER_NS)
			tell_lost(&ping, now_ns - LOST_AFTER_NS);
		fflush(stdout);
	}
	/* What was sent in the last second may still come, but we go. */
	close(ping.fd);
	return 0;
}
