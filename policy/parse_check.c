/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <stdio.h>

#include "policy/address.h"
#include "policy/errors.h"
#include "policy/units.h"
#include "policy/yaml.h"

/* Errors of one value: its node, with the path of its keys entered. */
struct spot {
	struct keys_reader reader;
	const struct yaml_node *node;
};

static struct spot find_spot(const struct keys_reader *reader,
			     const struct draft *draft, const char *map,
			     const char *key)
{
	struct spot spot = { .reader = { .errors = reader->errors } };

	spot.node = yaml_tree_find(yaml_tree_find(draft->root, map), key);
	if (spot.node == NULL)
		spot.node = yaml_tree_find(draft->root, map);
	keys_enter(&spot.reader, map);
	keys_enter(&spot.reader, key);
	return spot;
}

static bool check_share(const struct keys_reader *reader,
			const struct draft *draft, const char *key,
			uint32_t share, const char *whole_key, uint32_t whole)
{
	struct spot spot = find_spot(reader, draft, "limits", key);
	char right[64];

	if (share <= whole)
		return true;
	snprintf(right, sizeof(right), "at most %u", whole);
	keys_error(&spot.reader, spot.node, right,
		   "%u is more than limits.%s, %u", share, whole_key, whole);
	return false;
}

static void warn_share(const struct keys_reader *reader,
		       const struct draft *draft, const char *key,
		       uint32_t share, const char *whole_key, uint32_t whole)
{
	struct spot spot = find_spot(reader, draft, "limits", key);
	char right[64];

	if (whole == 0 || share <= whole)
		return;
	snprintf(right, sizeof(right), "at most %u", whole);
	keys_warning(&spot.reader, spot.node, right,
		     "is never reached: limits.%s, %u, comes first", whole_key,
		     whole);
}

static bool check_limits(const struct keys_reader *reader,
			 const struct draft *draft)
{
	const struct policy_limits *limits = &draft->policy.limits;
	bool good = check_share(reader, draft, "pairs_per_host",
				limits->pairs_per_host, "pairs", limits->pairs);

	good &= check_share(reader, draft, "flows_per_host",
			    limits->flows_per_host, "flows", limits->flows);
	warn_share(reader, draft, "held_packets_per_host",
		   limits->held_packets_per_host, "held_packets",
		   limits->held_packets);
	warn_share(reader, draft, "held_packets_per_key",
		   limits->held_packets_per_key, "held_packets_per_host",
		   limits->held_packets_per_host);
	if (limits->at_bound == POLICY_BOUND_RELEASE) {
		struct spot spot =
			find_spot(reader, draft, "limits", "at_bound");

		keys_warning(&spot.reader, spot.node, "drop",
			     "release lets a flood through once its bound is "
			     "reached");
	}
	return good;
}

static bool check_queues(const struct keys_reader *reader,
			 const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	uint32_t held_pkts = policy->limits.held_packets;
	struct keys_reader at = { .errors = reader->errors };
	const struct yaml_node *node = yaml_tree_find(
		yaml_tree_find(draft->root, "datapath"), "nfqueue");
	uint32_t last = policy->nfqueue.first_queue +
			2u * (policy->nfqueue.queues != 0
				      ? policy->nfqueue.queues
				      : 1u) -
			1;
	bool good = true;

	keys_enter(&at, "datapath.nfqueue");
	if (held_pkts == 0)
		held_pkts = POLICY_HELD_PKTS_MAX;
	if (policy_queue_length(policy) < held_pkts + POLICY_QUEUE_BURST_PKTS) {
		struct spot spot = { .reader = at,
				     .node = yaml_tree_find(node,
							    "queue_length") };
		char right[96];

		keys_enter(&spot.reader, "queue_length");
		snprintf(right, sizeof(right),
			 "auto, at least %u, or a smaller limits.held_packets",
			 held_pkts + POLICY_QUEUE_BURST_PKTS);
		keys_error(&spot.reader, spot.node, right,
			   "cannot hold the %u packets that may wait and a "
			   "burst of %u",
			   held_pkts, (unsigned)POLICY_QUEUE_BURST_PKTS);
		good = false;
	}
	if (last > UINT16_MAX) {
		keys_error(&at, node, "a lower first_queue",
			   "queues go up to 65535, and these to %u", last);
		good = false;
	}
	return good;
}

static bool check_path(const struct keys_reader *reader,
		       const struct draft *draft, const char *map,
		       const char *key, const char *path)
{
	struct spot spot = find_spot(reader, draft, map, key);

	if (path[0] == '/' || path[0] == '\0')
		return true;
	keys_error(&spot.reader, spot.node, "a path that begins with /",
		   "\"%.*s\" would be looked for wherever the daemon is",
		   KEYS_SHOWN, path);
	return false;
}

static bool check_listen(const struct keys_reader *reader,
			 const struct draft *draft)
{
	const char *listen = draft->policy.metrics_listen;
	struct spot spot = find_spot(reader, draft, "metrics", "listen");
	uint8_t addr[16];
	uint16_t port;

	if (listen[0] == '\0')
		return true;
	if (!address_parse_endpoint(listen, addr, &port)) {
		keys_error(&spot.reader, spot.node,
			   "none, or such as 127.0.0.1:9477 or [::1]:9477",
			   "\"%.*s\" is no address and port", KEYS_SHOWN,
			   listen);
		return false;
	}
	if (!address_is_loopback(addr))
		keys_warning(&spot.reader, spot.node,
			     "a loopback address, such as 127.0.0.1:9477",
			     "whoever reaches %s can read who talks to whom",
			     listen);
	return true;
}

static bool check_files(const struct keys_reader *reader,
			const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	bool good = check_path(reader, draft, "control", "socket",
			       policy->control_socket);

	good &= check_path(reader, draft, "state", "file", policy->state_file);
	if (policy->control_mode & 0002) {
		struct spot spot = find_spot(reader, draft, "control", "mode");

		keys_warning(&spot.reader, spot.node, "0660, and a group",
			     "everybody on this machine may release and "
			     "exempt");
	}
	return good;
}

bool draft_check(struct keys_reader *reader, const struct draft *draft)
{
	bool good = check_limits(reader, draft);

	good &= check_queues(reader, draft);
	good &= draft_check_fast(reader, draft);
	good &= draft_check_hold(reader, draft);
	good &= draft_check_xen(reader, draft);
	good &= draft_check_zone_names(reader, draft);
	good &= check_listen(reader, draft);
	good &= check_files(reader, draft);
	if (reader->errors->errors == 0)
		good &= draft_check_antispoof(reader, draft);
	return good;
}
