/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest's tap, in a namespace of our own: frames with VLAN tags,
 * which the kernel takes out of the frame before the program sees it, and
 * super-packets whose sizes are the guest's word (a tap, as a vif, takes them
 * as they come; the kernel has not counted their segments then).  A leased
 * pair's packets pass; a tagged frame is none of it, counts nowhere and changes
 * nothing; what does not say how many packets it is ends the lease, uncounted.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "flowtable/packet.h"
#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/fast_program.h"
#include "shaper/pump.h"
#include "tests/fast_frames.h"

enum {
	SKIPPED = 77,
	SLOTS = 64,
	LARGEST = 65535,
	HEADERS_BYTES = 54, /* Ethernet, IPv4, TCP */
	VNET_CSUM = 1,
	VNET_TCPV4 = 1,
	VNET_UDP_L4 = 5,
};

#define BEGIN_NS UINT64_C(1001000000000)
#define MS       UINT64_C(1000000)

static const char POLICY[] = "mode: enforce\n"
			     "inside: [10.0.0.0/8]\n"
			     "limiter: {evidence: packets}\n"
			     "guards: {first_contacts: 0}\n"
			     "limits: {pairs: 100, flows: 100, hosts: 64}\n";

/* As a guest writes it before each frame (linux/virtio_net.h). */
struct vnet {
	uint8_t flags, gso_type;
	uint16_t headers_bytes, gso_bytes, csum_start, csum_offset;
};

struct world {
	struct fastprogram *program;
	struct fast *fast;
	struct fastleases *leases;
	struct fast_slot *slots;
	struct policy *policy;
	struct zones *zones;
	struct pump *pump;
	struct frames_talk talk;
	uint64_t now_ns;
	int tap;
};

static void skip(const char *why, int error)
{
	printf("skipped: %s (%s)\n", why, strerror(error));
	exit(SKIPPED);
}

/* ------ the guest */

