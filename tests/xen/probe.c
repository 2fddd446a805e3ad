/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An innocent conversation: each datagram is answered, and how long that took
 * is told.
 *
 *	probe ADDRESS PORT BYTES PKTS_PER_S SECONDS [AT_ONCE]
 *	probe answer ADDRESS PORT
 *
 * 0 a second: as many as are answered, with AT_ONCE on their way, or eight.  At
 * a rate there are no more on their way either, if that is said: who has not
 * heard waits, as long as it takes.  The first ends with one line of JSON, also
 * when it is told to before; who answers says that it does, until it is killed.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "seconds.h"

enum {
	BYTES_MAX = 1472,
	SENT_MAX = 200000,
	AT_ONCE = 8,
	ASKS = 6,
	ASKS_SO_MANY = 7,
	ANSWERS = 4
};
#define LATE_S    2.0
#define PATIENT_S 20.0

struct probe {
	double sent_s[SENT_MAX], took_ms[SENT_MAX];
	double heard_s, silent_s; /* last, and the longest time between */
	uint32_t sent, answered, at_once; /* 0: any number */
};

static struct sockaddr_in place(const char *address, const char *port)
{
	struct sockaddr_in made = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, address, &made.sin_addr) != 1)
		exit(EXIT_FAILURE);
	made.sin_port = htons((uint16_t)atoi(port));
	return made;
}

static int answer(int fd, struct sockaddr_in at)
{
	char bytes[BYTES_MAX];

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return EXIT_FAILURE;
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct sockaddr_in from;
		socklen_t room = sizeof(from);
		ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0,
				       (struct sockaddr *)&from, &room);

		if (got > 0)
			sendto(fd, bytes, (size_t)got, 0,
			       (struct sockaddr *)&from, room);
	}
}

static void ask(struct probe *probe, int fd, size_t bytes)
{
	char datagram[BYTES_MAX] = { 0 };
	uint32_t number = htonl(probe->sent);

	memcpy(datagram, &number, sizeof(number));
	probe->sent_s[probe->sent++] = seconds_now();
	send(fd, datagram, bytes, 0);
}

static void hear(struct probe *probe, int fd)
{
	char datagram[BYTES_MAX];
	double now_s;
	uint32_t number;

	while (recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT) >=
	       (ssize_t)sizeof(number)) {
		memcpy(&number, datagram, sizeof(number));
		number = ntohl(number);
		if (number >= probe->sent || probe->answered == SENT_MAX)
			continue;
		now_s = seconds_now();
		if (probe->answered > 0 &&
		    now_s - probe->heard_s > probe->silent_s)
			probe->silent_s = now_s - probe->heard_s;
		probe->heard_s = now_s;
		probe->took_ms[probe->answered++] =
			(now_s - probe->sent_s[number]) * 1e3;
	}
}

/* One more of those that are to be sent by now. */
static bool is_due(const struct probe *probe, double by_now, bool at_rate)
{
	if (probe->sent == SENT_MAX)
		return false;
	if (at_rate && probe->sent > by_now)
		return false;
	return probe->at_once == 0 ||
	       probe->sent < probe->answered + probe->at_once;
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double at_pct(const struct probe *probe, uint32_t pct)
{
	if (probe->answered == 0)
		return -1;
	return probe->took_ms[(probe->answered - 1) * pct / 100];
}

static void tell(struct probe *probe)
{
	qsort(probe->took_ms, probe->answered, sizeof(double), by_size);
	printf("{\"sent\": %u, \"answered\": %u, \"p50_ms\": %.3f, "
	       "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"silent_ms\": %.3f}\n",
	       probe->sent, probe->answered, at_pct(probe, 50),
	       at_pct(probe, 99), at_pct(probe, 100), probe->silent_s * 1e3);
}

int main(int argc, char **argv)
{
	static struct probe probe;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double begin = seconds_now(), rate, seconds, past, late = LATE_S;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct sockaddr_in to;
	size_t bytes;

	if (fd >= 0 && argc == ANSWERS && strcmp(argv[1], "answer") == 0)
		return answer(fd, place(argv[2], argv[3]));
	if (fd < 0 || (argc != ASKS && argc != ASKS_SO_MANY))
		return EXIT_FAILURE;
	to = place(argv[1], argv[2]);
	bytes = (size_t)atoi(argv[3]);
	rate = atof(argv[4]);
	seconds = atof(argv[5]);
	if (rate <= 0)
		probe.at_once = AT_ONCE;
	if (argc == ASKS_SO_MANY) {
		probe.at_once = (uint32_t)atoi(argv[6]);
		late = PATIENT_S;
	}
	if (bytes < sizeof(uint32_t) || bytes > BYTES_MAX ||
	    rate * seconds >= SENT_MAX ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return EXIT_FAILURE;
	signal(SIGTERM, seconds_end);
	for (;;) {
		past = seconds_now() - begin;
		if (seconds_are_over && past < seconds)
			seconds = past;
		while (past < seconds && is_due(&probe, past * rate, rate > 0))
			ask(&probe, fd, bytes);
		if (past > seconds + late ||
		    (past > seconds && probe.answered >= probe.sent))
			break;
		poll(&wait, 1, 1);
		hear(&probe, fd);
	}
	tell(&probe);
	return EXIT_SUCCESS;
}
