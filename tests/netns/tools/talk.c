/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversation over UDP, both of its ends in one process: each datagram from
 * the inside is answered when it arrives outside.
 *
 *	symtap-test-talk IN OUT FROM TO PORT PKTS_PER_S SECONDS BYTES
 *
 * IN and OUT are network namespaces (paths), PKTS_PER_S is the rate of the
 * datagrams from inside.  It begins politely, with what was answered so far,
 * and "talking" is printed when that is done.  At the end one line of JSON:
 * what was sent, arrived outside, was answered, round trips, and the longest
 * time without an arrival outside.  SIGTERM ends it before its SECONDS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 32,
	BYTES_MAX = 9000,
	POLITE_PKTS = 64,
	LOTS_PKTS_PER_S = 4000,
	PAUSE_NS = 200000,
	DRAIN_NS = 1000000000,
	SPANS_MAX = 4000000,
};

#define POLITE_NS UINT64_C(5000000000)

struct message {
	uint32_t number;
	uint32_t unused;
	uint64_t sent_ns;
};

struct talk {
	int in_fd, out_fd;
	struct sockaddr_storage to;
	socklen_t to_bytes;
	double pkts_per_s, seconds;
	size_t bytes;
	uint64_t sent, arrived, answered, begin_ns, last_ns, silence_ns;
	bool is_late; /* an answer came out of order */
	uint32_t next_number;
	uint32_t *spans_us;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "symtap-test-talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static socklen_t read_address(const char *text, uint16_t port,
			      struct sockaddr_storage *ret_address)
{
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons(port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port) };

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
		memcpy(ret_address, &four, sizeof(four));
		return sizeof(four);
	}
	if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
		memcpy(ret_address, &six, sizeof(six));
		return sizeof(six);
	}
	errno = EINVAL;
	fail(text);
}

static int open_end(const char *namespace_path, const char *text, uint16_t port)
{
	int there = open(namespace_path, O_RDONLY | O_CLOEXEC);
	int large = 32 << 20;
	struct sockaddr_storage own;
	socklen_t own_bytes = read_address(text, port, &own);
	int fd;

	if (there < 0 || setns(there, CLONE_NEWNET) < 0)
		fail(namespace_path);
	close(there);
	fd = socket(own.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large)) <
		    0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large)) <
		    0 ||
	    bind(fd, (struct sockaddr *)&own, own_bytes) < 0)
		fail(text);
	return fd;
}

struct lot {
	struct mmsghdr headers[BATCH];
	struct iovec parts[BATCH];
	struct sockaddr_storage peers[BATCH];
	_Alignas(struct message) uint8_t bytes[BATCH][BYTES_MAX];
};

static void lot_prepare(struct lot *lot, size_t bytes)
{
	for (size_t i = 0; i < BATCH; i++) {
		lot->parts[i] = (struct iovec){ lot->bytes[i], bytes };
		lot->headers[i].msg_hdr = (struct msghdr){
			.msg_name = &lot->peers[i],
			.msg_namelen = sizeof(lot->peers[i]),
			.msg_iov = &lot->parts[i],
			.msg_iovlen = 1,
		};
	}
}

static size_t lot_receive(struct lot *lot, int fd)
{
	int got;

	lot_prepare(lot, BYTES_MAX);
	got = recvmmsg(fd, lot->headers, BATCH, 0, NULL);
	return got < 0 ? 0 : (size_t)got;
}

/* A send that finds no room is a packet that was not sent. */
static size_t lot_send(struct lot *lot, int fd, size_t count)
{
	int done = sendmmsg(fd, lot->headers, (unsigned int)count, 0);

	if (done < 0 && errno != EAGAIN && errno != ENOBUFS &&
	    errno != ECONNREFUSED)
		fail("sendmmsg");
	return done < 0 ? 0 : (size_t)done;
}

static size_t due_pkts(const struct talk *talk, uint64_t now)
{
	double due = (double)(now - talk->begin_ns) * 1e-9 * talk->pkts_per_s -
		     (double)talk->sent;

	return due >= BATCH ? BATCH : due >= 1 ? (size_t)due : 0;
}

static void say(struct talk *talk, size_t count, uint64_t now)
{
	static struct lot lot;
	struct message message;

	if (count == 0)
		return;
	lot_prepare(&lot, talk->bytes);
	for (size_t i = 0; i < count; i++) {
		message =
			(struct message){ .number = (uint32_t)(talk->sent + i),
					  .sent_ns = now };
		memcpy(lot.bytes[i], &message, sizeof(message));
		memcpy(&lot.peers[i], &talk->to, sizeof(talk->to));
		lot.headers[i].msg_hdr.msg_namelen = talk->to_bytes;
	}
	talk->sent += lot_send(&lot, talk->in_fd, count);
}

static void answer(struct talk *talk)
{
	static struct lot lot;
	size_t got = lot_receive(&lot, talk->out_fd);
	uint64_t now = now_ns();

	if (got == 0)
		return;
	if (talk->last_ns > 0 && now - talk->last_ns > talk->silence_ns)
		talk->silence_ns = now - talk->last_ns;
	talk->last_ns = now;
	talk->arrived += got;
	for (size_t i = 0; i < got; i++)
		lot.parts[i].iov_len = lot.headers[i].msg_len;
	lot_send(&lot, talk->out_fd, got);
}

