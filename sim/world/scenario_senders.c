/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "sim/world/scenario_draft.h"

enum {
	FIRST_PORT = 40000, /* of senders that name none, and by place */
	MEDIA_PORT = 5004,
	BULK_SIZE_MIN = 100,
};

static const char *const KINDS[] = { "tcp",     "quic",  "rtp",
				     "request", "flood", NULL };
static const char *const PROTOS[] = { "udp", "syn", "icmp", "tcp", NULL };
static const char *const PICKS[] = { "same", "next", "random", NULL };
static const char *const ACKS[] = { "came", "nothing", "more", NULL };
static const char *const CONGESTIONS[] = { "cubic", "reno", NULL };
static const char *const AFTER_PAUSE[] = { "restart", "keep", NULL };
static const char *const OPENED[] = { "inside", "outside", NULL };

static bool read_from(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct scenario_sender *sender = into;
	uint16_t port;

	if (!scenario_read_endpoint(reader, node, sender->from, &port))
		return false;
	if (port != 0)
		sender->from_port = port;
	return true;
}

static bool read_to(struct keys_reader *reader, const struct yaml_node *node,
		    void *into)
{
	struct scenario_sender *sender = into;
	uint16_t port;

	if (!scenario_read_target(reader, node, &sender->to, &port))
		return false;
	if (port != 0)
		sender->to_port = port;
	return true;
}

static bool read_tunnel(struct keys_reader *reader,
			const struct yaml_node *node, void *into)
{
	struct scenario_sender *sender = into;
	uint16_t port;

	sender->tunnelled = true;
	return scenario_read_endpoint(reader, node, sender->tunnel, &port);
}

#define TIME(key, field, least, text)                                   \
	{                                                               \
		.name = (key), .type = KEYS_TIME, .min = (least),       \
		.max = UINT64_C(86400000000000),                        \
		KEYS_FIELD(struct scenario_sender, field), .help = text \
	}
#define COUNT(key, field, least, most, text)                              \
	{                                                                 \
		.name = (key), .type = KEYS_COUNT, .min = (least),        \
		.max = (most), KEYS_FIELD(struct scenario_sender, field), \
		.help = text                                              \
	}
#define WORD(key, field, list, text)                                    \
	{                                                               \
		.name = (key), .type = KEYS_WORD, .words = (list),      \
		KEYS_FIELD(struct scenario_sender, field), .help = text \
	}
#define BOOL(key, field, text)                                          \
	{                                                               \
		.name = (key), .type = KEYS_BOOL,                       \
		KEYS_FIELD(struct scenario_sender, field), .help = text \
	}

