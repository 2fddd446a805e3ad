/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_flowtables.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/flowtable.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <stdio.h>

enum { SEQUENCE = 1, TRIES = 16 };

struct list {
	struct nftflowtable *tables;
	size_t max, count;
};

static const char *family_name(uint32_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return "other";
	}
}

static void note(struct list *list, const struct nftnl_flowtable *flowtable)
{
	struct nftflowtable *table = &list->tables[list->count];

	if (list->count++ >= list->max)
		return;
	snprintf(table->name, sizeof(table->name), "%s %s %s",
		 family_name(nftnl_flowtable_get_u32(flowtable,
						     NFTNL_FLOWTABLE_FAMILY)),
		 nftnl_flowtable_get_str(flowtable, NFTNL_FLOWTABLE_TABLE),
		 nftnl_flowtable_get_str(flowtable, NFTNL_FLOWTABLE_NAME));
	table->hardware =
		nftnl_flowtable_get_u32(flowtable, NFTNL_FLOWTABLE_FLAGS) &
		NFT_FLOWTABLE_HW_OFFLOAD;
}

static int on_message(const struct nlmsghdr *message, void *self)
{
	struct nftnl_flowtable *flowtable = nftnl_flowtable_alloc();
	struct list *list = self;

	if (flowtable == NULL)
		return MNL_CB_ERROR;
	if (nftnl_flowtable_nlmsg_parse(message, flowtable) == 0)
		note(list, flowtable);
	nftnl_flowtable_free(flowtable);
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, struct list *list)
{
	char buffer[16384];
	struct nlmsghdr *request =
		nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETFLOWTABLE,
				      NFPROTO_UNSPEC, NLM_F_DUMP, SEQUENCE);
	unsigned int port = mnl_socket_get_portid(socket);
	ssize_t n;
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		more = mnl_cb_run(buffer, (size_t)n, SEQUENCE, port, on_message,
				  list);
	}
	return more < 0 ? -errno : 0;
}

/* By a socket of its own: what is left of a list that was interrupted is not in
 * the way of the next. */
static int list_once(struct list *list)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
	int error = 0;

	if (socket == NULL)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	if (error == 0)
		error = dump(socket, list);
	mnl_socket_close(socket);
	return error;
}

int nftflowtables_list(struct nftflowtable *ret_tables, size_t max,
		       size_t *ret_count)
{
	struct list list = { .tables = ret_tables, .max = max };
	int error, tries = TRIES;

	do {
		list.count = 0;
		error = list_once(&list);
	} while (error == -EINTR && --tries > 0);
	if (error == 0)
		*ret_count = list.count;
	return error;
}
