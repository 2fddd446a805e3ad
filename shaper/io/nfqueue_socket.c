/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nfqueue_socket.h"

/* Before the library's own copy of it, which is older. */
#include <linux/netfilter/nfnetlink_queue.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shaper/io/nfqueue_message.h"

enum {
	/* The headers, and every attribute that the kernel may add. */
	SLOT_BYTES = 512,
	/* Netlink header, nfnetlink header, one attribute of two words. */
	VERDICT_BYTES = 32,
	VERDICT_AT = 24, /* of that, where the two words are */
};

struct nfqueue_socket {
	struct nfqueue_socket_config config;
	struct mnl_socket *socket;
	int fd;
	uint16_t queue;
	uint64_t send_errors;

	struct mmsghdr headers[NFQUEUE_BATCH];
	struct iovec parts[NFQUEUE_BATCH];
	_Alignas(64) uint8_t slots[NFQUEUE_BATCH][SLOT_BYTES];

	/* As the library makes them; only the two words are filled in. */
	_Alignas(64) uint8_t single[VERDICT_BYTES], up_to[VERDICT_BYTES];
	uint8_t verdicts[NFQUEUE_BATCH][VERDICT_BYTES];
	size_t verdicts_count;
};

static void set_up_buffers(struct nfqueue_socket *socket)
{
	_Alignas(struct nlmsghdr) char bytes[256];
	struct nlmsghdr *header;

	for (size_t i = 0; i < NFQUEUE_BATCH; i++) {
		socket->parts[i].iov_base = socket->slots[i];
		socket->parts[i].iov_len = SLOT_BYTES;
		socket->headers[i].msg_hdr.msg_iov = &socket->parts[i];
		socket->headers[i].msg_hdr.msg_iovlen = 1;
	}
	header = nfq_nlmsg_put(bytes, NFQNL_MSG_VERDICT, socket->queue);
	nfq_nlmsg_verdict_put(header, 0, NF_ACCEPT);
	memcpy(socket->single, header, VERDICT_BYTES);
	header = nfq_nlmsg_put(bytes, NFQNL_MSG_VERDICT_BATCH, socket->queue);
	nfq_nlmsg_verdict_put(header, 0, NF_ACCEPT);
	memcpy(socket->up_to, header, VERDICT_BYTES);
}

/*
 * The answer to the request that took the queue.  Where rules of an earlier
 * life still stand, packets may come before it: they go on unjudged, which
 * costs less than to have them wait for the next.  0 or -errno.
 */
static int wait_for_answer(struct nfqueue_socket *socket, uint32_t early)
{
	const struct nlmsghdr *header = (const void *)socket->slots[0];
	struct nfqueue_message message;
	const struct nlmsgerr *answer;
	ssize_t length;

	for (;;) {
		length = mnl_socket_recvfrom(socket->socket, socket->slots[0],
					     SLOT_BYTES);
		if (length < 0 &&
		    (errno == EINTR || errno == ENOBUFS || errno == ENOSPC))
			continue;
		if (length < 0)
			return -errno;
		if (nfqueue_message_read(socket->slots[0], (size_t)length,
					 &message) == NFQUEUE_MESSAGE_PACKET) {
			nfqueue_socket_verdict(socket, message.id, early);
			continue;
		}
		if (!mnl_nlmsg_ok(header, (int)length) ||
		    header->nlmsg_type != NLMSG_ERROR)
			continue;
		answer = mnl_nlmsg_get_payload(header);
		nfqueue_socket_flush(socket);
		return answer->error;
	}
}

/*
 * One message takes the queue and sets it up: between two, the kernel would
 * drop packets that come (its copy mode would still be "none").
 */
