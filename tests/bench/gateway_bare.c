/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that a consumer of one kernel queue can do: take batches, accept
 * them with one verdict each, and pause between them while packets flood, as
 * symtapd does.  What symtapd costs is what it costs more than this.
 *
 *	gateway_bare QUEUE
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "shaper/io/clock.h"
#include "shaper/io/nfqueue_message.h"
#include "shaper/io/nfqueue_socket.h"

enum { WINDOW_NS = 1000000, HIGH_PKTS = 150, PAUSE_NS = 20000, SUPERS = 8 };

static volatile sig_atomic_t ending;

static void on_signal(int signal)
{
	(void)signal;
	ending = 1;
}

struct rate {
	uint64_t since_ns;
	uint32_t pkts, supers;
	bool high;
};

static void note_rate(struct rate *rate, uint32_t pkts, uint32_t supers)
{
	uint64_t now_ns = clock_now_ns();

	rate->pkts += pkts;
	rate->supers += supers;
	if (now_ns - rate->since_ns < WINDOW_NS)
		return;
	rate->high = rate->pkts >= HIGH_PKTS + rate->supers * SUPERS &&
		     now_ns - rate->since_ns < 2ull * WINDOW_NS;
	rate->since_ns = now_ns;
	rate->pkts = rate->supers = 0;
}

/* The id of the last packet, which stands for all; and whether there are
 * super-packets, from the first message. */
static bool last_id(const struct nfqueue_socket *socket, size_t count,
		    uint32_t *ret_id, uint32_t *ret_supers)
{
	struct nfqueue_message message;
	const uint8_t *bytes;
	bool found = false;
	size_t length;

	*ret_supers = 0;
	for (size_t i = count; i-- > 0 && !found;) {
		bytes = nfqueue_socket_message(socket, i, &length);
		found = nfqueue_message_read(bytes, length, &message) ==
			NFQUEUE_MESSAGE_PACKET;
		*ret_id = message.id;
		*ret_supers += found && message.super_packet ? (uint32_t)count
							     : 0;
	}
	return found;
}

static void serve(struct nfqueue_socket *socket)
{
	struct pollfd poll_fd = { .fd = nfqueue_socket_fd(socket),
				  .events = POLLIN };
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct rate rate = { 0 };
	uint32_t id, supers;
	int count = 0;

	while (!ending) {
		if (rate.high && count < NFQUEUE_BATCH)
			nanosleep(&pause, NULL);
		poll(&poll_fd, 1, rate.high ? 0 : 1000);
		count = nfqueue_socket_receive(socket);
		if (count <= 0) {
			note_rate(&rate, 0, 0);
			count = 0;
			continue;
		}
		if (!last_id(socket, (size_t)count, &id, &supers))
			continue;
		nfqueue_socket_verdict_up_to(socket, id,
					     nfqueue_socket_accept());
		nfqueue_socket_flush(socket);
		note_rate(&rate, (uint32_t)count, supers);
	}
}

int main(int argc, char **argv)
{
	struct nfqueue_socket_config config = {
		.length_pkts = 16384,
		.receive_bytes = 16384 * 768,
		.fail_open = true,
		.takes_super_packets = true,
	};
	struct nfqueue_socket *socket;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: gateway_bare QUEUE\n");
		return 2;
	}
	config.queue = (uint16_t)atoi(argv[1]);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, -10);
	error = nfqueue_socket_new(&config, &socket);
	if (error == 0)
		error = nfqueue_socket_take(socket);
	if (error < 0) {
		fprintf(stderr, "gateway_bare: queue %u: %s\n", config.queue,
			strerror(-error));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	serve(socket);
	nfqueue_socket_free(socket);
	return 0;
}
