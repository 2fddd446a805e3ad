/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Headers of the packets that `log` rules matched, by way of nfnetlink_log. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "flowtable/packet.h"
#include "shaper/io/nft_handle.h"

enum {
	LOG_BYTES = 32 * 1024,
	LOG_BUFFER_BYTES = 512 * 1024,
	CAPTURED_BYTES = 128,
	LONGEST_BYTES = 40 + 65535, /* of a packet, as its header says it */
	FLUSH_CENTISECONDS = 10,
	FLUSH_MESSAGES = 32,
};

struct nfthandle_log {
	char bytes[LOG_BYTES];
	const struct nlmsghdr *next;
	int left_bytes;
};

int nfthandle_open_log(struct nftrules *rules)
{
	static const int ROOM = LOG_BUFFER_BYTES;

	rules->log_bytes = calloc(1, sizeof(*rules->log_bytes));
	if (!rules->log_bytes)
		return -ENOMEM;
	rules->log = nfthandle_socket(rules);
	if (!rules->log)
		return -errno;
	setsockopt(mnl_socket_get_fd(rules->log), SOL_SOCKET, SO_RCVBUFFORCE,
		   &ROOM, sizeof(ROOM));
	return 0;
}

void nfthandle_close_log(struct nftrules *rules)
{
	if (rules->log)
		mnl_socket_close(rules->log);
	free(rules->log_bytes);
}

int nftrules_log_fd(const struct nftrules *rules)
{
	return mnl_socket_get_fd(rules->log);
}

static struct nlmsghdr *begin(char *bytes, uint16_t group)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	struct nfgenmsg *body;

	message->nlmsg_type = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	body = mnl_nlmsg_put_extra_header(message, sizeof(*body));
	body->nfgen_family = AF_UNSPEC;
	body->version = NFNETLINK_V0;
	body->res_id = htons(group);
	return message;
}

static int send_and_hear(struct mnl_socket *socket,
			 const struct nlmsghdr *message)
{
	char answer[4096];
	const struct nlmsghdr *header = (const void *)answer;
	const struct nlmsgerr *error;
	ssize_t bytes;

	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	/* Packets may come before the answer. */
	do {
		bytes = recv(mnl_socket_get_fd(socket), answer, sizeof(answer),
			     0);
		if (bytes < 0 && errno != EINTR && errno != ENOBUFS)
			return -errno;
	} while (bytes < 0 || !mnl_nlmsg_ok(header, (int)bytes) ||
		 header->nlmsg_type != NLMSG_ERROR ||
		 header->nlmsg_len < mnl_nlmsg_size(sizeof(*error)));
	error = mnl_nlmsg_get_payload(header);
	return error->error;
}

int nfthandle_bind_log(struct nftrules *rules, uint16_t group)
{
	struct nfulnl_msg_config_cmd command = { NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = { .copy_mode =
						       NFULNL_COPY_PACKET };
	char bytes[256];
	struct nlmsghdr *message;
	int error;

	if (rules->log_bound && rules->log_group == group)
		return 0;
	message = begin(bytes, group);
	mnl_attr_put(message, NFULA_CFG_CMD, sizeof(command), &command);
	error = send_and_hear(rules->log, message);
	if (error)
		return nfthandle_fail(rules, error,
				      "nflog group %u: somebody else's?",
				      group);
	mode.copy_range = htonl(CAPTURED_BYTES);
	message = begin(bytes, group);
	mnl_attr_put(message, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(message, NFULA_CFG_TIMEOUT, htonl(FLUSH_CENTISECONDS));
	mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(FLUSH_MESSAGES));
	error = send_and_hear(rules->log, message);
	if (error)
		return nfthandle_fail(rules, error, "nflog group %u", group);
	rules->log_bound = true;
	rules->log_group = group;
	return 0;
}

static int note_attribute(const struct nlattr *attribute, void *data)
{
	const struct nlattr **attributes = data;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= NFULA_MAX)
		attributes[type] = attribute;
	return MNL_CB_OK;
}

static void interface_of(const struct nlattr *attribute, char ret_name[16])
{
	ret_name[0] = '\0';
	if (attribute && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0 &&
	    !if_indextoname(ntohl(mnl_attr_get_u32(attribute)), ret_name))
		ret_name[0] = '\0';
}

