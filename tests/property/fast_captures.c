/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every capture below SYMTAP_CAPTURES through a pump alone, and through the
 * kernel program with a pump behind it, at the times that the capture says: by
 * the shipped default, with exact windows, where the counts are compared as
 * well, and with consecutive segments put together into super-packets.
 * Captures are no part of the tree: skipped where nobody says where they are.
 */
#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "flowtable/packet.h"
#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "shaper/io/fast.h"
#include "sim/capture.h"
#include "sim/initiators.h"
#include "tests/fast_merge.h"
#include "tests/fast_twin.h"

enum {
	SKIPPED = 77,
	SLOTS = 4096,
	PACKETS_MAX = 60000, /* of one capture */
	ETHERNET_BYTES = 14,
};

#define BEGIN_NS       UINT64_C(10000000000000)
#define LONGEST_GAP_NS UINT64_C(120000000000)
#define MERGE_NS       UINT64_C(2000000)

static const char POLICY[] =
	"mode: enforce\n"
	"inside: [203.0.113.0/24]\n" /* the test says who is guarded */
	"limits: {pairs: 20000, flows: 40000, hosts: 4096}\n";

enum way { PLAIN, EXACT, MERGED, WAYS };
static const char *const NAMES[WAYS] = { "shipped", "exact", "merged" };

struct run {
	enum way way;
	struct twin *twin;
	struct initiators *initiators;
	struct merge merge;
	uint64_t now_ns, began_ns; /* began: of what is put together */
	uint32_t super_packets;
};

static struct policy *policy;
static struct fast *fast;
static struct twin_results totals[WAYS];
static uint32_t files, super_packets;

/* ------ frames */

/* How many bytes stand before layer 3, and what that is; 0: not known here. */
static uint32_t link_header(const struct capture_packet *captured,
			    uint16_t *ret_ethertype)
{
	static const struct {
		uint32_t type, bytes, ethertype_at;
	} links[] = {
		{ 0, 4, 0 },   { 108, 4, 0 }, { 101, 0, 0 },   { 12, 0, 0 },
		{ 228, 0, 0 }, { 229, 0, 0 }, { 113, 16, 14 }, { 276, 20, 0 },
	};
	const uint8_t *bytes = captured->bytes;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		const uint8_t *ip = bytes + links[i].bytes;

		if (links[i].type != captured->link_type ||
		    captured->captured_bytes < links[i].bytes + 20)
			continue;
		*ret_ethertype = ip[0] >> 4 == 4   ? 0x0800
				 : ip[0] >> 4 == 6 ? 0x86dd
						   : 0;
		return *ret_ethertype ? links[i].bytes : UINT32_MAX;
	}
	return UINT32_MAX;
}

/* An Ethernet frame; what was not captured is 0.  How long it is; 0: it is
 * none that we could offer. */
static uint32_t as_ethernet(const struct capture_packet *captured,
			    uint8_t ret_bytes[TWIN_FRAME_BYTES])
{
	uint16_t ethertype = 0;
	uint32_t skip = 0, before = 0;

	memset(ret_bytes, 0, TWIN_FRAME_BYTES);
	if (captured->link_type != 1) {
		skip = link_header(captured, &ethertype);
		if (skip == UINT32_MAX)
			return 0;
		before = ETHERNET_BYTES;
		ret_bytes[12] = (uint8_t)(ethertype >> 8);
		ret_bytes[13] = (uint8_t)ethertype;
	}
	if (before + captured->wire_bytes - skip > TWIN_FRAME_BYTES ||
	    before + captured->wire_bytes - skip < ETHERNET_BYTES)
		return 0;
	memcpy(ret_bytes + before, captured->bytes + skip,
	       captured->captured_bytes - skip);
	return before + captured->wire_bytes - skip;
}

static void flush(struct run *run)
{
	const struct twin_frame *frame = merge_take(&run->merge);

	if (frame == NULL)
		return;
	run->super_packets += frame->gso_bytes != 0;
	twin_offer(run->twin, frame, run->now_ns);
}

/* Guarded is who spoke first. */
static void one_frame(struct run *run, const uint8_t *bytes, uint32_t count,
		      uint64_t now_ns)
{
	struct packet_meta meta;
	bool out;

	packet_parse_ethernet(bytes, count, count, &meta);
	if (meta.ethertype == 0)
		return;
	out = initiators_ask(run->initiators, &meta.ends,
			     initiators_hash(run->initiators, &meta.ends, 0));
	if (run->way != MERGED || now_ns - run->began_ns > MERGE_NS)
		flush(run);
	if (!merge_add(&run->merge, bytes, count, out)) {
		flush(run);
		assert(merge_add(&run->merge, bytes, count, out));
	}
	if (run->merge.frame.wire_pkts == 1)
		run->began_ns = now_ns;
	run->now_ns = now_ns;
}

