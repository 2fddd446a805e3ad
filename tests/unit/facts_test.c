/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/policy.h"
#include "shaper/ctl/facts.h"
#include "shaper/ctl/reply.h"
#include "shaper/daemon/findings.h"

static struct findings findings;

/* A gateway with nothing wrong. */
static struct facts healthy(void)
{
	return (struct facts){
		.runs = true,
		.ipv4 = true,
		.ipv6 = true,
		.method = "queue",
		.queues = { 100, 101 },
		.queues_count = 2,
		.ip_forward = 1,
		.ipv6_forward = 1,
		.bridge_iptables = FACTS_UNKNOWN,
		.bridge_ip6tables = FACTS_UNKNOWN,
		.bridge_vlan = FACTS_UNKNOWN,
		.bridge_pppoe = FACTS_UNKNOWN,
		.conntrack_used = 89,
		.conntrack_max = 100,
		.clock = "tsc",
		.has_netfilter = true,
		.has_bound = true,
		.bound = { { 100, 7 }, { 101, 7 }, { 5, 8 } },
		.bound_count = 3,
	};
}

static void assert_finds(const struct facts *facts, const char *id)
{
	memset(&findings, 0, sizeof(findings));
	facts_judge(facts, &findings);
	assert_int_equal(findings.count, id != NULL);
	if (id == NULL)
		return;
	assert_string_equal(findings.list[0].id, id);
	assert_true(strlen(findings.list[0].remedy) > 10);
	assert_true(strlen(findings.list[0].remedy) < FINDING_TEXT_BYTES - 1);
	assert_true(strlen(findings.list[0].what) < FINDING_TEXT_BYTES - 1);
}

static void test_a_healthy_gateway_has_no_findings(void **state)
{
	struct facts facts = healthy();

	(void)state;
	assert_finds(&facts, NULL);
	facts.bridge_iptables = facts.bridge_ip6tables = 1; /* no bridge */
	assert_finds(&facts, NULL);
	facts = healthy();
	facts.runs = false;
	facts.bound_count = 0;
	assert_finds(&facts, NULL);
	facts = healthy();
	facts.ipv6 = false;
	facts.ipv6_forward = 0;
	assert_finds(&facts, NULL);
	facts = healthy();
	facts.ip_forward = facts.ipv6_forward = FACTS_UNKNOWN;
	facts.conntrack_used = facts.conntrack_max = FACTS_UNKNOWN;
	facts.has_bound = false;
	facts.clock[0] = '\0';
	assert_finds(&facts, NULL);
}

static void test_a_healthy_bridge_has_no_findings(void **state)
{
	struct facts facts = healthy();

	(void)state;
	facts.bridged = facts.has_bridge = true;
	facts.ip_forward = facts.ipv6_forward = 0;
	facts.bridge_iptables = facts.bridge_ip6tables = 1;
	assert_finds(&facts, NULL);
	snprintf(facts.method, sizeof(facts.method), "target");
	facts.bridge_vlan = facts.bridge_pppoe = 1;
	assert_finds(&facts, NULL);
	facts.bridge_vlan = 0;
	assert_finds(&facts, "bridge-nf-tagged");
	facts.bridge_vlan = 1;
	facts.bridge_ip6tables = 0;
	assert_finds(&facts, "bridge-nf-off");
	snprintf(facts.method, sizeof(facts.method), "queue");
	assert_finds(&facts, "bridge-segments");
	facts.bridge_iptables = facts.bridge_ip6tables = FACTS_UNKNOWN;
	assert_finds(&facts, "bridge-segments");
}

static void test_who_judges_by_a_tap_forwards_nothing_here(void **state)
{
	struct reply *reply = reply_parse("{\"ok\":{\"policy\":{\"ipv4\":true},"
					  "\"tap\":{\"mode\":\"observe\"}}}");
	struct facts facts = { .ip_forward = 0, .ipv6_forward = 0 };

	(void)state;
	facts_want_status(&facts, reply_body(reply));
	reply_free(reply);
	assert_finds(&facts, NULL);
	snprintf(facts.clock, sizeof(facts.clock), "hpet");
	assert_finds(&facts, "slow-clock");
}

static void test_each_trouble_is_found(void **state)
{
	struct facts facts = healthy();

	(void)state;
	facts.ip_forward = 0;
	assert_finds(&facts, "forwarding-ipv4");
	facts = healthy();
	facts.ipv6_forward = 0;
	assert_finds(&facts, "forwarding-ipv6");
	facts = healthy();
	facts.has_netfilter = false;
	assert_finds(&facts, "no-netfilter");
	facts = healthy();
	snprintf(facts.clock, sizeof(facts.clock), "hpet");
	assert_finds(&facts, "slow-clock");
	facts = healthy();
	facts.flowtables_count = 1;
	snprintf(facts.flowtables[0].name, sizeof(facts.flowtables[0].name),
		 "inet filter ft");
	assert_finds(&facts, "flow-offload");
	assert_non_null(strstr(findings.list[0].what, "inet filter ft"));
	facts.flowtables_error = -EPERM;
	assert_finds(&facts, "not-root");
	facts.flowtables_error = -EINTR; /* what it has is half a list */
	assert_finds(&facts, "flow-offload-unknown");
	facts = healthy();
	facts.bound_count = 1;
	assert_finds(&facts, "queue-lost");
	assert_non_null(strstr(findings.list[0].what, "queue 101"));
	facts = healthy();
	facts.runs = false;
	assert_finds(&facts, "queue-taken");
	facts = healthy();
	facts.has_bridge = true;
	facts.bridge_iptables = 1;
	assert_finds(&facts, "bridge-nf");
	facts = healthy();
	facts.conntrack_used = 90;
	assert_finds(&facts, "conntrack-full");
}

