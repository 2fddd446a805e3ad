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
#include <sys/random.h>
#include <sys/socket.h>

#include "flowtable/packet.h"
#include "shaper/io/nfqueue_message.h"
#include "shaper/io/tap_segments.h"

enum {
	HEADERS_BYTES = 192,
	MESSAGE_BYTES = 1 << 17, /* a packet of any size, and what is said */
	RECEIVE_BYTES = 8 << 20,
	DROPS_AT_ONCE = 64,
	DROP_BYTES = 64, /* a verdict without a packet, and more */
};

/* The kernel numbers the packets of each. */
enum which { MAIN, APART, WHICH };

struct tapqueue {
	struct mnl_socket *sockets[WHICH];
	uint16_t queue; /* MAIN's; APART's is the next */
	bool super_packets;
	bool is_apart; /* there may be segments, which are read first */
	struct tapsegments *segments;
	_Alignas(struct nlmsghdr) uint8_t message[MESSAGE_BYTES];
	_Alignas(struct nlmsghdr) uint8_t verdict[MESSAGE_BYTES];
	_Alignas(struct nlmsghdr) uint8_t drops[DROPS_AT_ONCE * DROP_BYTES];
	size_t drops_bytes; /* of MAIN's packets */
};

static uint64_t id_of(enum which which, uint32_t id)
{
	return (uint64_t)which << 32 | id;
}

static enum which which_of(uint64_t id)
{
	return id >> 32 == APART ? APART : MAIN;
}

static uint16_t number_of(const struct tapqueue *queue, enum which which)
{
	return (uint16_t)(queue->queue + which);
}

/* The answer to a request; packets that come before it go on unjudged, as if
 * they had come before the queue was taken. */
