/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic for the gateway benchmark, one process for both of its sides.
 *
 *	gateway_traffic talk IN OUT SECONDS BYTES PAIRS [PKTS_PER_S]
 *	gateway_traffic flood IN SECONDS BYTES
 *	gateway_traffic probe IN OUT SECONDS [APART]
 *	gateway_traffic listen OUT SECONDS
 *
 * IN and OUT are network namespaces (paths).  `talk` sends a batch from the
 * guarded side and then its answers from the other side, so that what it sends
 * is a conversation; `flood` sends what nobody answers; `probe` times an echo,
 * its first APART ones apart; `listen` prints when each datagram to a flood's
 * port came and the number it begins with.  The others print one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64,
	PORT = 19,
	FLOOD_PORT = 9,
	ECHO_PORT = 7,
	INSIDE_HOSTS = 64,
	BYTES_MAX = 65000,
	PROBES_MAX = 200000,
	PROBE_NS = 1000000,
	TURN_US = 50000,
	SILENT_TURNS = 5,
};

/* 10.20.1.x behind the gateway, 10.96.x.x and up outside, a flood's 10.98. */
static const uint32_t inside_base = 0x0a140100;
static const uint32_t outside_base = 0x0a600000;
static const uint32_t flooded = 0x0a620001;
static const uint32_t flooder = 0x0a140200;
static const uint32_t echo_address = 0x0a600001;
static const uint32_t prober = 0x0a140300;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "gateway_traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void enter(const char *namespace_path)
{
	int fd = open(namespace_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(namespace_path);
	close(fd);
}

static struct sockaddr_in address_of(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(address),
		.sin_port = htons(port),
	};
}

/* What it receives is left to rot: the buffer is as small as it can be. */
static int open_socket(uint16_t port)
{
	struct sockaddr_in any = address_of(INADDR_ANY, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int small = 1, large = 8 << 20, on = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large)) <
		    0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		fail("socket");
	return fd;
}

/* ------ a batch of datagrams, each with a source of its own */

enum { FROM_BYTES = CMSG_SPACE(sizeof(struct in_pktinfo)) };

struct lot {
	struct mmsghdr headers[BATCH];
	struct sockaddr_in to[BATCH];
	_Alignas(struct cmsghdr) uint8_t from[BATCH][FROM_BYTES];
	struct iovec part;
};

static void lot_init(struct lot *lot, size_t bytes)
{
	static char payload[BYTES_MAX];

	memset(lot, 0, sizeof(*lot));
	lot->part.iov_base = payload;
	lot->part.iov_len = bytes;
	for (size_t i = 0; i < BATCH; i++) {
		struct msghdr *header = &lot->headers[i].msg_hdr;

		const struct cmsghdr from = {
			.cmsg_level = IPPROTO_IP,
			.cmsg_type = IP_PKTINFO,
			.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)),
		};

		memcpy(lot->from[i], &from, sizeof(from));
		header->msg_name = &lot->to[i];
		header->msg_namelen = sizeof(lot->to[i]);
		header->msg_iov = &lot->part;
		header->msg_iovlen = 1;
		header->msg_control = lot->from[i];
		header->msg_controllen = sizeof(lot->from[i]);
	}
}

static void lot_set(struct lot *lot, size_t at, uint32_t from, uint32_t to,
		    uint16_t port)
{
	const struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(from) };

	memcpy(lot->from[at] + CMSG_LEN(0), &info, sizeof(info));
	lot->to[at] = address_of(to, port);
}

static uint64_t lot_send(struct lot *lot, int fd)
{
	int sent = sendmmsg(fd, lot->headers, BATCH, 0);

	if (sent < 0 && errno != ENOBUFS)
		fail("sendmmsg");
	return sent < 0 ? 0 : (uint64_t)sent;
}

/* ------ talk */

/* What came to a socket that nobody reads: what it dropped, and what was left
 * in it, of which `taken` is the sum so far.  Exact, and costs nothing while
 * packets fly. */
static uint64_t received_pkts(int fd, uint64_t *taken)
{
	uint32_t memory[SK_MEMINFO_VARS];
	socklen_t length = sizeof(memory);
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		++*taken;
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0 ||
	    length < sizeof(memory))
		fail("SO_MEMINFO");
	return memory[SK_MEMINFO_DROPS] + *taken;
}

/* A gateway that gets little time has some of it still: until nothing comes any
 * more. */
