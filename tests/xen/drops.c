/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest drops by itself while it waits.
 *
 *	drops INTERFACE
 *
 * One number: the packets that the interface's queueing discipline dropped,
 * those below it included.
 */
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_BYTES = 65536 };

/* The attribute of that kind, or NULL. */
static const struct rtattr *find(const char *at, size_t bytes, int kind)
{
	while (bytes >= sizeof(struct rtattr)) {
		const struct rtattr *attribute = (const void *)at;
		size_t step = RTA_ALIGN(attribute->rta_len);

		if (attribute->rta_len < sizeof(*attribute) ||
		    attribute->rta_len > bytes)
			return NULL;
		if ((attribute->rta_type & NLA_TYPE_MASK) == kind)
			return attribute;
		if (step >= bytes)
			return NULL;
		at += step;
		bytes -= step;
	}
	return NULL;
}

/* What follows the head of an attribute or message. */
static const char *behind(const void *head, size_t bytes)
{
	return (const char *)head + bytes;
}

static bool read_drops(const struct nlmsghdr *message, int interface,
		       unsigned int *ret_drops)
{
	const size_t heads = NLMSG_LENGTH(sizeof(struct tcmsg));
	const struct tcmsg *qdisc = NLMSG_DATA(message);
	struct gnet_stats_queue queue;
	const struct rtattr *stats;

	if (message->nlmsg_type != RTM_NEWQDISC || message->nlmsg_len < heads ||
	    qdisc->tcm_ifindex != interface || qdisc->tcm_parent != TC_H_ROOT)
		return false;
	stats = find(behind(message, heads), message->nlmsg_len - heads,
		     TCA_STATS2);
	if (stats)
		stats = find(behind(stats, sizeof(*stats)),
			     stats->rta_len - sizeof(*stats), TCA_STATS_QUEUE);
	if (!stats || stats->rta_len < sizeof(*stats) + sizeof(queue))
		return false;
	memcpy(&queue, behind(stats, sizeof(*stats)), sizeof(queue));
	*ret_drops = queue.drops;
	return true;
}

static bool ask(int fd)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg body;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETQDISC,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };

	return send(fd, &request, sizeof(request), 0) == sizeof(request);
}

int main(int argc, char **argv)
{
	static _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), interface;
	unsigned int drops;

	if (fd < 0 || argc != 2)
		return EXIT_FAILURE;
	interface = (int)if_nametoindex(argv[1]);
	if (interface == 0 || !ask(fd))
		return EXIT_FAILURE;
	for (;;) {
		ssize_t got = recv(fd, answer, sizeof(answer), 0);
		size_t at = 0;

		while (got > 0 && at + sizeof(struct nlmsghdr) <= (size_t)got) {
			const struct nlmsghdr *message =
				(const void *)(answer + at);

			if (message->nlmsg_type == NLMSG_DONE)
				return EXIT_FAILURE;
			if (read_drops(message, interface, &drops)) {
				printf("%u\n", drops);
				return EXIT_SUCCESS;
			}
			at += NLMSG_ALIGN(message->nlmsg_len);
		}
		if (got <= 0)
			return EXIT_FAILURE;
	}
}
