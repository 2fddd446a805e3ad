/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/rtdump.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES = 64 * 1024, SEQUENCE = 1 };

static int on_message(const struct nlmsghdr *message, void *data)
{
	const struct rtdump *dump = data;

	dump->each(message, dump->data);
	return MNL_CB_OK;
}

static int receive(struct mnl_socket *socket, const struct rtdump *dump)
{
	char *answer = malloc(ANSWER_BYTES);
	ssize_t bytes;
	int result = answer ? MNL_CB_OK : MNL_CB_ERROR;

	while (result == MNL_CB_OK) {
		bytes = mnl_socket_recvfrom(socket, answer, ANSWER_BYTES);
		if (bytes < 0 && errno == EINTR)
			continue;
		result = bytes < 0 ? MNL_CB_ERROR
				   : mnl_cb_run(answer, (size_t)bytes, SEQUENCE,
						mnl_socket_get_portid(socket),
						on_message, (void *)dump);
	}
	free(answer);
	return result == MNL_CB_ERROR ? -errno : 0;
}

int rtdump_ask(const struct rtdump *dump)
{
	char bytes[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int error;

	if (!socket)
		return -errno;
	request->nlmsg_type = dump->type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | dump->flags);
	request->nlmsg_seq = SEQUENCE;
	memcpy(mnl_nlmsg_put_extra_header(request, dump->body_bytes),
	       dump->body, dump->body_bytes);
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		error = -errno;
	else
		error = receive(socket, dump);
	mnl_socket_close(socket);
	return error;
}

int rtdump_note(const struct nlattr *attribute, void *data)
{
	struct rtdump_attributes *attributes = data;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type < RTDUMP_ATTRIBUTES)
		attributes->of[type] = attribute;
	return MNL_CB_OK;
}

uint32_t rtdump_number(const struct rtdump_attributes *attributes,
		       uint16_t type)
{
	const struct nlattr *attribute = attributes->of[type];

	if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
		return 0;
	return mnl_attr_get_u32(attribute);
}
