/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_SCENARIO_H
#define SIM_WORLD_SCENARIO_H

/* A world as it stands in its file: links, senders, and what is expected of
 * them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/errors.h"
#include "policy/policy.h"
#include "sim/world/congestion.h"
#include "sim/world/wire.h"

struct keys_entry;

enum {
	SCENARIO_SENDERS_MAX = 256,
	SCENARIO_EXPECT_MAX = 256,
	SCENARIO_GAPS_MAX = 16,
	SCENARIO_BYTES_MAX = 1 << 20,
	SCENARIO_WINDOW_PKTS_MAX = 8192,
};

enum scenario_kind {
	SCENARIO_TCP,     /* a transfer, acknowledged */
	SCENARIO_QUIC,    /* the same over UDP, acknowledged more thinly */
	SCENARIO_RTP,     /* media at a steady rate, and reports */
	SCENARIO_REQUEST, /* one asks, the other answers; DNS too */
	SCENARIO_FLOOD,   /* does not care whether anybody answers */
	SCENARIO_KINDS
};

enum scenario_proto {
	SCENARIO_UDP,
	SCENARIO_SYN, /* each opens a connection */
	SCENARIO_ICMP,
	SCENARIO_DATA, /* segments of one connection */
};

/* What the far end says that came. */
enum scenario_acks {
	SCENARIO_ACKS_CAME,
	SCENARIO_ACKS_NOTHING,
	SCENARIO_ACKS_MORE
};

/* Which of its destinations, or ports, the next packet goes to. */
enum scenario_pick { SCENARIO_SAME, SCENARIO_NEXT, SCENARIO_RANDOM };

struct scenario_sender {
	char name[32];
	enum scenario_kind kind;
	uint32_t line;    /* where it stands */
	uint8_t from[16]; /* the guarded host */
	struct policy_prefix to;
	uint16_t from_port, to_port;
	uint64_t start_ns, stop_ns; /* 0: to the end */
	uint64_t delay_ns;          /* of the way beyond the links, each way */
	uint32_t size_bytes;        /* layer 3 and up, of a full packet */
	bool bypasses;              /* what comes back takes another way */
	bool tunnelled;
	uint8_t tunnel[16]; /* the far end of its VPN */

	/* tcp, quic */
	enum congestion_kind congestion;
	uint64_t bytes;    /* a piece; 0: without end */
	uint64_t pause_ns; /* between pieces, requests or bursts */
	bool keeps_window; /* after a pause, too */
	bool opened_outside;
	uint32_t window_pkts; /* the receiver's */
	uint32_t ack_every, ack_every_first, ack_first_pkts;
	uint64_t ack_delay_ns;
	uint32_t thin; /* of so many acknowledgements one gets through */

	/* rtp, flood */
	uint32_t packets_per_s;
	bool one_way;
	uint64_t report_ns;

	/* request */
	uint32_t at_once;   /* requests under way */
	uint64_t answer_ns; /* the far end thinks */
	uint32_t answer_pkts;

	/* flood */
	enum scenario_proto proto;
	uint32_t burst_pkts; /* then `pause`; 0: never */
	enum scenario_pick pick, ports, from_ports;
	uint32_t each_pkts;   /* to one destination before the next is picked */
	uint32_t sources;     /* addresses that it takes, each for a burst */
	bool answered;        /* SYN: with SYN-ACK; else a packet each */
	bool completes;       /* and the handshake is finished */
	uint32_t reply_every; /* the far end answers one in so many */
	uint32_t reply_pkts;  /* and stops after so many; 0: never */
	enum scenario_acks acks;
	bool looks_like_media;  /* bears the headers of RTP */
	uint32_t replies_per_s; /* the far end sends whatever comes */
};

/* What is measured of a sender; see scenario_measures. */
enum scenario_measure {
	MEASURE_GOODPUT_RATIO,
	MEASURE_GOODPUT,
	MEASURE_OFFERED,
	MEASURE_LET_OUT,
	MEASURE_DROPPED,
	MEASURE_LET_OUT_PER_S,
	MEASURE_FIRST_SECOND,
	MEASURE_ANY_SECOND,
	MEASURE_CONTACTS_PER_S,
	MEASURE_CONTACTS_ANY_SECOND,
	MEASURE_CONNECTIONS_PER_S,
	MEASURE_CONNECTIONS_ANY_SECOND,
	MEASURE_OUT_PER_IN,
	MEASURE_GAIN_PER_IN,
	MEASURE_DELAY_P50_MS,
	MEASURE_DELAY_P99_MS,
	MEASURE_DELAY_MAX_MS,
	MEASURE_DELAYED_PCT,
	MEASURE_S_MAX,
	MEASURE_S,
	MEASURE_GAPS,
	MEASURES
};

struct scenario_expect {
	uint32_t line;
	char sender_name[32]; /* "": of each sender */
	uint32_t sender;      /* SCENARIO_SENDERS_MAX: of each */
	enum scenario_measure measure;
	bool has_least, has_most;
	double least, most;
	uint64_t at_ns;                      /* of MEASURE_S */
	uint64_t gaps_ns[SCENARIO_GAPS_MAX]; /* of MEASURE_GAPS */
	uint32_t gaps_count;
	uint64_t tolerance_ns;
};

struct scenario {
	char about[256];
	char unmet[256]; /* why an expectation does not hold; "": all do */
	uint64_t seed;
	uint64_t duration_ns;
	bool without;                   /* gateway: off */
	uint64_t reload_ns, restart_ns; /* every so often; 0: never */
	char *policy; /* a path, or a whole policy; NULL: the default */
	uint32_t policy_line;
	struct wire_params host, out, back;
	struct scenario_sender *senders;
	uint32_t senders_count;
	struct scenario_expect *expect;
	uint32_t expect_count;
};

/*
 * `file_name` is for the messages only.  true: *ret_scenario is the caller's
 * to free.  false: `errors` says why.
 */
bool scenario_parse(const char *file_name, const char *text, size_t bytes,
		    struct scenario **ret_scenario,
		    struct policy_errors *errors);
void scenario_free(struct scenario *scenario);

/* Are its senders guarded by this policy?  Adds to `errors` if not. */
bool scenario_suits(const struct scenario *scenario,
		    const struct policy *policy, struct policy_errors *errors);

/* "tcp", "goodput_ratio" */
const char *scenario_kind_name(enum scenario_kind kind);
const char *scenario_measure_name(enum scenario_measure measure);

/* The table of all keys, with range and help of each. */
const struct keys_entry *scenario_keys(void);

#endif
