/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ifb with HTB, which here only finds the class, and in each class a token
 * bucket (TBF) of one token.  All packets cost the same: TBF charges at least
 * `mpu` bytes, and nothing longer is let in.  A changed TBF begins with a full
 * bucket: that is how a packet is let go.  But the kernel does not look whether
 * one may leave now, until something else comes to the device: so a frame of
 * our own follows by a class that never waits, and ends in the ifb, which keeps
 * only what was redirected to it.
 */
#include "shaper/io/hold_qdisc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "symtap-hold"

enum {
	MAJOR = 0x5359 << 16,
	KICK = 0xfffe,        /* the class that never waits */
	TBF_MAJOR = 0x6000,   /* of class n: this + n */
	OPEN_BYTES = 1 << 20, /* at once */
	COST_BYTES = 0xffff,
	QUANTUM_BYTES = 60000,
	MESSAGE_BYTES = 512,
	ANSWER_BYTES = 8192,
	KICK_BYTES = 60,
};
#define ROOM          (UINT32_C(1) << 30) /* the bounds are the caller's */
#define QUICK_BYTES_S UINT32_C(4000000000)
#define TICK_NS       64

struct holdqdisc {
	struct holdqdisc_options options;
	bool shared; /* somebody else removes the device */
	struct mnl_socket *netlink;
	int kick;
	uint32_t ifindex;
	uint32_t number;
};

struct message {
	union {
		char bytes[MESSAGE_BYTES];
		struct nlmsghdr header;
	};
};

/* ------ netlink */

/* An answer to this very message.  0 or -errno. */
static int await(struct holdqdisc *hold, uint32_t number)
{
	char answer[ANSWER_BYTES];
	ssize_t bytes;
	int result;

	do {
		bytes = mnl_socket_recvfrom(hold->netlink, answer,
					    sizeof(answer));
		if (bytes < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)bytes, number,
				    mnl_socket_get_portid(hold->netlink), NULL,
				    NULL);
		/* Of one before it. */
		if (result == MNL_CB_ERROR && errno == EPROTO)
			result = MNL_CB_OK;
	} while (result == MNL_CB_OK);
	return result == MNL_CB_ERROR ? -errno : 0;
}

static int say(struct holdqdisc *hold, struct message *message)
{
	message->header.nlmsg_seq = ++hold->number;
	if (mnl_socket_sendto(hold->netlink, message->bytes,
			      message->header.nlmsg_len) < 0)
		return -errno;
	return message->header.nlmsg_flags & NLM_F_ACK
		       ? await(hold, hold->number)
		       : 0;
}

/* By its index, if that is known. */
static struct nlattr *begin_link(const struct holdqdisc *hold,
				 struct message *message, uint16_t type,
				 uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
	struct ifinfomsg *info;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_index = (int)hold->ifindex;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	if (hold->ifindex == 0)
		mnl_attr_put_strz(header, IFLA_IFNAME, hold->options.name);
	return mnl_attr_nest_start(header, IFLA_LINKINFO);
}

static int make_link(struct holdqdisc *hold)
{
	struct message message;
	struct nlattr *nest = begin_link(hold, &message, RTM_NEWLINK,
					 NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(&message.header, IFLA_INFO_KIND, "ifb");
	mnl_attr_nest_end(&message.header, nest);
	return say(hold, &message);
}

static int remove_link(struct holdqdisc *hold)
{
	struct message message;
	struct nlattr *nest = begin_link(hold, &message, RTM_DELLINK, 0);

	mnl_attr_nest_cancel(&message.header, nest);
	return say(hold, &message);
}

static struct nlattr *begin(const struct holdqdisc *hold,
			    struct message *message, uint16_t type,
			    uint16_t flags, uint32_t parent, uint32_t handle,
			    const char *kind)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
	struct tcmsg *body;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)hold->ifindex;
	body->tcm_parent = parent;
	body->tcm_handle = handle;
	mnl_attr_put_strz(header, TCA_KIND, kind);
	return mnl_attr_nest_start(header, TCA_OPTIONS);
}

static int end(struct holdqdisc *hold, struct message *message,
	       struct nlattr *options)
{
	mnl_attr_nest_end(&message->header, options);
	return say(hold, message);
}

/* ------ qdiscs */

static int make_root(struct holdqdisc *hold)
{
	const struct tc_htb_glob what = { .version = TC_HTB_PROTOVER,
					  .rate2quantum = 10 };
	struct message message;
	struct nlattr *options = begin(hold, &message, RTM_NEWQDISC,
				       NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
				       TC_H_ROOT, MAJOR, "htb");

	mnl_attr_put(&message.header, TCA_HTB_INIT, sizeof(what), &what);
	return end(hold, &message, options);
}

