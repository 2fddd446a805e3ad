/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends one frame over and over, at a rate or as fast as it can.
 *
 *	symtap-test-blast INTERFACE PKTS_PER_S SECONDS COUNT FRAME [CHANGE]...
 *
 * PKTS_PER_S and COUNT may be 0: no limit.  FRAME is in hexadecimal, and is
 * the whole Ethernet frame.  CHANGE is what differs from frame to frame:
 *
 *	random:AT:BYTES     those bytes are random
 *	number:AT           32 bits count up from 0
 *	ipv4:AT             there the header's checksum is put right
 *
 * Prints one line of JSON.  SIGTERM ends it before its SECONDS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, FRAME_MAX = 9100, CHANGES_MAX = 8, IPV4_HEADER = 20 };

enum change_kind { CHANGE_RANDOM, CHANGE_NUMBER, CHANGE_IPV4 };

struct change {
	enum change_kind kind;
	size_t at, bytes;
};

struct blast {
	uint8_t frames[BATCH][FRAME_MAX];
	size_t frame_bytes;
	struct change changes[CHANGES_MAX];
	size_t changes_count;
	uint64_t random;
	uint32_t number;
	double pkts_per_s, seconds;
	uint64_t count;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "symtap-test-blast: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void misused(const char *what)
{
	fprintf(stderr, "symtap-test-blast: %s\n", what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* xorshift64* (Vigna 2016): the same in every run. */
static uint64_t next_random(struct blast *blast)
{
	blast->random ^= blast->random >> 12;
	blast->random ^= blast->random << 25;
	blast->random ^= blast->random >> 27;
	return blast->random * UINT64_C(0x2545f4914f6cdd1d);
}

static void put_right(uint8_t *header)
{
	uint32_t sum = 0;

	header[10] = header[11] = 0;
	for (size_t i = 0; i < IPV4_HEADER; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	header[10] = (uint8_t)(~sum >> 8);
	header[11] = (uint8_t)~sum;
}

static void change_frame(struct blast *blast, uint8_t *frame)
{
	uint32_t number = htonl(blast->number++);

	for (size_t i = 0; i < blast->changes_count; i++) {
		const struct change *change = &blast->changes[i];

		switch (change->kind) {
		case CHANGE_RANDOM:
			for (size_t j = 0; j < change->bytes; j++)
				frame[change->at + j] =
					(uint8_t)(next_random(blast) >> 32);
			break;
		case CHANGE_NUMBER:
			memcpy(frame + change->at, &number, sizeof(number));
			break;
		case CHANGE_IPV4:
			put_right(frame + change->at);
			break;
		}
	}
}

static void add_change(struct blast *blast, const char *text)
{
	struct change *change = &blast->changes[blast->changes_count++];

	if (blast->changes_count == CHANGES_MAX)
		misused("too many changes");
	if (sscanf(text, "random:%zu:%zu", &change->at, &change->bytes) == 2) {
		change->kind = CHANGE_RANDOM;
	} else if (sscanf(text, "number:%zu", &change->at) == 1) {
		change->kind = CHANGE_NUMBER;
		change->bytes = sizeof(uint32_t);
	} else if (sscanf(text, "ipv4:%zu", &change->at) == 1) {
		change->kind = CHANGE_IPV4;
		change->bytes = IPV4_HEADER;
	} else {
		misused("no such change");
	}
	if (change->at > blast->frame_bytes ||
	    change->bytes > blast->frame_bytes - change->at)
		misused("a change is outside of the frame");
}

static void read_frame(struct blast *blast, const char *text)
{
	unsigned int byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2) {
		if (blast->frame_bytes == FRAME_MAX)
			misused("the frame is too long");
		blast->frames[0][blast->frame_bytes++] = (uint8_t)byte;
	}
	if (*text != '\0' || blast->frame_bytes < ETH_HLEN)
		misused("that is no frame");
	for (size_t i = 1; i < BATCH; i++)
		memcpy(blast->frames[i], blast->frames[0], FRAME_MAX);
}

static int open_interface(const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	address.sll_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || address.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) <
		    0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(interface);
	return fd;
}

/* How many are due; waits when none is. */
static uint64_t due_pkts(const struct blast *blast, uint64_t sent,
			 uint64_t begin_ns)
{
	const struct timespec little = { .tv_nsec = 200000 };
	double due;

	if (blast->pkts_per_s <= 0)
		return BATCH;
	due = (double)(now_ns() - begin_ns) * 1e-9 * blast->pkts_per_s + 1 -
	      (double)sent;
	if (due < 1) {
		nanosleep(&little, NULL);
		return 0;
	}
	return due < BATCH ? (uint64_t)due : BATCH;
}

static volatile sig_atomic_t is_told_to_end;

static void on_signal(int number)
{
	(void)number;
	is_told_to_end = 1;
}

static uint64_t run(struct blast *blast, int fd)
{
	struct mmsghdr headers[BATCH] = { 0 };
	struct iovec parts[BATCH];
	uint64_t begin_ns = now_ns(), sent = 0, due;
	int done;

	for (size_t i = 0; i < BATCH; i++) {
		parts[i].iov_base = blast->frames[i];
		parts[i].iov_len = blast->frame_bytes;
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	while (!is_told_to_end &&
	       (double)(now_ns() - begin_ns) < blast->seconds * 1e9 &&
	       (blast->count == 0 || sent < blast->count)) {
		due = due_pkts(blast, sent, begin_ns);
		if (blast->count > 0 && due > blast->count - sent)
			due = blast->count - sent;
		for (size_t i = 0; i < due; i++)
			change_frame(blast, blast->frames[i]);
		for (uint64_t from = 0; from < due; from += (uint64_t)done) {
			done = sendmmsg(fd, headers + from,
					(unsigned int)(due - from), 0);
			if (done < 0 && errno != ENOBUFS && errno != EINTR)
				fail("sendmmsg");
			done = done < 0 ? 0 : done;
		}
		sent += due;
	}
	return sent;
}

int main(int argc, char **argv)
{
	const struct sigaction ending = { .sa_handler = on_signal };
	static struct blast blast = { .random = 88172645463325252u };
	uint64_t begin_ns, sent;
	int fd;

	if (argc < 6)
		misused("INTERFACE PKTS_PER_S SECONDS COUNT FRAME [CHANGE]...");
	blast.pkts_per_s = atof(argv[2]);
	blast.seconds = atof(argv[3]);
	blast.count = strtoull(argv[4], NULL, 10);
	read_frame(&blast, argv[5]);
	for (int i = 6; i < argc; i++)
		add_change(&blast, argv[i]);
	fd = open_interface(argv[1]);
	sigaction(SIGTERM, &ending, NULL);
	begin_ns = now_ns();
	sent = run(&blast, fd);
	printf("{\"sent\": %llu, \"seconds\": %.6f}\n",
	       (unsigned long long)sent, (double)(now_ns() - begin_ns) * 1e-9);
	return 0;
}