/* With a fast path at lan0, ours attached there. */
static struct facts fast(void)
{
	struct facts facts = healthy();

	facts.interfaces[0] =
		(struct facts_interface){ .name = "lan0", .guarded = true };
	facts.interfaces[0].fast = true;
	facts.interfaces[1] = (struct facts_interface){ .name = "wan0" };
	facts.interfaces_count = 2;
	facts.mark_bits = 0xf00000;
	facts.programs[1] = (struct hooks_program){ "lan0", HOOKS_INGRESS, true,
						    "symtap_out" };
	facts.programs_count = 2;
	facts.programs[0] = (struct hooks_program){ "lan0", HOOKS_EGRESS, true,
						    "symtap_in" };
	return facts;
}

/* A limit of somebody else's, for one. */
static void test_who_does_not_see_what_is_direct_is_found(void **state)
{
	struct facts facts = fast();

	(void)state;
	facts.interfaces[0].direct = true;
	facts.programs[facts.programs_count++] =
		(struct hooks_program){ "lan0", HOOKS_INGRESS, false, "u32" };
	assert_finds(&facts, "tc-skipped");
	assert_non_null(strstr(findings.list[0].what, "u32 at lan0"));
	facts.programs[2].place = HOOKS_EGRESS;
	assert_finds(&facts, "tc-program");
}