/* So fast that it never waits for itself. */
static int make_class(struct holdqdisc *hold, uint32_t class)
{
	struct tc_htb_opt what = {
		.rate = { .rate = QUICK_BYTES_S,
			  .cell_log = 8,
			  .linklayer = TC_LINKLAYER_ETHERNET },
		.buffer = UINT32_MAX / TICK_NS,
		.quantum = QUANTUM_BYTES,
	};
	struct message message;
	struct nlattr *options = begin(hold, &message, RTM_NEWTCLASS,
				       NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
				       MAJOR, MAJOR | class, "htb");

	what.ceil = what.rate;
	what.cbuffer = what.buffer;
	mnl_attr_put(&message.header, TCA_HTB_PARMS, sizeof(what), &what);
	return end(hold, &message, options);
}

static int set_bucket(struct holdqdisc *hold, uint32_t class, uint16_t flags,
		      const struct tc_tbf_qopt *what, uint32_t burst_bytes)
{
	struct message message;
	struct nlattr *options = begin(hold, &message, RTM_NEWQDISC, flags,
				       MAJOR | class, (TBF_MAJOR + class) << 16,
				       "tbf");

	mnl_attr_put(&message.header, TCA_TBF_PARMS, sizeof(*what), what);
	mnl_attr_put_u32(&message.header, TCA_TBF_BURST, burst_bytes);
	return end(hold, &message, options);
}

/* In packets, or in bytes where nobody counts. */
static uint32_t room(const struct holdqdisc *hold)
{
	return hold->options.room_pkts ? hold->options.room_pkts : ROOM;
}

/* TBF gives its own FIFO, which is one of bytes, the limit that it is told; so
 * it does to this one. */
static int count_packets(struct holdqdisc *hold, uint32_t class)
{
	const struct tc_fifo_qopt what = { .limit = room(hold) };
	struct message message;
	struct nlattr *options;

	if (hold->options.room_pkts == 0)
		return 0;
	options = begin(hold, &message, RTM_NEWQDISC,
			NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
			(TBF_MAJOR + class) << 16 | 1, 0, "pfifo");
	mnl_attr_nest_cancel(&message.header, options);
	mnl_attr_put(&message.header, TCA_OPTIONS, sizeof(what), &what);
	return say(hold, &message);
}

static int fill_bucket(struct holdqdisc *hold, uint32_t class, uint16_t flags)
{
	const struct tc_tbf_qopt what = {
		.rate = { .rate = (uint32_t)(COST_BYTES * UINT64_C(1000000000) /
					     hold->options.leak_ns),
			  .mpu = COST_BYTES,
			  .cell_log = 8,
			  .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = room(hold),
	};

	return set_bucket(hold, class, flags, &what,
			  hold->options.longest_bytes);
}

static int kick(const struct holdqdisc *hold)
{
	static const uint8_t frame[KICK_BYTES];

	return send(hold->kick, frame, sizeof(frame), MSG_DONTWAIT) < 0 ? -errno
									: 0;
}

int holdqdisc_let_go(struct holdqdisc *hold, uint32_t class)
{
	char answer[ANSWER_BYTES];
	int error = fill_bucket(hold, class, 0);

	/* Only errors come, without being asked for. */
	while (recv(mnl_socket_get_fd(hold->netlink), answer, sizeof(answer),
		    MSG_DONTWAIT) > 0)
		error = -EIO;
	if (error == 0)
		error = kick(hold);
	return error;
}

int holdqdisc_open(struct holdqdisc *hold, uint32_t class)
{
	const struct tc_tbf_qopt what = {
		.rate = { .rate = QUICK_BYTES_S,
			  .cell_log = 8,
			  .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = room(hold),
	};
	int error = set_bucket(hold, class, NLM_F_ACK, &what, OPEN_BYTES);

	return error == 0 ? kick(hold) : error;
}

int holdqdisc_shut(struct holdqdisc *hold, uint32_t class)
{
	return fill_bucket(hold, class, NLM_F_ACK);
}

/* ------ */

static int open_kick(uint32_t ifindex, uint32_t class)
{
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_LOOPBACK),
		.sll_ifindex = (int)ifindex,
	};
	uint32_t priority = MAJOR | class;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int none = 0;

	if (fd < 0)
		return -errno;
	/* It only sends. */
	if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority,
		       sizeof(priority)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &none, sizeof(none)) < 0 ||
	    bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int kick_by(struct holdqdisc *hold, uint32_t class)
{
	const uint32_t priority = MAJOR | class;

	return setsockopt(hold->kick, SOL_SOCKET, SO_PRIORITY, &priority,
			  sizeof(priority)) < 0
		       ? -errno
		       : 0;
}

