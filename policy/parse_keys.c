/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include "policy/parse.h"

static const char *const MODES[] = { "shadow", "enforce", NULL };
static const char *const PROFILES[] = { "literal", "seven-to-one", NULL };
static const char *const EVIDENCE[] = { "consent", "packets", NULL };
static const char *const AT_BOUND[] = { "drop", "release", NULL };
static const char *const HOLDS[] = { "pump", "qdisc", "edt", NULL };
static const char *const FAILS[] = { "open", "closed", NULL };

static const struct keys_entry LIMITER_KEYS[] = {
	{ .name = "threshold",
	  .type = KEYS_LOG2,
	  KEYS_FIELD(struct draft, limiter.ratio_q16),
	  .help = "held above this log2 of out to in; from the profile" },
	{ .name = "window",
	  .type = KEYS_TIME,
	  .min = 10000000,
	  .max = UINT64_C(60000000000),
	  KEYS_FIELD(struct draft, limiter.window_ns),
	  .help = "how far back packets count; 1s" },
	{ .name = "first_delay",
	  .type = KEYS_TIME,
	  .min = 1000,
	  .max = 1000000000,
	  KEYS_FIELD(struct draft, limiter.first_delay_ns),
	  .help = "first delay, then doubled; 2ms" },
	{ .name = "max_delay",
	  .type = KEYS_TIME,
	  .min = 1000,
	  .max = UINT64_C(10000000000),
	  KEYS_FIELD(struct draft, limiter.max_delay_ns),
	  .help = "doubling stops here; the last not above 1.024 windows" },
	{ .name = "enforce",
	  .type = KEYS_OTHER,
	  .read = draft_read_enforce,
	  .help = "scopes that hold packets; [pair, flow]" },
	{ .name = "evidence",
	  .type = KEYS_WORD,
	  .words = EVIDENCE,
	  KEYS_FIELD(struct draft, policy.evidence),
	  .help = "what counts as a reply; consent" },
	{ .name = "floor",
	  .type = KEYS_COUNT,
	  .max = 16,
	  KEYS_FIELD(struct draft, policy.credit.floor_pkts),
	  .help = "packets of any window that may go unanswered; 10" },
	{ .name = "patience",
	  .type = KEYS_COUNT,
	  .max = 250,
	  KEYS_FIELD(struct draft, policy.credit.patience_pkts),
	  .help = "packets of a first second that may go unanswered; 48" },
	{ .name = "credit",
	  .type = KEYS_COUNT,
	  .max = 250,
	  KEYS_FIELD(struct draft, policy.credit.earned_pkts),
	  .help = "packets earned by a reply in an answered session; 12" },
	{ .name = "force_one_sided",
	  .type = KEYS_BOOL,
	  KEYS_FIELD(struct draft, policy.force_one_sided),
	  .help = "hold although only one direction is seen; false" },
	{ .name = "guard_gateway",
	  .type = KEYS_BOOL,
	  KEYS_FIELD(struct draft, policy.guard_gateway),
	  .help = "judge the gateway's own traffic as well; false" },
	{ 0 },
};

#define RATE_KEYS(table, field)                                     \
	static const struct keys_entry table[] = {                  \
		{ .name = "packets_per_s",                          \
		  .type = KEYS_COUNT,                               \
		  .min = 1,                                         \
		  .max = 100000000,                                 \
		  KEYS_FIELD(struct draft, policy.field),           \
		  .help = "packets a second of one guarded host" }, \
		{ 0 },                                              \
	}

RATE_KEYS(MULTICAST_KEYS, multicast_pkts_per_s);
RATE_KEYS(DHCP_KEYS, dhcp_pkts_per_s);
RATE_KEYS(ICMP_ERRORS_KEYS, icmp_error_pkts_per_s);
RATE_KEYS(FRAGMENTS_KEYS, fragment_pkts_per_s);

static const struct keys_entry GUARDS_KEYS[] = {
	{ .name = "first_contacts",
	  .type = KEYS_COUNT,
	  .max = 10000,
	  KEYS_FIELD(struct draft, policy.first_contacts_per_s),
	  .help = "unanswered, a second and guarded host; 20, 0 lifts it" },
	{ .name = "new_connections",
	  .type = KEYS_COUNT,
	  .max = 10000,
	  KEYS_FIELD(struct draft, policy.connections_per_s),
	  .help = "TCP, a second and host pair; 100, 0 lifts it" },
	{ 0 },
};

#define LIMIT(key, least, most, text)                                       \
	{                                                                   \
		.name = #key, .type = KEYS_COUNT, .min = (least),           \
		.max = (most), KEYS_FIELD(struct draft, policy.limits.key), \
		.help = (text)                                              \
	}

