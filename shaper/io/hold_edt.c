/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/hold_edt.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/bpf/edt_memory.h"
#include "shaper/io/nft_links.h"

enum { ANSWER_BYTES = 64 * 1024, QDISCS = 4096, KIND_BYTES = 16 };
/* fq drops what would leave later than 10 s from now. */
#define HORIZON_NS UINT64_C(9000000000)

void holdedt_configure(struct edt_memory *memory, const struct policy *policy)
{
	const struct gate_params *gate = policy->params;
	uint64_t horizon_ns = 4 * gate->max_delay_ns;

	memory->first_delay_ns = gate->first_delay_ns;
	memory->max_delay_ns = gate->max_delay_ns;
	memory->horizon_ns = horizon_ns < HORIZON_NS ? horizon_ns : HORIZON_NS;
	__atomic_store_n(&memory->on, policy->fast.hold == POLICY_HOLD_EDT,
			 __ATOMIC_RELEASE);
}

struct qdisc {
	uint32_t ifindex, parent, handle;
	char kind[KIND_BYTES];
};

struct qdiscs {
	struct qdisc list[QDISCS];
	size_t count;
};

static int note_kind(const struct nlattr *attribute, void *data)
{
	struct qdisc *qdisc = data;

	if (mnl_attr_get_type(attribute) == TCA_KIND &&
	    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(qdisc->kind, sizeof(qdisc->kind), "%s",
			 mnl_attr_get_str(attribute));
	return MNL_CB_OK;
}

static int on_qdisc(const struct nlmsghdr *message, void *data)
{
	const struct tcmsg *body = mnl_nlmsg_get_payload(message);
	struct qdiscs *qdiscs = data;
	struct qdisc *qdisc;

	if (qdiscs->count == QDISCS)
		return MNL_CB_OK;
	qdisc = &qdiscs->list[qdiscs->count++];
	*qdisc = (struct qdisc){
		.ifindex = (uint32_t)body->tcm_ifindex,
		.parent = body->tcm_parent,
		.handle = body->tcm_handle,
	};
	mnl_attr_parse(message, sizeof(*body), note_kind, qdisc);
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *netlink, struct qdiscs *qdiscs)
{
	char answer[ANSWER_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(answer);
	ssize_t bytes;
	int result;

	request->nlmsg_type = RTM_GETQDISC;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	mnl_nlmsg_put_extra_header(request, sizeof(struct tcmsg));
	if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		bytes = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
		if (bytes < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)bytes, 1,
				    mnl_socket_get_portid(netlink), on_qdisc,
				    qdiscs);
	} while (result == MNL_CB_OK);
	return result == MNL_CB_ERROR ? -errno : 0;
}

static int read_qdiscs(struct qdiscs *qdiscs)
{
	struct mnl_socket *netlink =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int error;

	if (netlink == NULL)
		return -errno;
	error = ask(netlink, qdiscs);
	mnl_socket_close(netlink);
	return error;
}

/* What stands there in the place of fq; NULL: it is fq. */
static const char *not_fq(const struct qdiscs *qdiscs, uint32_t ifindex,
			  uint32_t parent)
{
	const char *kind = "nothing";

	for (size_t i = 0; i < qdiscs->count; i++) {
		const struct qdisc *qdisc = &qdiscs->list[i];
		bool below = parent == TC_H_ROOT
				     ? qdisc->parent == parent
				     : (qdisc->parent & 0xffff0000) == parent;

		if (qdisc->ifindex != ifindex || !below)
			continue;
		kind = qdisc->kind;
		if (strcmp(kind, "mq") == 0 && parent == TC_H_ROOT)
			return not_fq(qdiscs, ifindex, qdisc->handle);
		if (strcmp(kind, "fq") != 0)
			return kind;
		kind = NULL;
	}
	return kind;
}

static bool is_up(int fd, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFFLAGS, &request) == 0 &&
	       request.ifr_flags & IFF_UP &&
	       !(request.ifr_flags & IFF_LOOPBACK);
}

static bool is_named(const struct policy *policy, const char *name)
{
	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++)
		if (strcmp(policy->fast.interfaces[i], name) == 0)
			return true;
	return false;
}

static int check_links(const struct policy *policy, const struct qdiscs *qdiscs,
		       const struct nftlinks *links,
		       char ret_wrong[HOLDEDT_TEXT_BYTES])
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *wrong = NULL;

	for (size_t i = 0; i < links->count && wrong == NULL; i++) {
		const struct nftlinks_link *link = &links->list[i];

		if (link->bridge || is_named(policy, link->name) ||
		    !is_up(fd, link->name))
			continue;
		wrong = not_fq(qdiscs, link->index, TC_H_ROOT);
		if (wrong != NULL)
			snprintf(ret_wrong, HOLDEDT_TEXT_BYTES,
				 "%s has %s, not fq: tc qdisc replace dev %s "
				 "root fq",
				 link->name, wrong, link->name);
	}
	if (fd >= 0)
		close(fd);
	return wrong == NULL ? 0 : -EOPNOTSUPP;
}

int holdedt_check(const struct policy *policy,
		  char ret_wrong[HOLDEDT_TEXT_BYTES])
{
	struct qdiscs *qdiscs = calloc(1, sizeof(*qdiscs));
	struct nftlinks links;
	int error = qdiscs != NULL ? read_qdiscs(qdiscs) : -ENOMEM;

	snprintf(ret_wrong, HOLDEDT_TEXT_BYTES, "interfaces cannot be read");
	if (error == 0)
		error = nftlinks_read(&links);
	if (error == 0) {
		error = check_links(policy, qdiscs, &links, ret_wrong);
		nftlinks_fini(&links);
	}
	free(qdiscs);
	return error;
}