static uint64_t received_of_both(int in_fd, int out_fd, uint64_t sent)
{
	uint64_t in_taken = 0, out_taken = 0, before, got = 0;
	unsigned int silent = 0;

	while (got < sent && silent < SILENT_TURNS) {
		usleep(TURN_US);
		before = got;
		got = received_pkts(in_fd, &in_taken) +
		      received_pkts(out_fd, &out_taken);
		silent = got > before ? 0 : silent + 1;
	}
	return got;
}

static void pair_of(uint32_t pair, uint32_t *inside, uint32_t *outside)
{
	*inside = inside_base + pair % INSIDE_HOSTS;
	*outside = outside_base + 2 + pair;
}

/* Wait until `sent` packets are due; `pkts_per_s` 0: no limit. */
static void keep_pace(uint64_t begin, uint64_t sent, uint32_t pkts_per_s)
{
	uint64_t due, now = now_ns();
	struct timespec wait = { 0 };

	if (pkts_per_s == 0)
		return;
	due = begin + sent * 1000000000u / pkts_per_s;
	if (due <= now)
		return;
	wait.tv_nsec = (long)(due - now);
	nanosleep(&wait, NULL);
}

static int talk(const char *in, const char *out, double seconds, size_t bytes,
		uint32_t pairs, uint32_t pkts_per_s)
{
	static struct lot outs, ins;
	uint64_t sent = 0, begin, end, got, cpu_ns;
	uint32_t inside, outside, pair = 0;
	int in_fd, out_fd;

	lot_init(&outs, bytes);
	lot_init(&ins, bytes);
	enter(out);
	out_fd = open_socket(PORT);
	enter(in);
	in_fd = open_socket(PORT);
	begin = now_ns();
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	do {
		for (size_t i = 0; i < BATCH; i++) {
			pair_of(pair++ % pairs, &inside, &outside);
			lot_set(&outs, i, inside, outside, PORT);
			lot_set(&ins, i, outside, inside, PORT);
		}
		sent += lot_send(&outs, in_fd);
		sent += lot_send(&ins, out_fd);
		keep_pace(begin, sent, pkts_per_s);
		end = now_ns();
	} while ((double)(end - begin) < seconds * 1e9);
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	got = received_of_both(in_fd, out_fd, sent);
	printf("{\"sent\": %llu, \"got\": %llu, \"seconds\": %.6f, "
	       "\"cpu_seconds\": %.6f}\n",
	       (unsigned long long)sent, (unsigned long long)got,
	       (double)(end - begin) / 1e9, (double)cpu_ns / 1e9);
	return 0;
}

/* ------ flood */

static uint64_t flood(const char *in, double seconds, size_t bytes)
{
	static struct lot lot;
	uint64_t sent = 0, begin;
	int fd;

	enter(in);
	fd = open_socket(0);
	lot_init(&lot, bytes);
	for (size_t i = 0; i < BATCH; i++)
		lot_set(&lot, i, flooder, flooded, FLOOD_PORT);
	begin = now_ns();
	do {
		sent += lot_send(&lot, fd);
	} while ((double)(now_ns() - begin) < seconds * 1e9);
	close(fd);
	return sent;
}

/* ------ probe */

