/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What others do to the kernel's tables. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "shaper/io/nft_handle.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_probe.h"

enum { WATCH_BYTES = 32 * 1024, WATCH_BUFFER_BYTES = 1024 * 1024 };

int nfthandle_open_watch(struct nftrules *rules)
{
	static const int ROOM = WATCH_BUFFER_BYTES;
	int group = NFNLGRP_NFTABLES;

	rules->watch = nfthandle_socket(rules);
	if (!rules->watch ||
	    mnl_socket_setsockopt(rules->watch, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return -errno;
	/* Best effort: what is lost is noticed. */
	setsockopt(mnl_socket_get_fd(rules->watch), SOL_SOCKET, SO_RCVBUFFORCE,
		   &ROOM, sizeof(ROOM));
	return 0;
}

int nftrules_watch_fd(const struct nftrules *rules)
{
	return mnl_socket_get_fd(rules->watch);
}

uint64_t nftrules_others(const struct nftrules *rules)
{
	return rules->others;
}

struct seen {
	const struct nftrules *rules;
	bool altered, others;
	enum nftrules_conntrack conntrack;
};

static int note_table(const struct nlattr *attribute, void *data)
{
	const char **table = data;

	/* Every message of nf_tables has the name of the table first. */
	if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME &&
	    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
		*table = mnl_attr_get_str(attribute);
	return MNL_CB_OK;
}

/* Elements come and go all the time. */
static bool is_of_rules(uint32_t type)
{
	switch (type) {
	case NFT_MSG_NEWTABLE:
	case NFT_MSG_DELTABLE:
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
		return true;
	}
	return false;
}

static int on_message(const struct nlmsghdr *message, void *data)
{
	struct seen *seen = data;
	const char *table = NULL;

	if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    NFNL_MSG_TYPE(message->nlmsg_type) == NFT_MSG_NEWGEN ||
	    nfthandle_is_ours(seen->rules, message->nlmsg_pid))
		return MNL_CB_OK;
	if (mnl_attr_parse(message, sizeof(struct nfgenmsg), note_table,
			   &table) < 0 ||
	    !table)
		return MNL_CB_OK;
	if (strcmp(table, NFTPLAN_NAME) == 0) {
		seen->altered = true;
		return MNL_CB_OK;
	}
	seen->others |= is_of_rules(NFNL_MSG_TYPE(message->nlmsg_type));
	nftprobe_message(message, &seen->conntrack);
	return MNL_CB_OK;
}

int nftrules_watch(struct nftrules *rules, enum nftrules_event *ret_event)
{
	static char bytes[WATCH_BYTES];
	struct seen seen = { .rules = rules, .conntrack = rules->conntrack };
	bool lost = false;
	ssize_t length;

	for (;;) {
		length = recv(nftrules_watch_fd(rules), bytes, sizeof(bytes),
			      MSG_DONTWAIT | MSG_TRUNC);
		if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno != ENOBUFS)
			return nfthandle_fail(rules, -errno, "watching");
		if (length < 0 || (size_t)length > sizeof(bytes))
			lost = true;
		else if (mnl_cb_run(bytes, (size_t)length, 0, 0, on_message,
				    &seen) < 0)
			lost = true;
	}
	rules->others += seen.others || lost;
	if (seen.altered)
		*ret_event = NFTRULES_ALTERED;
	else if (lost)
		*ret_event = NFTRULES_UNSURE;
	else if (rules->asked == NFTRULES_CONNTRACK_LOOK && rules->plan &&
		 seen.conntrack > rules->conntrack)
		*ret_event = NFTRULES_CONNTRACK_CHANGED;
	else
		*ret_event = NFTRULES_QUIET;
	return 0;
}

int nftrules_look_for_conntrack(struct nftrules *rules)
{
	enum nftrules_conntrack now;
	int error;

	if (rules->asked != NFTRULES_CONNTRACK_LOOK || !rules->plan)
		return 0;
	error = nftprobe_conntrack(rules->socket, &now);
	if (error)
		return nfthandle_fail(rules, error, "reading others' tables");
	return now > rules->conntrack;
}

bool nftrules_has_tracking_come(const struct nftrules *rules)
{
	return rules->asked == NFTRULES_CONNTRACK_LOOK && rules->plan &&
	       rules->conntrack == NFTRULES_CONNTRACK_NONE &&
	       nftprobe_is_anything_tracked();
}