const struct keys_entry SCENARIO_SENDER_KEYS[] = {
	{ .name = "name",
	  .type = KEYS_TEXT,
	  KEYS_FIELD(struct scenario_sender, name),
	  .required = true,
	  .help = "what it is called in what is printed" },
	{ .name = "kind",
	  .type = KEYS_WORD,
	  .words = KINDS,
	  KEYS_FIELD(struct scenario_sender, kind),
	  .required = true,
	  .help = "tcp, quic, rtp, request or flood" },
	{ .name = "from",
	  .type = KEYS_OTHER,
	  .read = read_from,
	  .required = true,
	  .help = "the guarded host, with a port or without" },
	{ .name = "to",
	  .type = KEYS_OTHER,
	  .read = read_to,
	  .required = true,
	  .help = "the far end; of a flood also a prefix" },
	TIME("start", start_ns, 0, "when it begins; 0"),
	TIME("stop", stop_ns, 0, "when it sends no more; 0: at the end"),
	TIME("delay", delay_ns, 0, "of its way past the links, each way; 0"),
	COUNT("size", size_bytes, 28, 9000, "bytes of a full packet, IP on"),
	BOOL("bypass", bypasses,
	     "what comes back does not pass the gateway; false"),
	{ .name = "tunnel",
	  .type = KEYS_OTHER,
	  .read = read_tunnel,
	  .help = "address of the VPN's far end: UDP 51820 is all one sees" },
	WORD("congestion", congestion, CONGESTIONS, "cubic or reno; cubic"),
	{ .name = "bytes",
	  .type = KEYS_BYTES,
	  .min = 1,
	  .max = UINT64_C(1) << 40,
	  KEYS_FIELD(struct scenario_sender, bytes),
	  .help = "of a piece, after which it pauses; without end" },
	TIME("pause", pause_ns, 0, "between pieces, requests or bursts"),
	WORD("after_pause", keeps_window, AFTER_PAUSE,
	     "restart slowly, or keep the window; restart"),
	WORD("opened_by", opened_outside, OPENED,
	     "who sends the first packet; inside"),
	COUNT("receive_window", window_pkts, 2, SCENARIO_WINDOW_PKTS_MAX,
	      "packets that may be under way; 1024"),
	COUNT("ack_every", ack_every, 1, 1024, "packets; tcp 2, quic 10"),
	COUNT("ack_every_first", ack_every_first, 1, 1024,
	      "the same of the first ones; 2"),
	COUNT("ack_first_packets", ack_first_pkts, 0, 1000000,
	      "how many these are; quic 100"),
	TIME("ack_delay", ack_delay_ns, 0, "at most; tcp 40ms, quic 25ms"),
	COUNT("thin", thin, 1, 1024,
	      "the path lets through one ACK in so many; 1"),
	COUNT("packets_per_s", packets_per_s, 1, 1000000, "rtp 50, flood 500"),
	BOOL("one_way", one_way, "no media comes back; false"),
	TIME("report", report_ns, 1000000, "between receiver reports; 5s"),
	COUNT("at_once", at_once, 1, 1024, "requests under way; 1"),
	TIME("answer_after", answer_ns, 0, "the far end thinks; 20ms"),
	COUNT("answer_packets", answer_pkts, 1, 1024, "of an answer; 1"),
	WORD("proto", proto, PROTOS, "udp, syn, icmp or tcp; udp"),
	COUNT("burst", burst_pkts, 1, 10000000,
	      "packets, after which it pauses; without end"),
	WORD("pick", pick, PICKS, "of the destinations in `to`; same"),
	COUNT("each", each_pkts, 1, 1000000,
	      "packets to one destination, before the next is picked; 1"),
	COUNT("sources", sources, 1, 65536,
	      "addresses from `from` on that it takes, in turn; 1"),
	WORD("ports", ports, PICKS, "of the far end; same"),
	WORD("from_ports", from_ports, PICKS, "its own; same"),
	BOOL("answered", answered, "each packet is answered; false"),
	BOOL("completes", completes, "handshakes are finished; false"),
	COUNT("reply_every", reply_every, 1, 1000000,
	      "the far end answers one in so many; never"),
	COUNT("reply_packets", reply_pkts, 1, 1000000,
	      "and stops after so many answers; never"),
	WORD("acks", acks, ACKS,
	     "what the far end says came: came, nothing, more; came"),
	BOOL("rtp_headers", looks_like_media, "bears those of media; false"),
	COUNT("replies_per_s", replies_per_s, 1, 1000000,
	      "the far end sends so many, whatever it hears; none"),
	{ 0 },
};

#define BULK   (1u << SCENARIO_TCP | 1u << SCENARIO_QUIC)
#define RTP    (1u << SCENARIO_RTP)
#define ASKS   (1u << SCENARIO_REQUEST)
#define FLOODS (1u << SCENARIO_FLOOD)

/* Keys that only some kinds have a use for. */
static const struct {
	const char *name;
	unsigned int kinds;
} USES[] = {
	{ "congestion", BULK },
	{ "bytes", BULK },
	{ "pause", BULK | ASKS | FLOODS },
	{ "after_pause", BULK },
	{ "opened_by", BULK },
	{ "receive_window", BULK },
	{ "ack_every", BULK },
	{ "ack_every_first", BULK },
	{ "ack_first_packets", BULK },
	{ "ack_delay", BULK },
	{ "thin", BULK },
	{ "packets_per_s", RTP | FLOODS },
	{ "one_way", RTP },
	{ "report", RTP },
	{ "at_once", ASKS },
	{ "answer_after", ASKS },
	{ "answer_packets", ASKS },
	{ "proto", FLOODS },
	{ "burst", FLOODS },
	{ "pick", FLOODS },
	{ "each", FLOODS },
	{ "sources", FLOODS },
	{ "ports", FLOODS },
	{ "from_ports", FLOODS | ASKS },
	{ "answered", FLOODS },
	{ "completes", FLOODS },
	{ "reply_every", FLOODS },
	{ "reply_packets", FLOODS },
	{ "acks", FLOODS },
	{ "rtp_headers", FLOODS },
	{ "replies_per_s", FLOODS },
};

static bool refuse_useless(struct keys_reader *reader,
			   const struct yaml_node *map, enum scenario_kind kind)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(USES) / sizeof(USES[0]); i++) {
		const struct yaml_node *node =
			yaml_tree_find(map, USES[i].name);
		size_t before;

		if (!node || USES[i].kinds & 1u << kind)
			continue;
		before = keys_enter(reader, node->key);
		keys_key_error(reader, node, "leave it out",
			       "means nothing to kind %s", KINDS[kind]);
		keys_leave(reader, before);
		good = false;
	}
	return good;
}