static const struct keys_entry LIMITS_KEYS[] = {
	LIMIT(pairs, 64, 1 << 26, "pairs that are remembered; 1000000"),
	LIMIT(flows, 64, 1 << 26, "flows that are remembered; 2000000"),
	LIMIT(hosts, 16, 1 << 24, "guarded hosts; 65536"),
	LIMIT(suspects, 64, 1 << 24,
	      "keys near their threshold; (pairs + flows) / 32"),
	LIMIT(pairs_per_host, 64, 1 << 26, "of one guarded host; pairs / 4"),
	LIMIT(flows_per_host, 64, 1 << 26, "of one guarded host; flows / 4"),
	LIMIT(fragments, 16, 1 << 20,
	      "packets whose later fragments are awaited; 4096"),
	LIMIT(held_packets, 0, POLICY_HELD_PKTS_MAX,
	      "packets that wait, in all; 65536, 0 lifts it"),
	{ .name = "held_bytes",
	  .type = KEYS_BYTES,
	  .max = UINT64_C(1) << 40,
	  KEYS_FIELD(struct draft, policy.limits.held_bytes),
	  .help = "bytes that wait, in all; 64MiB, 0 lifts it" },
	LIMIT(held_packets_per_host, 0, POLICY_HELD_PKTS_MAX,
	      "packets that wait, of one host; 1024, 0 lifts it"),
	LIMIT(held_packets_per_key, 0, POLICY_HELD_PKTS_MAX,
	      "packets that wait, of one key; 64, 0 lifts it"),
	{ .name = "at_bound",
	  .type = KEYS_WORD,
	  .words = AT_BOUND,
	  KEYS_FIELD(struct draft, policy.limits.at_bound),
	  .help = "drop from the longest queue, or release; drop" },
	{ 0 },
};

static const struct keys_entry NFQUEUE_KEYS[] = {
	{ .name = "queues",
	  .type = KEYS_COUNT,
	  .min = 1,
	  .max = 64,
	  .zero_word = "auto",
	  KEYS_FIELD(struct draft, policy.nfqueue.queues),
	  .help = "threads, each with queues of its own; auto" },
	{ .name = "first_queue",
	  .type = KEYS_COUNT,
	  .max = 65535,
	  KEYS_FIELD(struct draft, policy.nfqueue.first_queue),
	  .help = "number of the first queue; two a thread; 1000" },
	{ .name = "fail",
	  .type = KEYS_WORD,
	  .words = FAILS,
	  KEYS_FIELD(struct draft, policy.nfqueue.fail),
	  .help = "without symtapd, packets pass (open) or not (closed)" },
	{ .name = "bridge",
	  .type = KEYS_BOOL,
	  KEYS_FIELD(struct draft, policy.nfqueue.bridge),
	  .help = "take bridged packets, not routed ones; false" },
	{ .name = "queue_length",
	  .type = KEYS_COUNT,
	  .min = 1024,
	  .max = 1 << 26,
	  .zero_word = "auto",
	  KEYS_FIELD(struct draft, policy.nfqueue.queue_length),
	  .help = "packets; auto: held_packets and a burst of 4096" },
	{ 0 },
};

static const struct keys_entry FAST_KEYS[] = {
	{ .name = "interfaces",
	  .type = KEYS_OTHER,
	  .required = true,
	  .read = draft_read_fast_interfaces,
	  .help = "guarded ones, at most 16, Ethernet; auto: all of them" },
	{ .name = "keys",
	  .type = KEYS_COUNT,
	  .min = 1024,
	  .max = 1 << 24,
	  .zero_word = "auto",
	  KEYS_FIELD(struct draft, policy.fast.keys),
	  .help = "what the kernel passes, a power of two; auto: by memory" },
	{ .name = "mark_bit",
	  .type = KEYS_COUNT,
	  .max = 28,
	  KEYS_FIELD(struct draft, policy.fast.mark_bit),
	  .help = "lowest of four bits of the packet mark; 20" },
	{ .name = "hold",
	  .type = KEYS_WORD,
	  .words = HOLDS,
	  KEYS_FIELD(struct draft, policy.fast.hold),
	  .help = "where packets wait: pump, qdisc or edt; pump" },
	{ .name = "direct",
	  .type = KEYS_BOOL,
	  KEYS_FIELD(struct draft, policy.fast.direct),
	  .help = "what conforms leaves past the bridge; false" },
	{ .name = "pin",
	  .type = KEYS_TEXT,
	  .zero_word = "none",
	  KEYS_FIELD(struct draft, policy.fast.pin),
	  .help = "folder of a BPF file system; /run/symtap-bpf/fast" },
	{ 0 },
};

static const struct keys_entry DATAPATH_KEYS[] = {
	{ .name = "nfqueue",
	  .type = KEYS_MAP,
	  .keys = NFQUEUE_KEYS,
	  .help = "packets come from the kernel's queues" },
	{ .name = "fast",
	  .type = KEYS_MAP,
	  .keys = FAST_KEYS,
	  .help = "what conforms stays in the kernel" },
	{ 0 },
};