static void hear(struct talk *talk)
{
	static struct lot lot;
	size_t got = lot_receive(&lot, talk->in_fd);
	uint64_t now = now_ns();
	struct message message;

	for (size_t i = 0; i < got; i++) {
		memcpy(&message, lot.bytes[i], sizeof(message));
		if (message.number < talk->next_number)
			talk->is_late = true;
		talk->next_number = message.number + 1;
		if (talk->answered < SPANS_MAX)
			talk->spans_us[talk->answered] =
				(uint32_t)((now - message.sent_ns) / 1000);
		talk->answered++;
	}
}

/* Packets by the thousand are taken in lots, others when they come. */
static void wait_little(struct talk *talk)
{
	struct pollfd fds[2] = { { .fd = talk->in_fd, .events = POLLIN },
				 { .fd = talk->out_fd, .events = POLLIN } };
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	if (talk->pkts_per_s > LOTS_PKTS_PER_S)
		nanosleep(&pause, NULL);
	else
		ppoll(fds, 2, &pause, NULL);
}

/* One after the other: nobody who begins so is held. */
static void begin_politely(struct talk *talk)
{
	uint64_t deadline = now_ns() + POLITE_NS;

	while (talk->answered < POLITE_PKTS) {
		if (talk->sent == talk->answered)
			say(talk, 1, now_ns());
		wait_little(talk);
		answer(talk);
		hear(talk);
		if (now_ns() > deadline) {
			errno = ETIMEDOUT;
			fail("nobody answers");
		}
	}
	talk->begin_ns = now_ns() - (uint64_t)((double)talk->sent * 1e9 /
					       talk->pkts_per_s);
	puts("talking");
	fflush(stdout);
}

static volatile sig_atomic_t is_told_to_end;

static void on_signal(int number)
{
	(void)number;
	is_told_to_end = 1;
}

/* Until all is answered, or nothing comes any more: who has little time has
 * some of it for a while. */
static void go_on(struct talk *talk)
{
	const struct sigaction ending = { .sa_handler = on_signal };
	uint64_t begin_ns = now_ns();
	uint64_t end_ns = begin_ns + (uint64_t)(talk->seconds * 1e9);
	uint64_t now, heard_ns = end_ns, heard = 0;

	sigaction(SIGTERM, &ending, NULL);
	while ((now = now_ns()) < heard_ns + DRAIN_NS) {
		if (is_told_to_end && now < end_ns) {
			end_ns = heard_ns = now;
			talk->seconds = (double)(now - begin_ns) * 1e-9;
		}
		if (talk->arrived + talk->answered > heard && now > end_ns)
			heard_ns = now;
		heard = talk->arrived + talk->answered;
		if (now < end_ns)
			say(talk, due_pkts(talk, now), now);
		else if (talk->answered == talk->sent)
			break;
		answer(talk);
		hear(talk);
		wait_little(talk);
	}
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void report(struct talk *talk)
{
	size_t count = talk->answered < SPANS_MAX ? (size_t)talk->answered
						  : SPANS_MAX;

	qsort(talk->spans_us, count, sizeof(*talk->spans_us), compare);
	printf("{\"sent\": %llu, \"arrived\": %llu, \"answered\": %llu, "
	       "\"in_order\": %s, \"p50_us\": %u, \"p99_us\": %u, "
	       "\"worst_us\": %u, \"silence_ms\": %.3f, \"seconds\": %.3f}\n",
	       (unsigned long long)talk->sent,
	       (unsigned long long)talk->arrived,
	       (unsigned long long)talk->answered,
	       talk->is_late ? "false" : "true",
	       count ? talk->spans_us[count / 2] : 0,
	       count ? talk->spans_us[count * 99 / 100] : 0,
	       count ? talk->spans_us[count - 1] : 0,
	       (double)talk->silence_ns * 1e-6, talk->seconds);
}

int main(int argc, char **argv)
{
	static struct talk talk;
	uint16_t port;

	if (argc != 9) {
		fputs("symtap-test-talk IN OUT FROM TO PORT PKTS_PER_S SECONDS "
		      "BYTES\n",
		      stderr);
		return 2;
	}
	port = (uint16_t)atoi(argv[5]);
	talk.pkts_per_s = atof(argv[6]);
	talk.seconds = atof(argv[7]);
	talk.bytes = (size_t)atoi(argv[8]);
	if (talk.pkts_per_s <= 0 || talk.bytes < sizeof(struct message) ||
	    talk.bytes > BYTES_MAX) {
		errno = EINVAL;
		fail("PKTS_PER_S, BYTES");
	}
	talk.spans_us = malloc(SPANS_MAX * sizeof(*talk.spans_us));
	if (talk.spans_us == NULL)
		fail("memory");
	talk.to_bytes = read_address(argv[4], port, &talk.to);
	talk.out_fd = open_end(argv[2], argv[4], port);
	talk.in_fd = open_end(argv[1], argv[3], 0);
	begin_politely(&talk);
	go_on(&talk);
	report(&talk);
	free(talk.spans_us);
	return 0;
}