static void set_defaults(struct scenario_sender *sender,
			 enum scenario_kind kind, uint32_t place)
{
	*sender = (struct scenario_sender){
		.kind = kind,
		.from_port = (uint16_t)(FIRST_PORT + place),
		.to_port = 443,
		.size_bytes = 1500,
		.window_pkts = 1024,
		.ack_every = 2,
		.ack_every_first = 2,
		.ack_delay_ns = 40000000,
		.thin = 1,
		.packets_per_s = 50,
		.report_ns = UINT64_C(5000000000),
		.at_once = 1,
		.answer_ns = 20000000,
		.answer_pkts = 1,
		.pause_ns = 1000000000,
		.each_pkts = 1,
		.sources = 1,
	};
	switch (kind) {
	case SCENARIO_TCP:
	case SCENARIO_KINDS:
		break;
	case SCENARIO_QUIC:
		sender->size_bytes = 1278;
		sender->ack_every = 10;
		sender->ack_first_pkts = 100;
		sender->ack_delay_ns = 25000000;
		break;
	case SCENARIO_RTP:
		sender->size_bytes = 200;
		sender->from_port = sender->to_port = MEDIA_PORT;
		break;
	case SCENARIO_REQUEST:
		sender->size_bytes = 80;
		sender->to_port = 53;
		break;
	case SCENARIO_FLOOD:
		sender->size_bytes = 1052;
		sender->packets_per_s = 500;
		sender->to_port = 9;
		break;
	}
}

/* What the defaults hang on, before the rest is read. */
static enum scenario_kind kind_of(const struct yaml_node *map)
{
	const struct yaml_node *node = yaml_tree_find(map, "kind");

	for (size_t i = 0; node && node->kind == YAML_SCALAR && KINDS[i]; i++)
		if (strcmp(node->text, KINDS[i]) == 0)
			return (enum scenario_kind)i;
	return SCENARIO_KINDS;
}

static bool check_addresses(struct keys_reader *reader,
			    const struct yaml_node *node,
			    const struct scenario_sender *sender)
{
	bool v4 = address_is_v4(sender->from);

	if (sender->kind != SCENARIO_FLOOD && sender->to.length != 128) {
		keys_error(reader, yaml_tree_find(node, "to"),
			   "one address, such as 192.0.2.1",
			   "only a flood goes to many");
		return false;
	}
	if (address_prefix_is_v4(&sender->to) != v4 ||
	    (sender->tunnelled && address_is_v4(sender->tunnel) != v4)) {
		keys_error(reader, node, "all of them IPv4, or all IPv6",
			   "its addresses are of both kinds");
		return false;
	}
	return true;
}

static bool check_sender(struct keys_reader *reader,
			 const struct yaml_node *node,
			 const struct scenario_sender *sender)
{
	bool good = refuse_useless(reader, node, sender->kind);

	good &= check_addresses(reader, node, sender);
	if (1u << sender->kind & BULK && sender->size_bytes < BULK_SIZE_MIN) {
		keys_error(reader, yaml_tree_find(node, "size"),
			   "at least 100 bytes", "has no room for data");
		good = false;
	}
	if (sender->completes &&
	    (sender->proto != SCENARIO_SYN || !sender->answered)) {
		keys_error(reader, yaml_tree_find(node, "completes"),
			   "proto: syn and answered: true",
			   "there is no handshake to finish");
		good = false;
	}
	if (sender->acks != SCENARIO_ACKS_CAME &&
	    sender->proto != SCENARIO_DATA) {
		keys_error(reader, yaml_tree_find(node, "acks"), "proto: tcp",
			   "there is nothing to acknowledge");
		good = false;
	}
	return good;
}

static bool check_name(struct keys_reader *reader, const struct yaml_node *node,
		       const struct scenario *scenario,
		       const struct scenario_sender *sender)
{
	for (uint32_t i = 0; i < scenario->senders_count; i++) {
		if (strcmp(scenario->senders[i].name, sender->name) != 0)
			continue;
		keys_error(reader, yaml_tree_find(node, "name"),
			   "a name of its own",
			   "\"%s\" is called so already, on line %u",
			   sender->name, scenario->senders[i].line);
		return false;
	}
	return true;
}

static bool read_sender(struct keys_reader *reader,
			const struct yaml_node *node, void *into)
{
	struct scenario *scenario = into;
	struct scenario_sender *sender =
		&scenario->senders[scenario->senders_count];
	bool good;

	set_defaults(sender, kind_of(node), scenario->senders_count);
	sender->line = node->line;
	good = keys_read(reader, node, SCENARIO_SENDER_KEYS, sender);
	if (!good)
		return false;
	good = check_sender(reader, node, sender) &&
	       check_name(reader, node, scenario, sender);
	scenario->senders_count += good;
	return good;
}

bool scenario_read_senders(struct keys_reader *reader,
			   const struct yaml_node *node, void *into)
{
	struct scenario *scenario = into;

	scenario->senders =
		calloc(SCENARIO_SENDERS_MAX, sizeof(*scenario->senders));
	if (!scenario->senders) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	return keys_each(reader, node, SCENARIO_SENDERS_MAX, read_sender,
			 scenario);
}

const char *scenario_kind_name(enum scenario_kind kind)
{
	return KINDS[kind];
}