static uint32_t make_tap(struct world *world)
{
	struct ifreq request = { .ifr_name = "guest0" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	world->tap = open("/dev/net/tun", O_RDWR);
	if (world->tap < 0)
		skip("there are no taps here", errno);
	request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	assert(ioctl(world->tap, TUNSETIFF, &request) == 0);
	request.ifr_flags = IFF_UP;
	assert(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0);
	close(fd);
	return if_nametoindex("guest0");
}

static void send_vnet(struct world *world, const struct vnet *vnet,
		      const uint8_t *bytes, size_t count)
{
	struct iovec parts[] = { { (void *)(uintptr_t)vnet, sizeof(*vnet) },
				 { (void *)(uintptr_t)bytes, count } };
	ssize_t written = writev(world->tap, parts, 2);

	/* The kernel may refuse a header; it may not lose a frame. */
	assert(written == (ssize_t)(sizeof(*vnet) + count) ||
	       (written < 0 && errno == EINVAL));
}

static void send_plain(struct world *world, const uint8_t *bytes, size_t count)
{
	const struct vnet plain = { 0 };

	fast_set_time(world->fast, world->now_ns);
	send_vnet(world, &plain, bytes, count);
}

/* ------ the daemon */

static void judge(struct world *world, const uint8_t *bytes, uint32_t count,
		  bool out)
{
	struct pump_packet packet = { .wire_pkts = 1,
				      .shard = PUMP_HERE,
				      .arrived_ns = world->now_ns };
	struct flow_key key = { 0 };

	assert(packet_parse_ethernet(bytes, count, count, &packet.meta) ==
	       PACKET_OK);
	packet.ends = (uint8_t)(out ? PUMP_ENDS_SRC : PUMP_ENDS_DST);
	flow_key_of(&packet.meta, out ? FLOW_OUT : FLOW_IN, 0, &key);
	fastleases_note(world->leases, world->pump, &key,
			out ? (uint32_t)FAST_MARK_EPOCH
			    : (uint32_t)FASTLEASES_MARK_NONE,
			world->now_ns);
	pump_take(world->pump, &packet, 1);
	assert(packet.verdict == PUMP_PASS);
	if (out)
		fastleases_offer(world->leases, world->pump, &key,
				 world->now_ns);
}

static struct flow_key pair_of(const struct world *world)
{
	return (struct flow_key){
		.inside = { [10] = 0xff, 0xff, 10, 0, 0, world->talk.host },
		.outside = { [10] = 0xff, 0xff, 192, 0, 2, world->talk.remote },
		.scope = FLOW_SCOPE_PAIR,
	};
}

/* There is but one. */
static const struct fast_slot *slot_of(const struct world *world)
{
	for (int i = 0; i < SLOTS; i++)
		if (world->slots[i].kind == FAST_PAIR)
			return &world->slots[i];
	return NULL;
}

static bool is_leased(const struct world *world)
{
	const struct fast_slot *pair = slot_of(world);

	return pair && pair->state & FAST_IN_KERNEL;
}

static void talk_until_leased(struct world *world)
{
	struct frames_packet packet = { .flags = FRAMES_ACK,
					.payload_bytes = 20 };
	uint8_t bytes[FRAMES_BYTES];
	uint32_t count;

	for (int i = 0; i < 40 && !is_leased(world); i++) {
		world->now_ns += 120 * MS;
		packet.out = true;
		count = frames_make(&world->talk, &packet, bytes);
		send_plain(world, bytes, count);
		judge(world, bytes, count, true);
		if (is_leased(world))
			break;
		packet.out = false;
		count = frames_make(&world->talk, &packet, bytes);
		judge(world, bytes, count, false);
	}
	assert(is_leased(world));
}

/* ------ what is shown */

struct seen {
	struct fast_counts counts;
	uint32_t sent, heard;
	bool leased;
};

static struct seen look(struct world *world)
{
	struct flow_key key = pair_of(world);
	struct seen seen = { .leased = is_leased(world) };

	fast_count(world->fast, &seen.counts);
	fastleases_read(world->leases, &key, world->now_ns, &seen.sent,
			&seen.heard);
	return seen;
}

static void test_plain(struct world *world)
{
	struct frames_packet packet = { .out = true,
					.flags = FRAMES_ACK,
					.payload_bytes = 20 };
	uint8_t bytes[FRAMES_BYTES];
	uint32_t count = frames_make(&world->talk, &packet, bytes);
	struct seen before, after;

	talk_until_leased(world);
	before = look(world);
	send_plain(world, bytes, count);
	after = look(world);
	assert(after.counts.out_passed_pkts ==
	       before.counts.out_passed_pkts + 1);
	assert(after.sent == before.sent + 1 && is_leased(world));
}

/* They go the long way, where user space gives them the zone of their VLAN: the
 * untagged pair has nothing to do with them. */
static void test_tags(struct world *world)
{
	static const uint16_t TAGS[][2] = { { 17, 0 },
					    { 17, 18 },
					    { 0, 4094 } };
	uint8_t bytes[FRAMES_BYTES];

	talk_until_leased(world);
	for (size_t i = 0; i < sizeof(TAGS) / sizeof(TAGS[0]); i++) {
		struct frames_packet packet = {
			.out = true,
			.flags = FRAMES_ACK,
			.payload_bytes = 20,
			.vlan = { TAGS[i][0], TAGS[i][1] },
		};
		struct seen before = look(world), after;

		send_plain(world, bytes,
			   frames_make(&world->talk, &packet, bytes));
		after = look(world);
		assert(memcmp(&before, &after, sizeof(before)) == 0);
		assert(is_leased(world));
	}
}

/* Nobody has counted the segments yet: it is for the engine to find out. */
static void test_what_a_guest_says(struct world *world)
{
	static const struct {
		uint8_t type, proto;
		uint16_t gso_bytes;
		uint32_t payload_bytes;
	} rows[] = {
		{ VNET_TCPV4, FRAMES_TCP, 1, 1000 },
		{ VNET_TCPV4, FRAMES_TCP, 100, 1000 },
		{ VNET_TCPV4, FRAMES_TCP, 1448, 60000 },
		{ VNET_TCPV4, FRAMES_TCP, 65535, 60000 },
		{ VNET_TCPV4, FRAMES_TCP, 100, 99 },
		{ VNET_UDP_L4, FRAMES_UDP, 100, 1000 },
	};
	static uint8_t bytes[LARGEST + FRAMES_BYTES];
	uint32_t given_back = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool tcp = rows[i].proto == FRAMES_TCP;
		uint32_t l3_bytes = (tcp ? 40 : 28) + rows[i].payload_bytes;
		struct frames_packet packet = { .out = true,
						.flags = FRAMES_ACK };
		struct vnet vnet = {
			.flags = VNET_CSUM,
			.gso_type = rows[i].type,
			.headers_bytes = (uint16_t)(tcp ? 54 : 42),
			.gso_bytes = rows[i].gso_bytes,
			.csum_start = 34,
			.csum_offset = tcp ? 16 : 6,
		};
		struct seen before, after;
		uint64_t passed;

		world->talk.proto = FRAMES_TCP;
		talk_until_leased(world);
		world->talk.proto = rows[i].proto;
		memset(bytes, 0, sizeof(bytes));
		frames_make(&world->talk, &packet, bytes);
		bytes[16] = (uint8_t)(l3_bytes >> 8);
		bytes[17] = (uint8_t)l3_bytes;
		before = look(world);
		send_vnet(world, &vnet, bytes, 14 + l3_bytes);
		after = look(world);
		/* What fits into one is no super-packet to the kernel, or is
		 * refused by it. */
		passed = after.counts.out_passed_pkts -
			 before.counts.out_passed_pkts;
		assert(passed <= (rows[i].payload_bytes <= rows[i].gso_bytes));
		assert(!after.leased || after.sent == before.sent + passed);
		given_back += !is_leased(world);
		world->talk.proto = FRAMES_TCP;
	}
	printf("%u of %zu super-packets of a guest's ended a lease, none "
	       "passed\n",
	       given_back, sizeof(rows) / sizeof(rows[0]));
	assert(given_back >= 4);
}