static int wait_for_answer(struct tapqueue *queue, enum which which)
{
	const struct nlmsghdr *header = (const void *)queue->message;
	struct nfqueue_message message;
	const struct nlmsgerr *answer;
	ssize_t length;

	for (;;) {
		length = mnl_socket_recvfrom(queue->sockets[which],
					     queue->message,
					     sizeof(queue->message));
		if (length < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (length < 0)
			return -errno;
		if (nfqueue_message_read(queue->message, (size_t)length,
					 &message) == NFQUEUE_MESSAGE_PACKET) {
			tapqueue_verdict(queue, id_of(which, message.id), true,
					 NULL, 0);
			continue;
		}
		if (!mnl_nlmsg_ok(header, (int)length) ||
		    header->nlmsg_type != NLMSG_ERROR)
			continue;
		answer = mnl_nlmsg_get_payload(header);
		return answer->error;
	}
}

static int take_queue(struct tapqueue *queue, enum which which,
		      uint32_t length_pkts, bool fail_open)
{
	uint32_t flags = fail_open ? NFQA_CFG_F_FAIL_OPEN : 0;
	_Alignas(struct nlmsghdr) char bytes[512];
	struct nlmsghdr *header;

	if (which == MAIN)
		flags |= NFQA_CFG_F_GSO;
	header =
		nfq_nlmsg_put(bytes, NFQNL_MSG_CONFIG, number_of(queue, which));
	header->nlmsg_flags |= NLM_F_ACK;
	nfq_nlmsg_cfg_put_cmd(header, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	nfq_nlmsg_cfg_put_params(header, NFQNL_COPY_PACKET, HEADERS_BYTES);
	mnl_attr_put_u32(header, NFQA_CFG_QUEUE_MAXLEN, htonl(length_pkts));
	mnl_attr_put_u32(header, NFQA_CFG_FLAGS, htonl(flags));
	mnl_attr_put_u32(header, NFQA_CFG_MASK,
			 htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO));
	if (mnl_socket_sendto(queue->sockets[which], header,
			      header->nlmsg_len) < 0)
		return -errno;
	return wait_for_answer(queue, which);
}

static int open_socket(struct mnl_socket **ret_socket)
{
	const int bytes = RECEIVE_BYTES, on = 1;
	struct mnl_socket *socket;

	socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	*ret_socket = socket;
	if (socket == NULL ||
	    mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE,
		       &bytes, sizeof(bytes)) < 0 ||
	    mnl_socket_setsockopt(socket, NETLINK_NO_ENOBUFS,
				  (void *)(uintptr_t)&on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int learn_from_now(struct tapqueue *queue)
{
	uint8_t seed[16];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	queue->segments = tapsegments_new(seed);
	return queue->segments == NULL ? -ENOMEM : 0;
}

int tapqueue_new(uint16_t number, uint32_t length_pkts, bool fail_open,
		 struct tapqueue **ret_queue)
{
	struct tapqueue *queue = calloc(1, sizeof(*queue));
	int error;

	if (queue == NULL)
		return -ENOMEM;
	queue->queue = number;
	error = learn_from_now(queue);
	/* Packets come to the first as soon as it is taken. */
	for (int which = WHICH - 1; which >= 0 && error == 0; which--) {
		error = open_socket(&queue->sockets[which]);
		if (error == 0)
			error = take_queue(queue, (enum which)which,
					   length_pkts, fail_open);
	}
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
	for (size_t which = 0; which < WHICH; which++)
		if (queue->sockets[which] != NULL)
			mnl_socket_close(queue->sockets[which]);
	tapsegments_free(queue->segments);
	free(queue);
}

int tapqueue_fd(const struct tapqueue *queue)
{
	return mnl_socket_get_fd(queue->sockets[MAIN]);
}

int tapqueue_apart_fd(const struct tapqueue *queue)
{
	return mnl_socket_get_fd(queue->sockets[APART]);
}

void tapqueue_read_apart(struct tapqueue *queue)
{
	queue->is_apart = true;
}

int tapqueue_shut(struct tapqueue *queue)
{
	_Alignas(struct nlmsghdr) char request[128];
	struct nlmsghdr *header;

	header = nfq_nlmsg_put(request, NFQNL_MSG_CONFIG, queue->queue);
	mnl_attr_put_u32(header, NFQA_CFG_QUEUE_MAXLEN, htonl(0));
	return mnl_socket_sendto(queue->sockets[MAIN], header,
				 header->nlmsg_len) < 0
		       ? -errno
		       : 0;
}

int tapqueue_copy(struct tapqueue *queue, uint32_t bytes, bool super_packets)
{
	_Alignas(struct nlmsghdr) char request[128];
	struct nlmsghdr *header;

	queue->super_packets = super_packets;
	for (size_t which = 0; which < WHICH; which++) {
		header = nfq_nlmsg_put(request, NFQNL_MSG_CONFIG,
				       number_of(queue, (enum which)which));
		nfq_nlmsg_cfg_put_params(header, NFQNL_COPY_PACKET, (int)bytes);
		if (mnl_socket_sendto(queue->sockets[which], header,
				      header->nlmsg_len) < 0)
			return -errno;
	}
	return 0;
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

/* 1: a packet of this queue; 0: none for now; or -errno.  *ret_length: of all
 * that was said of it. */
static int receive(struct tapqueue *queue, enum which which,
		   struct nfqueue_message *ret_message, size_t *ret_length)
{
	ssize_t length;

	do {
		length = recv(mnl_socket_get_fd(queue->sockets[which]),
			      queue->message, sizeof(queue->message),
			      MSG_DONTWAIT);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? 0 : -errno;
	} while (length < 0 ||
		 nfqueue_message_read(queue->message, (size_t)length,
				      ret_message) != NFQUEUE_MESSAGE_PACKET);
	*ret_length = (size_t)length;
	return 1;
}

static void send_all(struct tapqueue *queue, enum which which,
		     const void *bytes, size_t count)
{
	/* One that the kernel has no memory for is said once more. */
	if (mnl_socket_sendto(queue->sockets[which], bytes, count) < 0)
		mnl_socket_sendto(queue->sockets[which], bytes, count);
}

/* Its header; all of it is nlmsg_len bytes. */
static struct nlmsghdr *write_verdict(const struct tapqueue *queue, void *at,
				      uint64_t id, uint32_t verdict)
{
	struct nlmsghdr *header = nfq_nlmsg_put(at, NFQNL_MSG_VERDICT,
						number_of(queue, which_of(id)));

	nfq_nlmsg_verdict_put(header, (int)(uint32_t)id, (int)verdict);
	return header;
}

static void say(struct tapqueue *queue, uint64_t id, uint32_t verdict,
		const uint8_t *bytes, size_t count)
{
	struct nlmsghdr *header =
		write_verdict(queue, queue->verdict, id, verdict);

	if (bytes != NULL)
		mnl_attr_put(header, NFQA_PAYLOAD, count, bytes);
	send_all(queue, which_of(id), header, header->nlmsg_len);
}

void tapqueue_flush(struct tapqueue *queue)
{
	if (queue->drops_bytes > 0)
		send_all(queue, MAIN, queue->drops, queue->drops_bytes);
	queue->drops_bytes = 0;
}

/* A flood is dropped for as little as can be; nobody waits for that. */
static void drop_later(struct tapqueue *queue, uint64_t id)
{
	struct nlmsghdr *header;

	if (queue->drops_bytes + DROP_BYTES > sizeof(queue->drops))
		tapqueue_flush(queue);
	header = write_verdict(queue, queue->drops + queue->drops_bytes, id,
			       NF_DROP);
	queue->drops_bytes += NLMSG_ALIGN(header->nlmsg_len);
}

/* 0: it has to be taken apart. */
static uint16_t wire_pkts_of(struct tapqueue *queue,
			     const struct nfqueue_message *message,
			     enum which which)
{
	struct packet_meta meta;
	uint32_t count;

	if (which == MAIN && !message->super_packet)
		return 1;
	if (packet_parse(message->ethertype, message->bytes,
			 message->captured_bytes, message->wire_bytes,
			 &meta) != PACKET_OK)
		return which == APART;
	if (which == APART) {
		tapsegments_learn(queue->segments, &meta);
		return 1;
	}
	if (!queue->super_packets)
		return 0;
	count = tapsegments_count(queue->segments, &meta);
	return count <= UINT16_MAX ? (uint16_t)count : 0;
}

int tapqueue_next(struct tapqueue *queue, struct tapqueue_packet *ret_packet)
{
	struct nfqueue_message message = { 0 };
	enum which which;
	uint16_t wire_pkts = 0;
	size_t length = 0;
	bool bridged;
	int got;

	while (wire_pkts == 0) {
		which = queue->is_apart ? APART : MAIN;
		got = receive(queue, which, &message, &length);
		if (got < 0 || (got == 0 && which == MAIN))
			return got;
		queue->is_apart = got > 0 && which == APART;
		if (got == 0)
			continue;
		wire_pkts = wire_pkts_of(queue, &message, which);
		if (wire_pkts > 0)
			break;
		say(queue, id_of(MAIN, message.id),
		    NF_QUEUE_NR((uint32_t)number_of(queue, APART)), NULL, 0);
		queue->is_apart = true;
	}
	bridged = nfqueue_message_is_bridged(&message);
	*ret_packet = (struct tapqueue_packet){
		.id = id_of(which, message.id),
		.in_ifindex = bridged ? message.in_port : message.in_ifindex,
		.out_ifindex = bridged ? message.out_port : message.out_ifindex,
		.wire_bytes = message.wire_bytes,
		.wire_pkts = wire_pkts,
		.ethertype = message.ethertype,
		.vlan = message.vlan,
		.bytes = message.bytes,
		.bytes_count = message.captured_bytes,
	};
	find_mac(queue->message, length, ret_packet);
	return 1;
}

void tapqueue_verdict(struct tapqueue *queue, uint64_t id, bool pass,
		      const uint8_t *bytes, size_t count)
{
	if (!pass && which_of(id) == MAIN)
		drop_later(queue, id);
	else
		say(queue, id, pass ? NF_ACCEPT : NF_DROP, bytes, count);
}
