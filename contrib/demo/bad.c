/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "contrib/demo/bad.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contrib/demo/beat.h"

enum { BATCH = 256, BEATS_PER_S = 1000, TELL_EVERY_US = 100000 };

struct batch {
	uint8_t bytes[BATCH][FRAME_MAX_BYTES];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
};

/* xorshift64: any sequence does, as long as sources rarely repeat. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void forge(struct frame *frame, const struct frame *model,
		  uint64_t count, uint64_t *random)
{
	uint64_t bits = draw(random);

	memcpy(frame->src, model->src, sizeof(frame->src));
	if (count % 2 == 0)
		return;
	if (frame->family == 4) { /* somewhere in 172.16.0.0/12 */
		frame->src[0] = 172;
		frame->src[1] = (uint8_t)(16 + (bits & 15));
		memcpy(frame->src + 2, (uint8_t *)&bits + 2, 2);
	} else { /* somewhere in 2001:db8:bad::/48 */
		memcpy(frame->src, "\x20\x01\x0d\xb8\x0b\xad", 6);
		memcpy(frame->src + 8, &bits, sizeof(bits));
	}
}

static size_t fill(struct batch *batch, const struct bad_order *order,
		   unsigned wanted, uint64_t sent, uint64_t *random)
{
	struct frame frame = order->frame;

	for (unsigned i = 0; i < wanted; i++) {
		if (order->deed == BAD_FORGE)
			forge(&frame, &order->frame, sent + i, random);
		if (order->deed == BAD_SCAN)
			frame.dst_port = (uint16_t)(1 + (sent + i) % 65535);
		batch->parts[i].iov_base = batch->bytes[i];
		batch->parts[i].iov_len = frame_build(&frame, batch->bytes[i]);
		memset(&batch->messages[i], 0, sizeof(batch->messages[i]));
		batch->messages[i].msg_hdr.msg_iov = &batch->parts[i];
		batch->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return wanted;
}

static int open_interface(const char *interface)
{
	struct sockaddr_ll there = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	there.sll_ifindex = (int)if_nametoindex(interface);
	if (there.sll_ifindex == 0 ||
	    bind(fd, (struct sockaddr *)&there, sizeof(there)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* What is due by now, at most one batch.  A full interface is not an error:
 * the next beat tries again. */
static int send_due(int fd, struct batch *batch, const struct bad_order *order,
		    uint64_t due, uint64_t *random, uint64_t *sent)
{
	while (*sent < due) {
		uint64_t missing = due - *sent;
		unsigned wanted = missing < BATCH ? (unsigned)missing : BATCH;
		int done;

		fill(batch, order, wanted, *sent, random);
		done = sendmmsg(fd, batch->messages, wanted, 0);
		if (done < 0 && (errno == ENOBUFS || errno == EAGAIN))
			return 0;
		if (done < 0)
			return -errno;
		*sent += (unsigned)done;
	}
	return 0;
}

int bad_run(const struct bad_order *order)
{
	static struct batch batch;
	uint64_t random = beat_now_ns() | 1;
	uint64_t begin_ns = beat_now_ns();
	uint64_t sent = 0, told = 0;
	struct beat beat;
	int fd = open_interface(order->interface);
	int error = 0;

	if (fd < 0)
		return fd;
	beat_init(&beat, 1000000000 / BEATS_PER_S, order->seconds);
	while (error == 0 && beat_wait(&beat)) {
		uint64_t past_us = (beat_now_ns() - begin_ns) / 1000;

		error = send_due(fd, &batch, order,
				 past_us * order->rate_pkts_per_s / 1000000,
				 &random, &sent);
		if (past_us / TELL_EVERY_US > told) {
			told = past_us / TELL_EVERY_US;
			printf("sent %" PRIu64 "\n", sent);
			fflush(stdout);
		}
	}
	printf("sent %" PRIu64 "\n", sent);
	close(fd);
	return error;
}