static const struct keys_entry CONTROL_KEYS[] = {
	{ .name = "socket",
	  .type = KEYS_TEXT,
	  KEYS_FIELD(struct draft, policy.control_socket),
	  .help = "/run/symtap/control.sock" },
	{ .name = "group",
	  .type = KEYS_TEXT,
	  .zero_word = "none",
	  KEYS_FIELD(struct draft, policy.control_group),
	  .help = "group that owns the socket; none" },
	{ .name = "mode",
	  .type = KEYS_OCTAL,
	  .min = 0,
	  .max = 0777,
	  KEYS_FIELD(struct draft, policy.control_mode),
	  .help = "file mode of the socket; 0660" },
	{ 0 },
};

static const struct keys_entry METRICS_KEYS[] = {
	{ .name = "listen",
	  .type = KEYS_TEXT,
	  .zero_word = "none",
	  KEYS_FIELD(struct draft, policy.metrics_listen),
	  .help = "ADDRESS:PORT; 127.0.0.1:9477" },
	{ 0 },
};

static const struct keys_entry STATE_KEYS[] = {
	{ .name = "file",
	  .type = KEYS_TEXT,
	  .zero_word = "none",
	  KEYS_FIELD(struct draft, policy.state_file),
	  .help = "what outlives a restart; /var/lib/symtap/state" },
	{ 0 },
};

/* In the order in which they are read: what a later one needs comes first. */
static const struct keys_entry KEYS[] = {
	{ .name = "mode",
	  .type = KEYS_WORD,
	  .words = MODES,
	  KEYS_FIELD(struct draft, policy.mode),
	  .help = "shadow measures and holds nothing; shadow" },
	{ .name = "profile",
	  .type = KEYS_WORD,
	  .words = PROFILES,
	  KEYS_FIELD(struct draft, profile),
	  .help = "a name for limiter values; literal" },
	{ .name = "inside",
	  .type = KEYS_OTHER,
	  .required = true,
	  .read = draft_read_inside,
	  .help = "the prefixes of the guarded hosts" },
	{ .name = "host_prefix6",
	  .type = KEYS_COUNT,
	  .min = 32,
	  .max = 128,
	  KEYS_FIELD(struct draft, policy.host_prefix6),
	  .help = "one IPv6 host is one prefix of this length; 64" },
	{ .name = "limiter",
	  .type = KEYS_MAP,
	  .keys = LIMITER_KEYS,
	  .help = "when packets are held" },
	{ .name = "zones",
	  .type = KEYS_OTHER,
	  .read = draft_read_zones,
	  .keys = DRAFT_MEMBER_KEYS,
	  .help = "named groups of interfaces and VLANs" },
	{ .name = "rate",
	  .type = KEYS_OTHER,
	  .read = draft_read_rate,
	  .keys = DRAFT_RATE_KEYS,
	  .help = "what a guarded host may send in all; any" },
	{ .name = "antispoof",
	  .type = KEYS_MAP,
	  .keys = DRAFT_ANTISPOOF_KEYS,
	  .help = "who may send with which address" },
	{ .name = "rules",
	  .type = KEYS_OTHER,
	  .read = draft_read_rules,
	  .keys = DRAFT_RULE_KEYS,
	  .help = "exceptions, by priority" },
	{ .name = "guards",
	  .type = KEYS_MAP,
	  .keys = GUARDS_KEYS,
	  .help = "paces for what S cannot see" },
	{ .name = "multicast",
	  .type = KEYS_MAP,
	  .keys = MULTICAST_KEYS,
	  .help = "plain limit; 2000" },
	{ .name = "dhcp",
	  .type = KEYS_MAP,
	  .keys = DHCP_KEYS,
	  .help = "plain limit; 100" },
	{ .name = "icmp_errors",
	  .type = KEYS_MAP,
	  .keys = ICMP_ERRORS_KEYS,
	  .help = "plain limit; 1000" },
	{ .name = "fragments",
	  .type = KEYS_MAP,
	  .keys = FRAGMENTS_KEYS,
	  .help = "plain limit of tiny ones; 1000" },
	{ .name = "limits",
	  .type = KEYS_MAP,
	  .keys = LIMITS_KEYS,
	  .help = "memory, reserved at start" },
	{ .name = "datapath",
	  .type = KEYS_MAP,
	  .keys = DATAPATH_KEYS,
	  .help = "how packets come here" },
	{ .name = "xen",
	  .type = KEYS_MAP,
	  .keys = DRAFT_XEN_KEYS,
	  .help = "vifs of guests of this host" },
	{ .name = "control",
	  .type = KEYS_MAP,
	  .keys = CONTROL_KEYS,
	  .help = "the socket of symtapctl" },
	{ .name = "metrics",
	  .type = KEYS_MAP,
	  .keys = METRICS_KEYS,
	  .help = "Prometheus and status.json" },
	{ .name = "state",
	  .type = KEYS_MAP,
	  .keys = STATE_KEYS,
	  .help = "what outlives the process" },
	{ 0 },
};

const struct keys_entry *policy_keys(void)
{
	return KEYS;
}