/* "symtap 30 out": as nft_forward.c wrote it. */
static bool read_prefix(const struct nlattr *attribute,
			struct nftrules_log *ret_log)
{
	char direction[4] = "";
	int priority;

	if (!attribute ||
	    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0 ||
	    sscanf(mnl_attr_get_str(attribute), "symtap %d %3s", &priority,
		   direction) != 2)
		return false;
	ret_log->priority = priority;
	ret_log->out = strcmp(direction, "out") == 0;
	return true;
}

static bool read_packet(const struct nlattr *header,
			const struct nlattr *payload,
			struct nftrules_log *ret_log)
{
	const struct nfulnl_msg_packet_hdr *packet;
	struct packet_meta meta;
	enum packet_error error;
	uint32_t captured;

	if (!header || !payload ||
	    mnl_attr_get_payload_len(header) < sizeof(*packet))
		return false;
	packet = mnl_attr_get_payload(header);
	captured = mnl_attr_get_payload_len(payload);
	/* Nobody says how long it was before it was cut. */
	error = packet_parse(
		ntohs(packet->hw_protocol), mnl_attr_get_payload(payload),
		captured, captured < CAPTURED_BYTES ? captured : LONGEST_BYTES,
		&meta);
	if (error != PACKET_OK && meta.ethertype == 0)
		return false;
	memcpy(ret_log->src, meta.ends.src, sizeof(ret_log->src));
	memcpy(ret_log->dst, meta.ends.dst, sizeof(ret_log->dst));
	ret_log->src_port = meta.ends.src_port;
	ret_log->dst_port = meta.ends.dst_port;
	ret_log->proto = meta.ends.proto;
	ret_log->tcp_flags = meta.tcp_flags;
	ret_log->length_bytes = meta.length_bytes;
	return true;
}

static bool read_message(const struct nlmsghdr *message,
			 struct nftrules_log *ret_log)
{
	const struct nlattr *attributes[NFULA_MAX + 1] = { 0 };
	struct nftrules_log log = { 0 };

	if (message->nlmsg_type !=
		    ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET) ||
	    mnl_attr_parse(message, sizeof(struct nfgenmsg), note_attribute,
			   attributes) < 0 ||
	    !read_prefix(attributes[NFULA_PREFIX], &log) ||
	    !read_packet(attributes[NFULA_PACKET_HDR],
			 attributes[NFULA_PAYLOAD], &log))
		return false;
	interface_of(attributes[NFULA_IFINDEX_PHYSINDEV]
			     ? attributes[NFULA_IFINDEX_PHYSINDEV]
			     : attributes[NFULA_IFINDEX_INDEV],
		     log.in_interface);
	interface_of(attributes[NFULA_IFINDEX_PHYSOUTDEV]
			     ? attributes[NFULA_IFINDEX_PHYSOUTDEV]
			     : attributes[NFULA_IFINDEX_OUTDEV],
		     log.out_interface);
	*ret_log = log;
	return true;
}

/* true: there is something to read in log_bytes. */
static bool receive(struct nftrules *rules, uint64_t *ret_lost)
{
	struct nfthandle_log *log = rules->log_bytes;
	ssize_t length;

	for (;;) {
		length = recv(mnl_socket_get_fd(rules->log), log->bytes,
			      sizeof(log->bytes), MSG_DONTWAIT);
		if (length < 0 && errno == ENOBUFS) {
			(*ret_lost)++;
			continue;
		}
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return false;
		log->next = (const void *)log->bytes;
		log->left_bytes = (int)length;
		return true;
	}
}

bool nftrules_next_log(struct nftrules *rules, struct nftrules_log *ret_log,
		       uint64_t *ret_lost)
{
	struct nfthandle_log *log = rules->log_bytes;
	const struct nlmsghdr *message;

	for (;;) {
		if (!mnl_nlmsg_ok(log->next, log->left_bytes)) {
			if (!receive(rules, ret_lost))
				return false;
			continue;
		}
		message = log->next;
		log->next = mnl_nlmsg_next(message, &log->left_bytes);
		if (read_message(message, ret_log))
			return true;
		if (message->nlmsg_type != NLMSG_DONE)
			(*ret_lost)++;
	}
}
