/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_SOCKET_H
#define SHAPER_IO_NFQUEUE_SOCKET_H

/*
 * One kernel queue: packets come out in batches, verdicts go back in batches.
 * Knows nothing of what is in a packet.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nfqueue_socket;

enum {
	NFQUEUE_BATCH = 256,   /* packets of one receive */
	NFQUEUE_HEADERS = 192, /* bytes of each packet that are copied */
};

struct nfqueue_socket_config {
	uint16_t queue;
	uint32_t length_pkts;   /* the kernel keeps so many for us */
	uint32_t receive_bytes; /* for what was not yet received */
	bool fail_open;         /* what finds no room goes on unjudged */
	bool takes_super_packets;
};

/*
 * All that is needed to take the queue.  0 or -errno: -EBUSY when another
 * program has it (nfqueue_socket_state says which), -EPERM without
 * CAP_NET_ADMIN.
 */
int nfqueue_socket_new(const struct nfqueue_socket_config *config,
		       struct nfqueue_socket **ret_socket);
/*
 * Take it: from now on packets wait for verdicts.  0 or -errno, as above.
 */
int nfqueue_socket_take(struct nfqueue_socket *socket);
/* What still waits in the queue is dropped by the kernel. */
void nfqueue_socket_free(struct nfqueue_socket *socket);

int nfqueue_socket_fd(const struct nfqueue_socket *socket);

/*
 * Receive up to NFQUEUE_BATCH messages without waiting.  Returns how many; 0:
 * none are there; or -errno, -ENOBUFS when the kernel had to leave some out.
 * They stay readable by nfqueue_socket_message until the next receive.
 */
int nfqueue_socket_receive(struct nfqueue_socket *socket);
const uint8_t *nfqueue_socket_message(const struct nfqueue_socket *socket,
				      size_t at, size_t *ret_length);

/* netfilter's own verdicts; and "move it to that queue". */
uint32_t nfqueue_socket_accept(void);
uint32_t nfqueue_socket_drop(void);
uint32_t nfqueue_socket_requeue(uint16_t queue);

/*
 * Note a verdict for one packet, or for every packet up to and with `id` that
 * has none yet; sent when there are NFQUEUE_BATCH of them or by
 * nfqueue_socket_flush.  The kernel carries them out in that order.
 */
void nfqueue_socket_verdict(struct nfqueue_socket *socket, uint32_t id,
			    uint32_t verdict);
void nfqueue_socket_verdict_up_to(struct nfqueue_socket *socket, uint32_t id,
				  uint32_t verdict);
/* When it returns, the kernel has carried them out. */
void nfqueue_socket_flush(struct nfqueue_socket *socket);

/* Carry out what is noted; from then on nothing finds room in the queue: it
 * goes on unjudged (fail open) or is dropped.  What is in it stays.  0 or
 * -errno. */
int nfqueue_socket_shut(struct nfqueue_socket *socket);

/* Times that sending failed. */
uint64_t nfqueue_socket_send_errors(const struct nfqueue_socket *socket);

/* What the kernel says of a queue in this network namespace. */
struct nfqueue_socket_state {
	uint32_t owner;        /* netlink port, mostly a process id */
	uint32_t waiting_pkts; /* without a verdict */
	uint32_t queue_dropped, user_dropped; /* wrap around */
};
/* false: nobody has it, or nothing can be known. */
bool nfqueue_socket_state(uint16_t queue,
			  struct nfqueue_socket_state *ret_state);
/* Of several, which differ; how many were found.  Others stay as they are. */
size_t nfqueue_socket_states(const uint16_t *queues, size_t count,
			     struct nfqueue_socket_state *ret_states);

#endif