int nfqueue_socket_take(struct nfqueue_socket *socket)
{
	const struct nfqueue_socket_config *config = &socket->config;
	const uint32_t mask = NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO;
	_Alignas(struct nlmsghdr) char bytes[512];
	struct nfqueue_socket_state state;
	struct nlmsghdr *header;
	uint32_t flags = 0;
	int error;

	if (config->fail_open)
		flags |= NFQA_CFG_F_FAIL_OPEN;
	if (config->takes_super_packets)
		flags |= NFQA_CFG_F_GSO;
	header = nfq_nlmsg_put(bytes, NFQNL_MSG_CONFIG, config->queue);
	header->nlmsg_flags |= NLM_F_ACK;
	nfq_nlmsg_cfg_put_cmd(header, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	nfq_nlmsg_cfg_put_params(header, NFQNL_COPY_PACKET, NFQUEUE_HEADERS);
	mnl_attr_put_u32(header, NFQA_CFG_QUEUE_MAXLEN,
			 htonl(config->length_pkts));
	mnl_attr_put_u32(header, NFQA_CFG_FLAGS, htonl(flags));
	mnl_attr_put_u32(header, NFQA_CFG_MASK, htonl(mask));
	if (mnl_socket_sendto(socket->socket, header, header->nlmsg_len) < 0)
		return -errno;
	error = wait_for_answer(socket,
				config->fail_open ? NF_ACCEPT : NF_DROP);
	if (error == -EPERM && nfqueue_socket_state(config->queue, &state))
		error = -EBUSY;
	return error;
}

static int set_up_socket(struct nfqueue_socket *socket, uint32_t receive_bytes)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int bytes = (int)(receive_bytes / 2); /* the kernel doubles it */
	int on = 1;

	if (setsockopt(socket->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)) < 0)
		return -errno;
	/* Else one overrun makes the kernel leave out everything until the
	 * socket is empty. */
	if (mnl_socket_setsockopt(socket->socket, NETLINK_NO_ENOBUFS, &on,
				  sizeof(on)) < 0)
		return -errno;
	/* From now on only the kernel can send to us. */
	if (connect(socket->fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

int nfqueue_socket_new(const struct nfqueue_socket_config *config,
		       struct nfqueue_socket **ret_socket)
{
	struct nfqueue_socket *socket = aligned_alloc(64, sizeof(*socket));
	struct nfqueue_socket_state state;
	int error;

	if (socket == NULL)
		return -ENOMEM;
	memset(socket, 0, sizeof(*socket));
	socket->config = *config;
	socket->queue = config->queue;
	set_up_buffers(socket);
	socket->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (socket->socket == NULL ||
	    mnl_socket_bind(socket->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		goto fail;
	}
	socket->fd = mnl_socket_get_fd(socket->socket);
	error = set_up_socket(socket, config->receive_bytes);
	if (error == 0 && nfqueue_socket_state(config->queue, &state))
		error = -EBUSY;
	if (error < 0)
		goto fail;
	*ret_socket = socket;
	return 0;

fail:
	nfqueue_socket_free(socket);
	return error;
}

void nfqueue_socket_free(struct nfqueue_socket *socket)
{
	if (socket == NULL)
		return;
	if (socket->socket != NULL)
		mnl_socket_close(socket->socket);
	free(socket);
}

int nfqueue_socket_fd(const struct nfqueue_socket *socket)
{
	return socket->fd;
}

int nfqueue_socket_receive(struct nfqueue_socket *socket)
{
	int count;

	do {
		count = recvmmsg(socket->fd, socket->headers, NFQUEUE_BATCH,
				 MSG_DONTWAIT, NULL);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? 0 : -errno;
	return count;
}

const uint8_t *nfqueue_socket_message(const struct nfqueue_socket *socket,
				      size_t at, size_t *ret_length)
{
	*ret_length = socket->headers[at].msg_len;
	return socket->slots[at];
}

uint32_t nfqueue_socket_accept(void)
{
	return NF_ACCEPT;
}

uint32_t nfqueue_socket_drop(void)
{
	return NF_DROP;
}

uint32_t nfqueue_socket_requeue(uint16_t queue)
{
	return NF_QUEUE_NR((uint32_t)queue);
}

static void put_verdict(struct nfqueue_socket *socket, const uint8_t *made,
			uint32_t id, uint32_t verdict)
{
	const struct nfqnl_msg_verdict_hdr words = { htonl(verdict),
						     htonl(id) };
	uint8_t *at;

	if (socket->verdicts_count == NFQUEUE_BATCH)
		nfqueue_socket_flush(socket);
	at = socket->verdicts[socket->verdicts_count++];
	memcpy(at, made, VERDICT_BYTES);
	memcpy(at + VERDICT_AT, &words, sizeof(words));
}

void nfqueue_socket_verdict(struct nfqueue_socket *socket, uint32_t id,
			    uint32_t verdict)
{
	put_verdict(socket, socket->single, id, verdict);
}

void nfqueue_socket_verdict_up_to(struct nfqueue_socket *socket, uint32_t id,
				  uint32_t verdict)
{
	put_verdict(socket, socket->up_to, id, verdict);
}

/* A lack of memory may pass: try once more, then leave them to a later
 * verdict that covers them. */
void nfqueue_socket_flush(struct nfqueue_socket *socket)
{
	size_t bytes = socket->verdicts_count * VERDICT_BYTES;

	if (bytes == 0)
		return;
	socket->verdicts_count = 0;
	if (send(socket->fd, socket->verdicts, bytes, 0) >= 0)
		return;
	socket->send_errors++;
	if (send(socket->fd, socket->verdicts, bytes, 0) < 0)
		socket->send_errors++;
}

/* By one call, so that hardly a packet comes between. */
int nfqueue_socket_shut(struct nfqueue_socket *socket)
{
	_Alignas(struct nlmsghdr) char bytes[128];
	struct iovec parts[2] = { { .iov_base = socket->verdicts } };
	const struct msghdr both = { .msg_iov = parts, .msg_iovlen = 2 };
	struct nlmsghdr *header;

	header = nfq_nlmsg_put(bytes, NFQNL_MSG_CONFIG, socket->queue);
	mnl_attr_put_u32(header, NFQA_CFG_QUEUE_MAXLEN, htonl(0));
	parts[0].iov_len = socket->verdicts_count * VERDICT_BYTES;
	parts[1] = (struct iovec){ header, header->nlmsg_len };
	socket->verdicts_count = 0;
	return sendmsg(socket->fd, &both, 0) < 0 ? -errno : 0;
}

uint64_t nfqueue_socket_send_errors(const struct nfqueue_socket *socket)
{
	return socket->send_errors;
}

/* nfnetlink_queue's seq_show(): number, owner, waiting, copy mode, copy range,
 * dropped for the queue's length, dropped for the socket, last id, 1. */
size_t nfqueue_socket_states(const uint16_t *queues, size_t count,
			     struct nfqueue_socket_state *ret_states)
{
	FILE *file = fopen("/proc/net/netfilter/nfnetlink_queue", "re");
	struct nfqueue_socket_state state;
	unsigned int number;
	size_t found = 0;
	char line[160];

	if (file == NULL)
		return 0;
	while (found < count && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%u %u %u %*u %*u %u %u", &number,
			   &state.owner, &state.waiting_pkts,
			   &state.queue_dropped, &state.user_dropped) != 5)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (number != queues[i])
				continue;
			ret_states[i] = state;
			found++;
		}
	}
	fclose(file);
	return found;
}

bool nfqueue_socket_state(uint16_t queue,
			  struct nfqueue_socket_state *ret_state)
{
	return nfqueue_socket_states(&queue, 1, ret_state) == 1;
}
