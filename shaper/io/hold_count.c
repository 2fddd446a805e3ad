/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/hold_count.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "shaper/io/hold_qdisc.h"

enum { REQUEST_BYTES = 64, ANSWER_BYTES = 8192 };

struct message {
	union {
		char bytes[REQUEST_BYTES];
		struct nlmsghdr header;
	};
};

/* A class is told of to those who ask for an echo.  The acknowledgement comes
 * last. */
static int ask(struct mnl_socket *netlink, struct message *message,
	       mnl_cb_t take, struct holdcount *count)
{
	char answer[ANSWER_BYTES];
	ssize_t bytes;
	int result;

	message->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ECHO | NLM_F_ACK;
	message->header.nlmsg_seq = message->header.nlmsg_type;
	if (mnl_socket_sendto(netlink, message->bytes,
			      message->header.nlmsg_len) < 0)
		return -errno;
	do {
		bytes = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
		if (bytes < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)bytes,
				    message->header.nlmsg_seq,
				    mnl_socket_get_portid(netlink), take,
				    count);
	} while (result == MNL_CB_OK);
	return result == MNL_CB_ERROR ? -errno : 0;
}

static void copy(void *to, size_t bytes, const struct nlattr *attr)
{
	size_t got = mnl_attr_get_payload_len(attr);

	memset(to, 0, bytes);
	memcpy(to, mnl_attr_get_payload(attr), got < bytes ? got : bytes);
}

static int take_stats(const struct nlattr *attr, void *self)
{
	struct holdcount *count = self;
	struct gnet_stats_basic basic;
	struct gnet_stats_queue queue;

	switch (mnl_attr_get_type(attr)) {
	case TCA_STATS_BASIC:
		copy(&basic, sizeof(basic), attr);
		count->left_pkts = basic.packets;
		break;
	case TCA_STATS_QUEUE:
		copy(&queue, sizeof(queue), attr);
		count->waiting_pkts = queue.qlen;
		count->dropped_pkts = queue.drops;
		break;
	}
	return MNL_CB_OK;
}

static int take_class_attr(const struct nlattr *attr, void *self)
{
	if (mnl_attr_get_type(attr) != TCA_STATS2)
		return MNL_CB_OK;
	return mnl_attr_parse_nested(attr, take_stats, self);
}

static int take_class(const struct nlmsghdr *header, void *self)
{
	return mnl_attr_parse(header, sizeof(struct tcmsg), take_class_attr,
			      self) == MNL_CB_ERROR
		       ? MNL_CB_ERROR
		       : MNL_CB_OK;
}

/* What an ifb receives it gives out, but for frames of nobody. */
static int take_link_attr(const struct nlattr *attr, void *self)
{
	struct holdcount *count = self;
	struct rtnl_link_stats64 stats;

	if (mnl_attr_get_type(attr) != IFLA_STATS64)
		return MNL_CB_OK;
	copy(&stats, sizeof(stats), attr);
	count->leaving_pkts = (uint32_t)(stats.rx_packets - stats.rx_dropped -
					 stats.tx_packets);
	return MNL_CB_STOP;
}

static int take_link(const struct nlmsghdr *header, void *self)
{
	return mnl_attr_parse(header, sizeof(struct ifinfomsg), take_link_attr,
			      self) == MNL_CB_ERROR
		       ? MNL_CB_ERROR
		       : MNL_CB_OK;
}

static int ask_class(struct mnl_socket *netlink, uint32_t ifindex,
		     uint32_t class, struct holdcount *count)
{
	struct message message;
	struct nlmsghdr *header = mnl_nlmsg_put_header(message.bytes);
	struct tcmsg *body;

	header->nlmsg_type = RTM_GETTCLASS;
	body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)ifindex;
	body->tcm_handle = holdqdisc_major() | class;
	return ask(netlink, &message, take_class, count);
}

static int ask_link(struct mnl_socket *netlink, uint32_t ifindex,
		    struct holdcount *count)
{
	struct message message;
	struct nlmsghdr *header = mnl_nlmsg_put_header(message.bytes);
	struct ifinfomsg *body;

	header->nlmsg_type = RTM_GETLINK;
	body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	body->ifi_family = AF_UNSPEC;
	body->ifi_index = (int)ifindex;
	return ask(netlink, &message, take_link, count);
}

int holdcount_read(uint32_t ifindex, uint32_t class,
		   struct holdcount *ret_count)
{
	struct holdcount count = { 0 };
	struct mnl_socket *netlink =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int error = 0;

	if (netlink == NULL ||
	    mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	/* In this order: a packet between the two is counted. */
	if (error == 0)
		error = ask_class(netlink, ifindex, class, &count);
	if (error == 0)
		error = ask_link(netlink, ifindex, &count);
	if (netlink != NULL)
		mnl_socket_close(netlink);
	if (error == 0)
		*ret_count = count;
	return error;
}