/* Times of a file may run back, or be years apart. */
static void read_all(struct run *run, struct capture *capture)
{
	static uint8_t bytes[TWIN_FRAME_BYTES];
	struct capture_packet captured;
	uint64_t last_ns = 0, now_ns = BEGIN_NS;
	uint32_t count = 0, size;

	while (capture_next(capture, &captured) == CAPTURE_PACKET &&
	       count++ < PACKETS_MAX) {
		uint64_t gap_ns = captured.time_ns - last_ns;

		if (last_ns == 0 || captured.time_ns < last_ns)
			gap_ns = 0;
		now_ns += gap_ns < LONGEST_GAP_NS ? gap_ns : LONGEST_GAP_NS;
		last_ns = captured.has_time ? captured.time_ns : last_ns;
		size = as_ethernet(&captured, bytes);
		if (size > 0)
			one_frame(run, bytes, size, now_ns);
	}
	flush(run);
}

/* ------ files */

static void tell(const char *name, const struct twin_results *results)
{
	printf("%-52s %6u out, %6u and %6u in by the kernel, held %5u, "
	       "alone %5u, %u+%u differ; %llu counts, at most %u more, wrong "
	       "%u+%u+%u+%u+%u; %u worth another; apart %u keys, %.1f ms\n",
	       name, results->out, results->passed, results->counted,
	       results->held, results->held_alone, results->stricter,
	       results->laxer, (unsigned long long)results->compared,
	       results->most_more, results->unexplained, results->outside,
	       results->misread, results->unequal, results->totals,
	       results->worth, results->apart, (double)results->apart_ns / 1e6);
}

static void one_way(const char *path, const char *name, enum way way)
{
	static const uint8_t SEED[16] = { 1 };
	static struct run run;
	struct twin_config config = { .policy = policy,
				      .fast = fast,
				      .exact = way != PLAIN,
				      .begin_ns = BEGIN_NS };
	char wrong[256];
	struct capture *capture = capture_open(path, wrong, sizeof(wrong));

	if (capture == NULL)
		return;
	memset(&run, 0, sizeof(run));
	run.way = way;
	run.now_ns = BEGIN_NS;
	run.initiators = initiators_new(100000, true, SEED);
	assert(run.initiators != NULL);
	run.twin = twin_new(&config);
	read_all(&run, capture);
	twin_end(run.twin);
	tell(name, twin_results(run.twin));
	twin_add_results(&totals[way], twin_results(run.twin));
	super_packets += run.super_packets;
	twin_free(run.twin);
	initiators_free(run.initiators);
	capture_close(capture);
}

static int one_file(const char *path, const struct stat *status, int type,
		    struct FTW *place)
{
	char name[256];

	(void)status;
	if (type != FTW_F || strstr(path, "pcap") == NULL)
		return 0;
	for (enum way way = 0; way < WAYS; way++) {
		snprintf(name, sizeof(name), "%s %.40s", NAMES[way],
			 path + place->base);
		one_way(path, name, way);
	}
	files++;
	return 0;
}

static void load(void)
{
	const struct fast_options options = { .slots = SLOTS,
					      .mark_mask = TWIN_MARK_MASK,
					      .consent = true,
					      .test = true };
	char wrong[FAST_TEXT_BYTES] = "";
	struct policy_errors errors;
	int error = fast_new(&options, &fast, wrong);

	if (error < 0) {
		printf("skipped: %s (%s)\n", wrong, strerror(-error));
		exit(SKIPPED);
	}
	if (!policy_parse("captures", POLICY, strlen(POLICY), &policy, &errors))
		exit(1);
}

static bool is_good(const struct twin_results *results)
{
	return results->passed > results->out / 100 && results->counted > 0 &&
	       results->unexplained + results->outside + results->misread +
			       results->unequal + results->totals ==
		       0 &&
	       results->worth * 1000 <= results->in &&
	       (uint64_t)(results->stricter + results->laxer) * 1000 <=
		       results->out;
}

int main(void)
{
	const char *folder = getenv("SYMTAP_CAPTURES");
	bool good = true;

	if (folder == NULL) {
		puts("skipped: SYMTAP_CAPTURES does not say where captures "
		     "are");
		return SKIPPED;
	}
	load();
	nftw(folder, one_file, 16, FTW_PHYS);
	printf("%u files, %u super-packets\n", files, super_packets);
	for (int way = 0; way < WAYS; way++) {
		tell(NAMES[way], &totals[way]);
		good = good && is_good(&totals[way]);
	}
	policy_free(policy);
	fast_free(fast);
	return good && files > 0 && super_packets > 0 ? 0 : 1;
}
