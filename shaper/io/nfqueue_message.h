/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_MESSAGE_H
#define SHAPER_IO_NFQUEUE_MESSAGE_H

/*
 * One message of the kernel's, read in one pass: every packet comes this way.
 * Internal to the NFQUEUE data path.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nfqueue_message {
	uint32_t id;
	uint32_t in_ifindex, out_ifindex; /* as it is routed, or its bridge */
	uint32_t in_port, out_port;       /* of that; 0: it is none's */
	const uint8_t *bytes; /* from layer 3 on; into the message */
	uint32_t captured_bytes;
	uint32_t wire_bytes;
	uint16_t ethertype;
	uint16_t vlan; /* a tag beside the bytes (bridges); 0: none */
	uint32_t mark;
	bool super_packet;
	bool of_bridge; /* the bridge family's, which tells of tags */
};

enum nfqueue_message_kind {
	NFQUEUE_MESSAGE_PACKET,
	NFQUEUE_MESSAGE_ERROR, /* the kernel refused something */
	NFQUEUE_MESSAGE_GONE,  /* a verdict found no packet */
	NFQUEUE_MESSAGE_OTHER, /* not understood */
};

/* Netlink pads to 4 bytes, so 32-bit values may be read where they lie; they
 * are copied all the same, which costs nothing and assumes nothing. */
static inline uint32_t nfqueue_message_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static inline uint16_t nfqueue_message_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return ntohs(value);
}

/* What is left of a list of attributes. */
struct nfqueue_attrs {
	const uint8_t *at;
	size_t length;
};

struct nfqueue_attr {
	const uint8_t *at; /* behind its header */
	size_t length;
	uint16_t type;
};

/* linux/netlink.h's NLA_ALIGN and NLA_HDRLEN are signed. */
enum { NFQUEUE_ATTR_HEADER = sizeof(struct nlattr) };

/* false: no more, or the rest makes no sense. */
static inline bool nfqueue_attrs_next(struct nfqueue_attrs *attrs,
				      struct nfqueue_attr *ret_attr)
{
	struct nlattr attr;
	size_t room;

	if (attrs->length < sizeof(attr))
		return false;
	memcpy(&attr, attrs->at, sizeof(attr));
	if (attr.nla_len < sizeof(attr) || attr.nla_len > attrs->length)
		return false;
	ret_attr->at = attrs->at + NFQUEUE_ATTR_HEADER;
	ret_attr->length = attr.nla_len - sizeof(attr);
	ret_attr->type = attr.nla_type & 0x3fff; /* NLA_TYPE_MASK */
	room = (attr.nla_len + 3u) & ~(size_t)3;
	if (room > attrs->length) /* the last one may lack its padding */
		room = attrs->length;
	attrs->at += room;
	attrs->length -= room;
	return true;
}

static inline uint16_t nfqueue_message_vlan(const uint8_t *at, size_t length)
{
	struct nfqueue_attrs attrs = { at, length };
	struct nfqueue_attr attr;

	while (nfqueue_attrs_next(&attrs, &attr)) {
		if (attr.type == NFQA_VLAN_TCI && attr.length >= 2)
			return nfqueue_message_u16(attr.at) & 0xfff;
	}
	return 0;
}

static inline void nfqueue_message_take(struct nfqueue_message *message,
					const struct nfqueue_attr *attr)
{
	switch (attr->type) {
	case NFQA_PAYLOAD:
		message->bytes = attr->at;
		message->captured_bytes = (uint32_t)attr->length;
		return;
	case NFQA_VLAN:
		message->vlan = nfqueue_message_vlan(attr->at, attr->length);
		return;
	}
	if (attr->length < sizeof(uint32_t))
		return;
	switch (attr->type) {
	case NFQA_IFINDEX_INDEV:
		message->in_ifindex = nfqueue_message_u32(attr->at);
		return;
	case NFQA_IFINDEX_OUTDEV:
		message->out_ifindex = nfqueue_message_u32(attr->at);
		return;
	case NFQA_IFINDEX_PHYSINDEV:
		message->in_port = nfqueue_message_u32(attr->at);
		return;
	case NFQA_IFINDEX_PHYSOUTDEV:
		message->out_port = nfqueue_message_u32(attr->at);
		return;
	case NFQA_MARK:
		message->mark = nfqueue_message_u32(attr->at);
		return;
	case NFQA_CAP_LEN:
		message->wire_bytes = nfqueue_message_u32(attr->at);
		return;
	case NFQA_SKB_INFO:
		message->super_packet =
			(nfqueue_message_u32(attr->at) & NFQA_SKB_GSO) != 0;
		return;
	}
}

static inline enum nfqueue_message_kind nfqueue_message_error(const uint8_t *at,
							      size_t length)
{
	int32_t error = 0;

	if (length >= sizeof(struct nlmsghdr) + sizeof(error))
		memcpy(&error, at + sizeof(struct nlmsghdr), sizeof(error));
	return error == -ENOENT ? NFQUEUE_MESSAGE_GONE : NFQUEUE_MESSAGE_ERROR;
}

/*
 * Does it go from port to port?  What came by a port and is routed has one as
 * well, where br_netfilter is on, and what is routed to a bridge has none yet.
 * Before it is known where it goes, it may be either.
 */
static inline bool
nfqueue_message_is_bridged(const struct nfqueue_message *message)
{
	return message->in_port != 0 &&
	       (message->out_port != 0 || message->out_ifindex == 0);
}

/*
 * Read the `length` bytes of one datagram.  A packet's id, which comes first,
 * is enough for it to be a packet; what is missing or cut off behind it is 0,
 * and no packet bytes means captured_bytes == 0.
 */
static inline enum nfqueue_message_kind
nfqueue_message_read(const uint8_t *at, size_t length,
		     struct nfqueue_message *ret_message)
{
	const size_t head = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg);
	struct nfqnl_msg_packet_hdr packet;
	struct nfqueue_attrs attrs;
	struct nfqueue_attr attr;
	struct nlmsghdr header;
	struct nfgenmsg family;

	if (length < sizeof(header))
		return NFQUEUE_MESSAGE_OTHER;
	memcpy(&header, at, sizeof(header));
	if (header.nlmsg_type == NLMSG_ERROR)
		return nfqueue_message_error(at, length);
	if (header.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
	    length < head)
		return NFQUEUE_MESSAGE_OTHER;
	memcpy(&family, at + sizeof(header), sizeof(family));
	attrs = (struct nfqueue_attrs){ at + head, length - head };
	if (!nfqueue_attrs_next(&attrs, &attr) ||
	    attr.type != NFQA_PACKET_HDR || attr.length < sizeof(packet))
		return NFQUEUE_MESSAGE_OTHER;
	memcpy(&packet, attr.at, sizeof(packet));
	*ret_message = (struct nfqueue_message){
		.id = ntohl(packet.packet_id),
		.ethertype = ntohs(packet.hw_protocol),
		.of_bridge = family.nfgen_family == AF_BRIDGE,
	};
	while (nfqueue_attrs_next(&attrs, &attr))
		nfqueue_message_take(ret_message, &attr);
	if (ret_message->wire_bytes < ret_message->captured_bytes)
		ret_message->wire_bytes = ret_message->captured_bytes;
	return NFQUEUE_MESSAGE_PACKET;
}

#endif