static int open_bound(uint32_t address, uint16_t port)
{
	struct sockaddr_in own = address_of(address, port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		fail("socket");
	return fd;
}

static _Noreturn void echo(int fd)
{
	struct sockaddr_in peer;
	socklen_t length;
	char bytes[64];
	ssize_t got;

	prctl(PR_SET_PDEATHSIG, 9);
	for (;;) {
		length = sizeof(peer);
		got = recvfrom(fd, bytes, sizeof(bytes), 0,
			       (struct sockaddr *)&peer, &length);
		if (got > 0)
			sendto(fd, bytes, (size_t)got, 0,
			       (struct sockaddr *)&peer, length);
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t probe_for(int fd, double seconds, uint64_t *spans,
			uint64_t *ret_sent)
{
	struct sockaddr_in peer = address_of(echo_address, ECHO_PORT);
	uint64_t begin = now_ns(), next = begin, stamp, now;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct timespec wait = { 0 };
	size_t count = 0;

	*ret_sent = 0;
	while ((double)((now = now_ns()) - begin) < seconds * 1e9 + 100e6) {
		if (now >= next && (double)(now - begin) < seconds * 1e9) {
			if (sendto(fd, &now, sizeof(now), 0,
				   (struct sockaddr *)&peer, sizeof(peer)) > 0)
				(*ret_sent)++;
			next += PROBE_NS;
		}
		now = now_ns();
		wait.tv_nsec = next > now ? (long)(next - now) : 1000000;
		if (ppoll(&poll_fd, 1, &wait, NULL) <= 0)
			continue;
		if (recv(fd, &stamp, sizeof(stamp), 0) == sizeof(stamp) &&
		    count < PROBES_MAX)
			spans[count++] = now_ns() - stamp;
	}
	return count;
}

static double at_us(const uint64_t *spans, size_t count, size_t pct)
{
	return count ? (double)spans[count * pct / 100] / 1e3 : -1.0;
}

static int probe(const char *in, const char *out, double seconds, size_t apart)
{
	static uint64_t spans[PROBES_MAX];
	uint64_t sent, longest = 0;
	size_t count;
	pid_t child;
	int fd;

	enter(out);
	fd = open_bound(echo_address, ECHO_PORT);
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0)
		echo(fd);
	close(fd);
	enter(in);
	prctl(PR_SET_TIMERSLACK, 1);
	fd = open_bound(prober, 0);
	count = probe_for(fd, seconds, spans, &sent);
	kill(child, 9);
	waitpid(child, NULL, 0);
	apart = apart < count ? apart : count;
	for (size_t i = 0; i < apart; i++)
		longest = spans[i] > longest ? spans[i] : longest;
	qsort(spans + apart, count - apart, sizeof(*spans), compare);
	printf("{\"sent\": %llu, \"got\": %zu, \"p50_us\": %.1f, "
	       "\"p99_us\": %.1f, \"first_us\": %.1f}\n",
	       (unsigned long long)sent, count,
	       at_us(spans + apart, count - apart, 50),
	       at_us(spans + apart, count - apart, 99), (double)longest / 1e3);
	return 0;
}

/* ------ listen */

static int open_listener(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_port = htons(FLOOD_PORT) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int large = 64 << 20;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large)) <
		    0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		fail("socket");
	return fd;
}

static int listen_for(const char *out, double seconds)
{
	static char bytes[BYTES_MAX];
	struct pollfd poll_fd = { .events = POLLIN };
	uint32_t number = 0;
	uint64_t begin, now;
	ssize_t length;

	enter(out);
	poll_fd.fd = open_listener();
	/* The kernel's own stamps are by a clock that may be set. */
	setpriority(PRIO_PROCESS, 0, -20);
	puts("ready");
	fflush(stdout);
	begin = now_ns();
	while ((double)(now_ns() - begin) < seconds * 1e9) {
		if (poll(&poll_fd, 1, 10) <= 0)
			continue;
		now = now_ns();
		length = recv(poll_fd.fd, bytes, sizeof(bytes), 0);
		if (length < (ssize_t)sizeof(number))
			continue;
		memcpy(&number, bytes, sizeof(number));
		printf("%.6f %u %zd\n", (double)(now - begin) / 1e9,
		       ntohl(number), length);
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t sent;

	if ((argc == 7 || argc == 8) && strcmp(argv[1], "talk") == 0 &&
	    atoi(argv[5]) > 0 && atoi(argv[5]) <= BYTES_MAX &&
	    atoi(argv[6]) > 0)
		return talk(argv[2], argv[3], atof(argv[4]),
			    (size_t)atoi(argv[5]), (uint32_t)atoi(argv[6]),
			    argc == 8 ? (uint32_t)atoi(argv[7]) : 0);
	if (argc == 5 && strcmp(argv[1], "flood") == 0 && atoi(argv[4]) > 0 &&
	    atoi(argv[4]) <= BYTES_MAX) {
		sent = flood(argv[2], atof(argv[3]), (size_t)atoi(argv[4]));
		printf("{\"sent\": %llu}\n", (unsigned long long)sent);
		return 0;
	}
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "probe") == 0)
		return probe(argv[2], argv[3], atof(argv[4]),
			     argc == 6 ? (size_t)atoi(argv[5]) : 0);
	if (argc == 4 && strcmp(argv[1], "listen") == 0)
		return listen_for(argv[2], atof(argv[3]));
	fprintf(stderr, "usage: gateway_traffic talk IN OUT SECONDS BYTES "
			"PAIRS | flood IN SECONDS BYTES | probe IN OUT "
			"SECONDS [APART] | listen OUT SECONDS\n");
	return 2;
}
