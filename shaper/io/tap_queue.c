/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/tap_queue.h"

/* Before the library's own copy of it, which is older. */
#include <linux/netfilter/nfnetlink_queue.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shaper/io/nfqueue_message.h"

enum {
	HEADERS_BYTES = 192,
	MESSAGE_BYTES = 1 << 17, /* a packet of any size, and what is said */
	RECEIVE_BYTES = 8 << 20,
};

struct tapqueue {
	struct mnl_socket *socket;
	uint16_t queue;
	_Alignas(struct nlmsghdr) uint8_t message[MESSAGE_BYTES];
	_Alignas(struct nlmsghdr) uint8_t verdict[MESSAGE_BYTES];
};

/* The answer to a request; packets that come before it go on unjudged, as if
 * they had come before the queue was taken. */
static int wait_for_answer(struct tapqueue *queue)
{
	const struct nlmsghdr *header = (const void *)queue->message;
	struct nfqueue_message message;
	const struct nlmsgerr *answer;
	ssize_t length;

	for (;;) {
		length = mnl_socket_recvfrom(queue->socket, queue->message,
					     sizeof(queue->message));
		if (length < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (length < 0)
			return -errno;
		if (nfqueue_message_read(queue->message, (size_t)length,
					 &message) == NFQUEUE_MESSAGE_PACKET) {
			tapqueue_verdict(queue, message.id, true, NULL, 0);
			continue;
		}
		if (!mnl_nlmsg_ok(header, (int)length) ||
		    header->nlmsg_type != NLMSG_ERROR)
			continue;
		answer = mnl_nlmsg_get_payload(header);
		return answer->error;
	}
}

static int take_queue(struct tapqueue *queue, uint32_t length_pkts,
		      bool fail_open)
{
	_Alignas(struct nlmsghdr) char bytes[512];
	struct nlmsghdr *header;

	header = nfq_nlmsg_put(bytes, NFQNL_MSG_CONFIG, queue->queue);
	header->nlmsg_flags |= NLM_F_ACK;
	nfq_nlmsg_cfg_put_cmd(header, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	nfq_nlmsg_cfg_put_params(header, NFQNL_COPY_PACKET, HEADERS_BYTES);
	mnl_attr_put_u32(header, NFQA_CFG_QUEUE_MAXLEN, htonl(length_pkts));
	mnl_attr_put_u32(header, NFQA_CFG_FLAGS,
			 htonl(fail_open ? NFQA_CFG_F_FAIL_OPEN : 0));
	mnl_attr_put_u32(header, NFQA_CFG_MASK,
			 htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO));
	if (mnl_socket_sendto(queue->socket, header, header->nlmsg_len) < 0)
		return -errno;
	return wait_for_answer(queue);
}

int tapqueue_new(uint16_t number, uint32_t length_pkts, bool fail_open,
		 struct tapqueue **ret_queue)
{
	struct tapqueue *queue = calloc(1, sizeof(*queue));
	const int bytes = RECEIVE_BYTES, on = 1;
	int error = 0;

	if (queue == NULL)
		return -ENOMEM;
	queue->queue = number;
	queue->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (queue->socket == NULL ||
	    mnl_socket_bind(queue->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(queue->socket), SOL_SOCKET,
		       SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    mnl_socket_setsockopt(queue->socket, NETLINK_NO_ENOBUFS,
				  (void *)(uintptr_t)&on, sizeof(on)) < 0)
		error = -errno;
	if (error == 0)
		error = take_queue(queue, length_pkts, fail_open);
	if (error < 0) {
		tapqueue_free(queue);
		return error;
	}
	*ret_queue = queue;
	return 0;
}

void tapqueue_free(struct tapqueue *queue)
{
	if (queue == NULL)
		return;
	if (queue->socket != NULL)
		mnl_socket_close(queue->socket);
	free(queue);
}

int tapqueue_fd(const struct tapqueue *queue)
{
	return mnl_socket_get_fd(queue->socket);
}

int tapqueue_shut(struct tapqueue *queue)
{
	_Alignas(struct nlmsghdr) char request[128];
	struct nlmsghdr *header;

	header = nfq_nlmsg_put(request, NFQNL_MSG_CONFIG, queue->queue);
	mnl_attr_put_u32(header, NFQA_CFG_QUEUE_MAXLEN, htonl(0));
	return mnl_socket_sendto(queue->socket, header, header->nlmsg_len) < 0
		       ? -errno
		       : 0;
}

int tapqueue_copy(struct tapqueue *queue, uint32_t bytes)
{
	_Alignas(struct nlmsghdr) char request[128];
	struct nlmsghdr *header;

	header = nfq_nlmsg_put(request, NFQNL_MSG_CONFIG, queue->queue);
	nfq_nlmsg_cfg_put_params(header, NFQNL_COPY_PACKET, (int)bytes);
	return mnl_socket_sendto(queue->socket, header, header->nlmsg_len) < 0
		       ? -errno
		       : 0;
}

/* The sender's address, of six bytes. */
static void find_mac(const uint8_t *at, size_t length,
		     struct tapqueue_packet *packet)
{
	const size_t head = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg);
	struct nfqueue_attrs attrs = { at + head, length - head };
	struct nfqnl_msg_packet_hw hw;
	struct nfqueue_attr attr;

	while (nfqueue_attrs_next(&attrs, &attr)) {
		if (attr.type != NFQA_HWADDR || attr.length < sizeof(hw))
			continue;
		memcpy(&hw, attr.at, sizeof(hw));
		if (ntohs(hw.hw_addrlen) != sizeof(packet->mac))
			continue;
		memcpy(packet->mac, hw.hw_addr, sizeof(packet->mac));
		packet->has_mac = true;
	}
}

int tapqueue_next(struct tapqueue *queue, struct tapqueue_packet *ret_packet)
{
	struct nfqueue_message message;
	ssize_t length;

	do {
		length = recv(tapqueue_fd(queue), queue->message,
			      sizeof(queue->message), MSG_DONTWAIT);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? 0 : -errno;
	} while (length < 0 ||
		 nfqueue_message_read(queue->message, (size_t)length,
				      &message) != NFQUEUE_MESSAGE_PACKET);
	*ret_packet = (struct tapqueue_packet){
		.id = message.id,
		.in_ifindex = message.in_ifindex,
		.out_ifindex = message.out_ifindex,
		.wire_bytes = message.wire_bytes,
		.ethertype = message.ethertype,
		.vlan = message.vlan,
		.bytes = message.bytes,
		.bytes_count = message.captured_bytes,
	};
	find_mac(queue->message, (size_t)length, ret_packet);
	return 1;
}

void tapqueue_verdict(struct tapqueue *queue, uint32_t id, bool pass,
		      const uint8_t *bytes, size_t count)
{
	struct nlmsghdr *header;

	header = nfq_nlmsg_put((char *)queue->verdict, NFQNL_MSG_VERDICT,
			       queue->queue);
	nfq_nlmsg_verdict_put(header, (int)id, pass ? NF_ACCEPT : NF_DROP);
	if (bytes != NULL)
		mnl_attr_put(header, NFQA_PAYLOAD, count, bytes);
	/* One that the kernel has no memory for is said once more. */
	if (mnl_socket_sendto(queue->socket, header, header->nlmsg_len) < 0)
		mnl_socket_sendto(queue->socket, header, header->nlmsg_len);
}