static void test_who_sees_packets_beside_us_is_found(void **state)
{
	static const struct {
		struct hooks_program program;
		size_t at;
		const char *id, *what;
	} rows[] = {
		{ { "lan0", HOOKS_XDP, false, "redirect" },
		  0,
		  "xdp",
		  "The XDP program redirect at lan0" },
		{ { "wan0", HOOKS_XDP, false, "program 7" },
		  2,
		  "xdp",
		  "program 7 at wan0" },
		{ { "lan0", HOOKS_INGRESS, false, "cil_from" },
		  0,
		  "tc-program",
		  "cil_from at lan0, ingress, runs before" },
		{ { "lan0", HOOKS_INGRESS, false, "flower" },
		  2,
		  "tc-program",
		  "flower at lan0, ingress, runs behind" },
		{ { "wan0", HOOKS_INGRESS, false, "flower" }, 0, NULL, "" },
		{ { "tun7", HOOKS_XDP, false, "unasked" }, 0, NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct facts facts = fast();

		assert_finds(&facts, NULL);
		memmove(&facts.programs[rows[i].at + 1],
			&facts.programs[rows[i].at],
			(2 - rows[i].at) * sizeof(facts.programs[0]));
		facts.programs[rows[i].at] = rows[i].program;
		facts.programs_count = 3;
		assert_finds(&facts, rows[i].id);
		if (rows[i].id != NULL)
			assert_non_null(
				strstr(findings.list[0].what, rows[i].what));
	}
}

static void test_who_gets_in_the_fast_paths_way_is_found(void **state)
{
	struct facts facts = fast();

	(void)state;
	facts.interfaces[0].lro = true;
	assert_finds(&facts, "lro");
	facts = fast();
	facts.interfaces[1].tc_offload = true; /* of no use to anybody */
	assert_finds(&facts, NULL);
	facts.programs[2] = (struct hooks_program){ "wan0", HOOKS_INGRESS,
						    false, "flower" };
	facts.programs_count = 3;
	assert_finds(&facts, "tc-offload");
	facts = fast();
	snprintf(facts.interfaces[0].bridge, sizeof(facts.interfaces[0].bridge),
		 "br0");
	assert_finds(&facts, "fast-at-port");
	assert_non_null(strstr(findings.list[0].what, "lan0, a port of br0"));
	facts.bridged = true;
	facts.bridge_iptables = facts.bridge_ip6tables = 1;
	assert_finds(&facts, NULL);
	facts = fast();
	facts.marks_count = 7;
	memset(facts.marks[0].text, 'x', sizeof(facts.marks[0].text) - 1);
	assert_finds(&facts, "mark-taken");
	assert_non_null(strstr(findings.list[0].what, "0xf00000"));
	facts = fast();
	facts.flowtables_count = 1;
	facts.flowtables[0].hardware = true;
	assert_finds(&facts, "flow-offload");
	assert_non_null(strstr(findings.list[0].what, "in hardware"));
}

static void put_file(const char *root, const char *path, const char *text)
{
	char whole[512];
	FILE *file;
	char *slash;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (slash = strchr(whole + strlen(root) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0755);
		*slash = '/';
	}
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_files_are_read_as_the_kernel_writes_them(void **state)
{
	char root[] = "/tmp/facts_test.XXXXXX";
	char command[64];
	struct facts facts = { 0 };

	(void)state;
	assert_non_null(mkdtemp(root));
	put_file(root, "/proc/sys/net/ipv4/ip_forward", "1\n");
	put_file(root, "/proc/sys/net/ipv6/conf/all/forwarding", "nonsense\n");
	put_file(root, "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
	put_file(root, "/proc/net/netfilter/nfnetlink_queue",
		 "  100  31621     0 2   128     0     0        0  1\n"
		 "  101 -1534     12 2 65531     4     5       17  1\n"
		 "nonsense\n");
	put_file(root,
		 "/sys/devices/system/clocksource/clocksource0/"
		 "current_clocksource",
		 "kvm-clock\n");
	put_file(root, "/sys/class/net/br0/bridge/bridge_id", "8000\n");
	facts_read(&facts, root);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
	assert_int_equal(facts.ip_forward, 1);
	assert_int_equal(facts.ipv6_forward, FACTS_UNKNOWN);
	assert_int_equal(facts.bridge_iptables, FACTS_UNKNOWN);
	assert_int_equal(facts.conntrack_used, FACTS_UNKNOWN);
	assert_int_equal(facts.conntrack_max, 262144);
	assert_string_equal(facts.clock, "kvm-clock");
	assert_true(facts.has_netfilter && facts.has_bound && facts.has_bridge);
	assert_int_equal(facts.bound_count, 2);
	assert_int_equal(facts.bound[1].number, 101);
	assert_int_equal(facts.bound[1].port, (uint32_t)-1534);
}

static void test_an_empty_machine_is_read_too(void **state)
{
	struct facts facts = { 0 };

	(void)state;
	facts_read(&facts, "/nonexistent");
	assert_int_equal(facts.ip_forward, FACTS_UNKNOWN);
	assert_false(facts.has_netfilter || facts.has_bound ||
		     facts.has_bridge);
}

static void
test_what_is_wanted_comes_from_the_daemon_or_its_policy(void **state)
{
	static struct policy_prefix inside[2] = {
		{ { [10] = 0xff, [11] = 0xff, [12] = 10 }, 104 },
		{ { 0x20, 0x01 }, 32 },
	};
	struct policy policy = { .inside = { inside, 1 } };
	struct facts facts = { 0 };
	struct reply *reply = reply_parse(
		"{\"ok\":{\"method\":\"target\",\"policy\":{\"bridged\":true,"
		"\"ipv4\":false,\"ipv6\":true},\"engines\":[{\"queue\":0,"
		"\"hold_queue\":1},{\"queue\":0,\"hold_queue\":0}],"
		"\"interfaces\":[{\"name\":\"lan0\",\"guarded\":true},"
		"{\"name\":\"wan0\",\"guarded\":false}],\"fast\":{"
		"\"runs\":true,\"mark_bits\":240,\"interfaces\":[{"
		"\"name\":\"lan1\",\"attached\":\"tcx\"}]}}}");

	(void)state;
	facts_want_status(&facts, reply_body(reply));
	reply_free(reply);
	assert_true(facts.runs && facts.bridged && facts.ipv6);
	assert_false(facts.ipv4);
	assert_string_equal(facts.method, "target");
	assert_int_equal(facts.queues_count, 2);
	assert_int_equal(facts.interfaces_count, 3);
	assert_true(facts.interfaces[0].guarded);
	assert_false(facts.interfaces[0].fast || facts.interfaces[1].guarded);
	assert_string_equal(facts.interfaces[2].name, "lan1");
	assert_true(facts.interfaces[2].fast && facts.interfaces[2].guarded);
	assert_int_equal(facts.mark_bits, 240);
	memset(&facts, 0, sizeof(facts));
	policy.nfqueue.first_queue = 5000;
	policy.nfqueue.queues = 2;
	facts_want_policy(&facts, &policy);
	assert_true(facts.ipv4);
	assert_false(facts.runs || facts.ipv6);
	assert_int_equal(facts.queues_count, 4);
	assert_int_equal(facts.queues[3], 5003);
	policy.inside.count = 2;
	policy.nfqueue.queues = 0;
	memset(&facts, 0, sizeof(facts));
	facts_want_policy(&facts, &policy);
	assert_true(facts.ipv6);
	assert_int_equal(facts.queues_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_a_healthy_gateway_has_no_findings),
		T(test_a_healthy_bridge_has_no_findings),
		T(test_who_judges_by_a_tap_forwards_nothing_here),
		T(test_each_trouble_is_found),
		T(test_who_does_not_see_what_is_direct_is_found),
		T(test_who_sees_packets_beside_us_is_found),
		T(test_who_gets_in_the_fast_paths_way_is_found),
		T(test_files_are_read_as_the_kernel_writes_them),
		T(test_an_empty_machine_is_read_too),
		T(test_what_is_wanted_comes_from_the_daemon_or_its_policy),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
