/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "shaper/io/ifnames.h"

/* What the kernel says to each recv(), one row after the other; then nothing.
 * A list bears the number of the one that was asked for last. */
static const struct says {
	int error; /* if not 0, only that */
	uint16_t type, flags;
	uint32_t ifindex;
	const char *name;
	uint32_t mtu_bytes, master;
	const char *kind; /* of the master */
} * script;
static size_t script_left, lists;
static uint32_t list_number;

static void kernel_says(const struct says *says, size_t count)
{
	script = says;
	script_left = count;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket,
				 const void *bytes, size_t count);
ssize_t __wrap_recv(int fd, void *bytes, size_t room, int flags);

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket,
				 const void *bytes, size_t count)
{
	const struct nlmsghdr *header = bytes;

	(void)socket;
	assert_int_equal(header->nlmsg_type, RTM_GETLINK);
	list_number = header->nlmsg_seq;
	lists++;
	return (ssize_t)count;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t room, int flags)
{
	const struct says *says = script;
	struct nlmsghdr *header;
	struct ifinfomsg *link;
	struct nlattr *nest;

	(void)fd;
	assert_true(room >= 4096);
	assert_true(flags & MSG_DONTWAIT);
	errno = EAGAIN;
	if (script_left == 0)
		return -1;
	script++;
	script_left--;
	errno = says->error;
	if (says->error != 0)
		return -1;
	header = mnl_nlmsg_put_header(bytes);
	header->nlmsg_type = says->type;
	header->nlmsg_flags = says->flags;
	header->nlmsg_seq = says->flags & NLM_F_MULTI ? list_number : 0;
	link = mnl_nlmsg_put_extra_header(header, sizeof(*link));
	link->ifi_index = (int)says->ifindex;
	if (says->name != NULL)
		mnl_attr_put_strz(header, IFLA_IFNAME, says->name);
	if (says->mtu_bytes != 0)
		mnl_attr_put_u32(header, IFLA_MTU, says->mtu_bytes);
	if (says->master != 0)
		mnl_attr_put_u32(header, IFLA_MASTER, says->master);
	if (says->kind != NULL) {
		nest = mnl_attr_nest_start(header, IFLA_LINKINFO);
		mnl_attr_put_strz(header, IFLA_INFO_SLAVE_KIND, says->kind);
		mnl_attr_nest_end(header, nest);
	}
	return (ssize_t)header->nlmsg_len;
}

#define LISTED(index, text)                                                    \
	{                                                                      \
		.type = RTM_NEWLINK, .flags = NLM_F_MULTI, .ifindex = (index), \
		.name = (text)                                                 \
	}
#define END                                              \
	{                                                \
		.type = NLMSG_DONE, .flags = NLM_F_MULTI \
	}
