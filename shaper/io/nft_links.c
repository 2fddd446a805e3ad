/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_links.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS_MAX = 16384, TRIES_MAX = 50, ANSWER_BYTES = 64 * 1024 };

static int note_attribute(const struct nlattr *attribute, void *data)
{
	const struct nlattr **attributes = data;

	if (mnl_attr_get_type(attribute) <= IFLA_BR_MAX)
		attributes[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

/* Attributes up to IFLA_BR_MAX, which is more than the others have. */
struct attributes {
	const struct nlattr
		*of[(IFLA_MAX > IFLA_BR_MAX ? IFLA_MAX : IFLA_BR_MAX) + 1];
};

static void read_kind(struct nftlinks_link *link, const struct nlattr *nest)
{
	struct attributes info = { 0 }, bridge = { 0 };

	if (mnl_attr_parse_nested(nest, note_attribute, info.of) < 0 ||
	    !info.of[IFLA_INFO_KIND] ||
	    mnl_attr_validate(info.of[IFLA_INFO_KIND], MNL_TYPE_STRING) < 0)
		return;
	link->bridge =
		strncmp(mnl_attr_get_str(info.of[IFLA_INFO_KIND]), "bridge",
			mnl_attr_get_payload_len(info.of[IFLA_INFO_KIND])) == 0;
	if (!link->bridge || !info.of[IFLA_INFO_DATA] ||
	    mnl_attr_parse_nested(info.of[IFLA_INFO_DATA], note_attribute,
				  bridge.of) < 0)
		return;
	link->filters_vlans =
		bridge.of[IFLA_BR_VLAN_FILTERING] &&
		mnl_attr_get_u8(bridge.of[IFLA_BR_VLAN_FILTERING]) != 0;
	link->spans = bridge.of[IFLA_BR_STP_STATE] &&
		      mnl_attr_get_u32(bridge.of[IFLA_BR_STP_STATE]) != 0;
	if (!bridge.of[IFLA_BR_NF_CALL_IPTABLES] ||
	    !bridge.of[IFLA_BR_NF_CALL_IP6TABLES])
		return;
	link->known_call = true;
	link->call_iptables =
		mnl_attr_get_u8(bridge.of[IFLA_BR_NF_CALL_IPTABLES]);
	link->call_ip6tables =
		mnl_attr_get_u8(bridge.of[IFLA_BR_NF_CALL_IP6TABLES]);
}

static bool is_on(const struct nlattr *attribute)
{
	return attribute && mnl_attr_get_u8(attribute) != 0;
}

/* Of a port. */
static void read_port(struct nftlinks_link *link, const struct nlattr *nest)
{
	struct attributes info = { 0 }, port = { 0 };

	if (mnl_attr_parse_nested(nest, note_attribute, info.of) < 0 ||
	    !info.of[IFLA_INFO_SLAVE_KIND] || !info.of[IFLA_INFO_SLAVE_DATA] ||
	    mnl_attr_validate(info.of[IFLA_INFO_SLAVE_KIND],
			      MNL_TYPE_NUL_STRING) < 0 ||
	    strcmp(mnl_attr_get_str(info.of[IFLA_INFO_SLAVE_KIND]), "bridge") !=
		    0 ||
	    mnl_attr_parse_nested(info.of[IFLA_INFO_SLAVE_DATA], note_attribute,
				  port.of) < 0)
		return;
	link->forwards = port.of[IFLA_BRPORT_STATE] &&
			 mnl_attr_get_u8(port.of[IFLA_BRPORT_STATE]) ==
				 BR_STATE_FORWARDING;
	link->learns = is_on(port.of[IFLA_BRPORT_LEARNING]);
	link->isolated = is_on(port.of[IFLA_BRPORT_ISOLATED]);
	link->locked = is_on(port.of[IFLA_BRPORT_LOCKED]);
}

static int on_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct attributes attributes = { 0 };
	struct nftlinks *links = data;
	struct nftlinks_link *link;

	if (message->nlmsg_type != RTM_NEWLINK ||
	    mnl_attr_parse(message, sizeof(*info), note_attribute,
			   attributes.of) < 0 ||
	    !attributes.of[IFLA_IFNAME] || links->count == links->size)
		return MNL_CB_OK;
	link = &links->list[links->count++];
	memset(link, 0, sizeof(*link));
	snprintf(link->name, sizeof(link->name), "%s",
		 mnl_attr_get_str(attributes.of[IFLA_IFNAME]));
	link->index = (uint32_t)info->ifi_index;
	if (attributes.of[IFLA_MASTER])
		link->master = mnl_attr_get_u32(attributes.of[IFLA_MASTER]);
	link->up = info->ifi_flags & IFF_UP;
	if (attributes.of[IFLA_ADDRESS] &&
	    mnl_attr_get_payload_len(attributes.of[IFLA_ADDRESS]) ==
		    sizeof(link->mac))
		memcpy(link->mac,
		       mnl_attr_get_payload(attributes.of[IFLA_ADDRESS]),
		       sizeof(link->mac));
	if (attributes.of[IFLA_MTU])
		link->mtu_bytes = mnl_attr_get_u32(attributes.of[IFLA_MTU]);
	if (attributes.of[IFLA_LINKINFO]) {
		read_kind(link, attributes.of[IFLA_LINKINFO]);
		read_port(link, attributes.of[IFLA_LINKINFO]);
	}
	return MNL_CB_OK;
}

/* One request, all answers.  0 or -errno. */
static int ask(struct nlmsghdr *request, struct nftlinks *links)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char *answer;
	ssize_t bytes;
	int result = MNL_CB_ERROR;

	if (!socket)
		return -errno;
	errno = ENOMEM;
	answer = malloc(ANSWER_BYTES);
	if (!answer || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		goto end;
	do {
		bytes = mnl_socket_recvfrom(socket, answer, ANSWER_BYTES);
		if (bytes < 0)
			goto end;
		result = mnl_cb_run(answer, (size_t)bytes, request->nlmsg_seq,
				    mnl_socket_get_portid(socket), on_link,
				    links);
	} while (result == MNL_CB_OK);
end:
	result = result == MNL_CB_ERROR ? -errno : 0;
	mnl_socket_close(socket);
	free(answer);
	return result;
}

int nftlinks_read(struct nftlinks *ret_links)
{
	char bytes[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	struct rtgenmsg *body;
	int error = -EINTR;

	*ret_links = (struct nftlinks){ .size = LINKS_MAX };
	ret_links->list = calloc(LINKS_MAX, sizeof(*ret_links->list));
	if (!ret_links->list)
		return -ENOMEM;
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	body = mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	body->rtgen_family = AF_UNSPEC;
	/* It changes while it is read, as on a host whose guests come. */
	for (int i = 0; error == -EINTR && i < TRIES_MAX; i++) {
		ret_links->count = 0;
		error = ask(request, ret_links);
	}
	if (error)
		free(ret_links->list);
	return error;
}

const struct nftlinks_link *nftlinks_find(const struct nftlinks *links,
					  const char *name)
{
	size_t i;

	for (i = 0; i < links->count; i++)
		if (strcmp(links->list[i].name, name) == 0)
			return &links->list[i];
	return NULL;
}

const struct nftlinks_link *nftlinks_find_index(const struct nftlinks *links,
						uint32_t index)
{
	size_t i;

	for (i = 0; index && i < links->count; i++)
		if (links->list[i].index == index)
			return &links->list[i];
	return NULL;
}

void nftlinks_fini(struct nftlinks *links)
{
	free(links->list);
}

int nftlinks_set_bridge(const char *bridge, uint16_t attribute, uint8_t value)
{
	char bytes[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	struct nftlinks nothing = { 0 };
	struct nlattr *info, *data;

	request->nlmsg_type = RTM_NEWLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = 1;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, bridge);
	info = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	mnl_attr_put_u8(request, attribute, value);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
	return ask(request, &nothing);
}