/* What the kernel has counted is taken for that many, and no more than conform
 * may pass. */
static void test_what_the_kernel_says(struct world *world)
{
	static const uint32_t SEGMENTS[] = { 0, 1, 2, 7, 64, 1000, 65535 };
	struct frames_packet packet = { .out = true,
					.flags = FRAMES_ACK,
					.payload_bytes = 1000 };
	uint8_t bytes[FRAMES_BYTES];
	uint32_t count = frames_make(&world->talk, &packet, bytes);

	fast_set_test_zone(world->fast, 0);
	for (size_t i = 0; i < sizeof(SEGMENTS) / sizeof(SEGMENTS[0]); i++) {
		struct fast_frame frame = { .bytes = bytes,
					    .count_bytes = count,
					    .gso_size = 1 + (uint32_t)i * 100,
					    .gso_segs = SEGMENTS[i],
					    .out = true };
		struct seen before, after;
		uint32_t mark = 0, ns;
		bool conforms;

		fast_set_ifindex(world->fast, 0, if_nametoindex("guest0"));
		talk_until_leased(world);
		fast_set_test_zone(world->fast, 0);
		before = look(world);
		conforms = SEGMENTS[i] > 0 &&
			   !asym_exceeds(before.sent + SEGMENTS[i] - 1,
					 before.heard,
					 slot_of(world)->ratio_q16);
		assert(fastprogram_run(world->program, &frame, 1, &mark, &ns) ==
		       0);
		after = look(world);
		assert((fast_mark(world->fast, mark) == FAST_MARK_PASSED) ==
		       conforms);
		assert(is_leased(world) == conforms);
		assert(!conforms || after.sent == before.sent + SEGMENTS[i]);
	}
}

/* ------ life */

static void set_up(struct world *world)
{
	const struct fast_options options = { .slots = SLOTS,
					      .mark_mask = 0xf,
					      .test = true };
	struct pump_config config = { .shards = 1 };
	char wrong[FAST_TEXT_BYTES] = "";
	struct policy_errors errors;
	struct fast_fds fds;
	uint32_t ifindex, count;
	uint64_t k0, k1;
	int error;

	if (unshare(CLONE_NEWNET) != 0)
		skip("network namespaces need root", errno);
	ifindex = make_tap(world);
	error = fastprogram_new(&options, &world->program, wrong);
	if (error == 0)
		error = fastprogram_load(world->program, wrong);
	if (error < 0)
		skip(wrong, -error);
	fastprogram_fds(world->program, &fds);
	assert(fast_open(&options, &fds, &world->fast) == 0);
	error = fastprogram_attach(world->program, ifindex, wrong);
	if (error < 0)
		skip(wrong, -error);
	fast_set_zone(world->fast, 0, 0);
	fast_set_ifindex(world->fast, 0, ifindex);
	world->slots = fast_slots(world->fast, &count);
	fast_hash_key(world->fast, &k0, &k1);
	world->leases = fastleases_new(world->slots, count, k0, k1);
	assert(policy_parse("tap", POLICY, strlen(POLICY), &world->policy,
			    &errors));
	world->zones = zones_new();
	assert(zones_id(world->zones, world->policy, "lan0", 0) == 0);
	config.policy = world->policy;
	config.zones = world->zones;
	world->pump = pump_new(&config, BEGIN_NS);
	assert(world->leases && world->pump);
	world->now_ns = BEGIN_NS;
	world->talk = (struct frames_talk){
		.host = 1, .remote = 1, .proto = FRAMES_TCP, .port = 1000
	};
}

int main(void)
{
	static struct world world;

	set_up(&world);
	test_plain(&world);
	test_tags(&world);
	test_what_a_guest_says(&world);
	test_what_the_kernel_says(&world);
	fastleases_free(world.leases);
	pump_free(world.pump);
	zones_free(world.zones);
	policy_free(world.policy);
	fast_free(world.fast);
	fastprogram_free(world.program);
	close(world.tap);
	return 0;
}