#define GAP_AND(row_type, index, text)                                      \
	{                                                                   \
		.type = (row_type), .flags = NLM_F_MULTI | NLM_F_DUMP_INTR, \
		.ifindex = (index), .name = (text)                          \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct ifnames *begin(const struct says *says, size_t count)
{
	struct ifnames *names;

	kernel_says(says, count);
	assert_int_equal(ifnames_new(&names), 0);
	assert_int_equal(script_left, 0);
	return names;
}

static const struct says three[] = { LISTED(1, "lo"), LISTED(2, "lan0"),
				     LISTED(5, "wan0"), END };

static void test_ifnames_follows_what_it_is_told(void **state)
{
	static const struct says news[] = {
		{ .type = RTM_NEWLINK, .ifindex = 7, .name = "vif7.0" },
		{ .type = RTM_NEWLINK, .ifindex = 2, .name = "lan9" },
		{ .type = RTM_DELLINK, .ifindex = 5, .name = "wan0" },
	};
	struct ifnames *names = begin(three, COUNT(three));
	uint32_t generation = ifnames_generation(names);

	(void)state;
	assert_string_equal(ifnames_get(names, 2), "lan0");
	assert_null(ifnames_get(names, 3));
	kernel_says(news, COUNT(news));
	assert_int_equal(ifnames_update(names), 0);
	assert_string_equal(ifnames_get(names, 7), "vif7.0");
	assert_string_equal(ifnames_get(names, 2), "lan9");
	assert_null(ifnames_get(names, 5));
	assert_true(ifnames_generation(names) > generation);
	ifnames_free(names);
}

/* It is asked for once more, and nobody is unknown meanwhile. */
static void test_ifnames_makes_up_for_lost_news(void **state)
{
	static const struct says lost[] = { { .error = ENOBUFS },
					    LISTED(1, "lo"),
					    LISTED(2, "lan0"),
					    LISTED(8, "vif8.0"),
					    END };
	struct ifnames *names = begin(three, COUNT(three));
	size_t before = lists;

	(void)state;
	kernel_says(lost, 2);
	assert_int_equal(ifnames_update(names), -EAGAIN);
	assert_string_equal(ifnames_get(names, 2), "lan0");
	assert_string_equal(ifnames_get(names, 5), "wan0");
	kernel_says(lost, COUNT(lost));
	assert_int_equal(ifnames_update(names), 0);
	assert_true(lists > before);
	assert_string_equal(ifnames_get(names, 2), "lan0");
	assert_string_equal(ifnames_get(names, 8), "vif8.0");
	assert_null(ifnames_get(names, 5));
	ifnames_free(names);
}

/* Interfaces come and go while they are listed: who stands behind the gap is
 * as much there as before it. */
static void test_ifnames_asks_again_for_a_list_with_a_gap(void **state)
{
	static const struct says gap[] = {
		LISTED(1, "lo"),
		GAP_AND(RTM_NEWLINK, 5, "wan0"),
		GAP_AND(NLMSG_DONE, 0, NULL),
		LISTED(1, "lo"),
		LISTED(2, "lan0"),
		LISTED(5, "wan0"),
		END,
	};
	struct ifnames *names = begin(gap, COUNT(gap));

	(void)state;
	assert_string_equal(ifnames_get(names, 1), "lo");
	assert_string_equal(ifnames_get(names, 2), "lan0");
	assert_string_equal(ifnames_get(names, 5), "wan0");
	ifnames_free(names);
}

static void test_ifnames_asks_one_list_at_a_time(void **state)
{
	static const struct says again[] = { { .error = ENOBUFS },
					     LISTED(1, "lo"),
					     { .error = ENOBUFS },
					     LISTED(2, "lan0"),
					     END,
					     LISTED(1, "lo"),
					     LISTED(2, "lan0"),
					     LISTED(5, "wan0"),
					     END };
	struct ifnames *names = begin(three, COUNT(three));
	size_t before = lists;

	(void)state;
	kernel_says(again, COUNT(again));
	assert_int_equal(ifnames_update(names), 0);
	assert_int_equal(lists, before + 2);
	assert_string_equal(ifnames_get(names, 5), "wan0");
	ifnames_free(names);
}

/* What comes by an interface in a VRF is routed as the VRF's. */
static void test_ifnames_of_ports_are_those_of_their_vrf(void **state)
{
	static const struct says ports[] = {
		{ .type = RTM_NEWLINK,
		  .ifindex = 9,
		  .name = "red",
		  .mtu_bytes = 65575 },
		{ .type = RTM_NEWLINK,
		  .ifindex = 2,
		  .name = "lan0",
		  .mtu_bytes = 1500,
		  .master = 9,
		  .kind = "vrf" },
		{ .type = RTM_NEWLINK,
		  .ifindex = 5,
		  .name = "wan0",
		  .mtu_bytes = 9000,
		  .master = 9,
		  .kind = "vrf" },
		{ .type = RTM_NEWLINK,
		  .ifindex = 7,
		  .name = "lan1",
		  .mtu_bytes = 1500,
		  .master = 8,
		  .kind = "bridge" },
		{ .type = RTM_NEWLINK, .ifindex = 5, .name = "wan0" },
	};
	static const struct says out[] = {
		{ .type = RTM_NEWLINK,
		  .ifindex = 2,
		  .name = "lan0",
		  .mtu_bytes = 1500 },
		{ .type = RTM_DELLINK, .ifindex = 9, .name = "red" },
	};
	struct ifnames *names = begin(three, COUNT(three));
	uint32_t generation;

	(void)state;
	kernel_says(ports, COUNT(ports));
	assert_int_equal(ifnames_update(names), 0);
	assert_string_equal(ifnames_get(names, 2), "red");
	assert_string_equal(ifnames_get(names, 5), "red");
	assert_string_equal(ifnames_get(names, 9), "red");
	assert_string_equal(ifnames_get(names, 7), "lan1");
	assert_true(ifnames_has_vrf(names, 2));
	assert_false(ifnames_has_vrf(names, 7));
	assert_false(ifnames_has_vrf(names, 9));
	assert_false(ifnames_has_vrf(names, 0));
	assert_int_equal(ifnames_mtu_bytes(names, 9), 9000);
	assert_int_equal(ifnames_mtu_bytes(names, 2), 1500);
	generation = ifnames_generation(names);
	kernel_says(out, COUNT(out));
	assert_int_equal(ifnames_update(names), 0);
	assert_true(ifnames_generation(names) > generation);
	assert_string_equal(ifnames_get(names, 2), "lan0");
	assert_string_equal(ifnames_get(names, 5), "wan0");
	assert_false(ifnames_has_vrf(names, 2));
	ifnames_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ifnames_follows_what_it_is_told),
		cmocka_unit_test(test_ifnames_makes_up_for_lost_news),
		cmocka_unit_test(test_ifnames_asks_again_for_a_list_with_a_gap),
		cmocka_unit_test(test_ifnames_asks_one_list_at_a_time),
		cmocka_unit_test(test_ifnames_of_ports_are_those_of_their_vrf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