/* The first token is spent on a frame of ours. */
static int empty_bucket(struct holdqdisc *hold, uint32_t class)
{
	int error = kick_by(hold, class);

	if (error == 0)
		error = kick(hold);
	return error == 0 ? kick_by(hold, KICK) : error;
}

int holdqdisc_make(struct holdqdisc *hold, uint32_t class)
{
	int error = make_class(hold, class);

	if (error == 0)
		error = fill_bucket(hold, class,
				    NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	if (error == 0)
		error = count_packets(hold, class);
	return error == 0 ? empty_bucket(hold, class) : error;
}

static int make_classes(struct holdqdisc *hold)
{
	uint32_t count = hold->options.later ? 0 : HOLDQDISC_CLASSES;
	int error = make_class(hold, KICK);

	for (uint32_t i = 1; i <= count && error == 0; i++)
		error = holdqdisc_make(hold, i);
	return error;
}

static int open_netlink(struct holdqdisc *hold)
{
	hold->netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (hold->netlink == NULL ||
	    mnl_socket_bind(hold->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return 0;
}

static int set_up(struct holdqdisc *hold, char ret_wrong[HOLDQDISC_TEXT_BYTES])
{
	const char *lacks = "cannot talk to the kernel";
	int error = open_netlink(hold);

	if (error == 0) {
		lacks = "this kernel makes no ifb device (CONFIG_IFB)";
		remove_link(hold);
		error = make_link(hold);
	}
	if (error == 0) {
		lacks = "this kernel has no HTB (CONFIG_NET_SCH_HTB)";
		hold->ifindex = if_nametoindex(hold->options.name);
		error = make_root(hold);
	}
	if (error == 0) {
		lacks = "it needs CAP_NET_RAW, and its unit AF_PACKET: see "
			"symtap.yaml(5)";
		hold->kick = open_kick(hold->ifindex, KICK);
		error = hold->kick < 0 ? hold->kick : 0;
	}
	if (error == 0) {
		lacks = "this kernel has no TBF (CONFIG_NET_SCH_TBF)";
		error = make_classes(hold);
	}
	if (error < 0)
		snprintf(ret_wrong, HOLDQDISC_TEXT_BYTES, "%s", lacks);
	return error;
}

int holdqdisc_new(const struct holdqdisc_options *options,
		  struct holdqdisc **ret_hold,
		  char ret_wrong[HOLDQDISC_TEXT_BYTES])
{
	struct holdqdisc *hold = calloc(1, sizeof(*hold));
	int error;

	if (hold == NULL) {
		snprintf(ret_wrong, HOLDQDISC_TEXT_BYTES, "out of memory");
		return -ENOMEM;
	}
	hold->options = *options;
	if (options->name == NULL)
		hold->options.name = NAME;
	hold->kick = -1;
	error = set_up(hold, ret_wrong);
	if (error < 0) {
		holdqdisc_free(hold);
		return error;
	}
	*ret_hold = hold;
	return 0;
}

void holdqdisc_free(struct holdqdisc *hold)
{
	if (hold == NULL)
		return;
	if (hold->kick >= 0)
		close(hold->kick);
	if (hold->ifindex != 0 && !hold->shared)
		remove_link(hold);
	if (hold->netlink != NULL)
		mnl_socket_close(hold->netlink);
	free(hold);
}

int holdqdisc_share(const struct holdqdisc *hold, struct holdqdisc **ret_share)
{
	struct holdqdisc *share = calloc(1, sizeof(*share));
	int error;

	if (share == NULL)
		return -ENOMEM;
	*share = (struct holdqdisc){ .options = hold->options,
				     .shared = true,
				     .kick = -1,
				     .ifindex = hold->ifindex };
	error = open_netlink(share);
	if (error == 0) {
		share->kick = open_kick(share->ifindex, KICK);
		error = share->kick < 0 ? share->kick : 0;
	}
	if (error == 0)
		*ret_share = share;
	else
		holdqdisc_free(share);
	return error;
}

int holdqdisc_remove(uint32_t ifindex)
{
	struct holdqdisc hold = { .kick = -1, .ifindex = ifindex };
	int error = open_netlink(&hold);

	if (error == 0)
		error = remove_link(&hold);
	if (hold.netlink != NULL)
		mnl_socket_close(hold.netlink);
	return error;
}

uint32_t holdqdisc_ifindex(const struct holdqdisc *hold)
{
	return hold->ifindex;
}

uint32_t holdqdisc_major(void)
{
	return MAJOR;
}
