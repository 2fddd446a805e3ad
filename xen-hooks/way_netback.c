/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/way_netback.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "xen-hooks/netback/frame.h"
#include "xen-hooks/netback/guard.h"
#include "xen-hooks/netback/protocol.h"
#include "xen-hooks/vif_keys.h"

enum {
	KEYS = 1024,              /* of each vif: 270 KB */
	OTHER_PKTS_PER_S = 10000, /* of what S does not hold */
	MAPPED_BITS = 96,
	MESSAGE_BYTES = 4096,
	ANSWER_SECONDS = 2,
};

_Static_assert((int)WAYNETBACK_COUNTERS == (int)GUARD_COUNTERS_COUNT,
	       "the module has as many");
_Static_assert((int)VIFKEYS_ADDRESSES == (int)FRAME_PREFIXES_MOST,
	       "all that a vif may have");
_Static_assert(sizeof(struct frame_prefix) == 17, "as on the wire");

struct waynetback {
	struct mnl_socket *socket;
	uint32_t sequence;
	uint16_t family; /* found last; it changes with the module */
	_Alignas(struct nlmsghdr) uint8_t request[MESSAGE_BYTES];
	_Alignas(struct nlmsghdr) uint8_t answer[8192];
};

int waynetback_open(struct waynetback **ret_way)
{
	const struct timeval wait = { .tv_sec = ANSWER_SECONDS };
	struct waynetback *way = calloc(1, sizeof(*way));
	int error;

	if (way == NULL)
		return -ENOMEM;
	way->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (way->socket == NULL ||
	    mnl_socket_bind(way->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(way->socket), SOL_SOCKET, SO_RCVTIMEO,
		       &wait, sizeof(wait)) < 0) {
		error = -errno;
		waynetback_close(way);
		return error;
	}
	*ret_way = way;
	return 0;
}

void waynetback_close(struct waynetback *way)
{
	if (way == NULL)
		return;
	if (way->socket != NULL)
		mnl_socket_close(way->socket);
	free(way);
}

/* ------ questions */

static struct nlmsghdr *begin(struct waynetback *way, uint16_t family,
			      uint8_t command)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(way->request);
	struct genlmsghdr *generic;

	message->nlmsg_type = family;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = ++way->sequence;
	generic = mnl_nlmsg_put_extra_header(message, sizeof(*generic));
	generic->cmd = command;
	generic->version = NETGUARD_VERSION;
	return message;
}

/* `take` hears of each attribute.  0 or -errno, also the kernel's. */
static int ask(struct waynetback *way, const struct nlmsghdr *message,
	       mnl_cb_t take, void *self)
{
	unsigned int port = mnl_socket_get_portid(way->socket);
	ssize_t got;
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(way->socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		got = mnl_socket_recvfrom(way->socket, way->answer,
					  sizeof(way->answer));
		if (got < 0)
			return -errno;
		more = mnl_cb_run(way->answer, (size_t)got, way->sequence, port,
				  take, self);
		/* What comes too late answers another question. */
		if (more < 0 && errno == ESRCH)
			more = MNL_CB_OK;
	}
	return more < 0 ? -errno : 0;
}

/* ------ the module */

static int note_family(const struct nlattr *attribute, void *self)
{
	struct waynetback *way = self;

	if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
	    mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
		way->family = mnl_attr_get_u16(attribute);
	return MNL_CB_OK;
}

static int take_family(const struct nlmsghdr *message, void *self)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_family,
			      self);
}

static int find_family(struct waynetback *way)
{
	struct nlmsghdr *message = begin(way, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	int error;

	way->family = 0;
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, NETGUARD_FAMILY);
	error = ask(way, message, take_family, way);
	if (error < 0)
		return error;
	return way->family != 0 ? 0 : -ENOENT;
}

const char *waynetback_lacks(struct waynetback *way)
{
	int error = way != NULL ? find_family(way) : -EOPNOTSUPP;

	if (error == 0)
		return NULL;
	if (error == -ENOENT)
		return "netback has no hook of symtap's here (the module "
		       "symtap_netback is not loaded)";
	return "the kernel does not say whether netback has a hook of symtap's";
}

/* ------ one vif */

static int begin_vif(struct waynetback *way, const char *interface,
		     enum netguard_command command,
		     struct nlmsghdr **ret_message)
{
	int error = find_family(way);

	if (error < 0)
		return error;
	*ret_message = begin(way, way->family, (uint8_t)command);
	mnl_attr_put_strz(*ret_message, NETGUARD_INTERFACE, interface);
	return 0;
}

static void put_source(struct nlmsghdr *message,
		       const struct waynetback_settings *settings)
{
	const struct vifkeys *keys = settings->keys;
	struct frame_prefix prefixes[VIFKEYS_ADDRESSES];

	if (keys->has_mac)
		mnl_attr_put(message, NETGUARD_MAC, sizeof(keys->mac),
			     keys->mac);
	if (keys->has_mac && settings->overwrites)
		mnl_attr_put(message, NETGUARD_OVERWRITES, 0, NULL);
	if (keys->addresses_count == 0)
		return;
	for (uint32_t i = 0; i < keys->addresses_count; i++) {
		memcpy(prefixes[i].addr, keys->addresses[i].addr, 16);
		prefixes[i].length_bits = keys->addresses[i].length;
	}
	mnl_attr_put(message, NETGUARD_PREFIXES,
		     keys->addresses_count * sizeof(prefixes[0]), prefixes);
}

static void put_gate(struct nlmsghdr *message, const struct gate_params *gate)
{
	mnl_attr_put_u32(message, NETGUARD_RATIO_Q16, gate->ratio_q16);
	mnl_attr_put_u64(message, NETGUARD_WINDOW_NS, gate->window_ns);
	mnl_attr_put_u64(message, NETGUARD_FIRST_DELAY_NS,
			 gate->first_delay_ns);
	mnl_attr_put_u64(message, NETGUARD_MAX_DELAY_NS, gate->max_delay_ns);
}

int waynetback_set(struct waynetback *way, const char *interface,
		   const struct waynetback_settings *settings)
{
	uint32_t scopes = (settings->holds_pairs ? GUARD_PAIR : 0) |
			  (settings->holds_flows ? GUARD_FLOW : 0);
	struct nlmsghdr *message;
	int error = begin_vif(way, interface, NETGUARD_SET, &message);

	if (error < 0)
		return error;
	put_source(message, settings);
	put_gate(message, &settings->gate);
	mnl_attr_put_u32(message, NETGUARD_SCOPES, scopes);
	mnl_attr_put_u32(message, NETGUARD_SLOTS, settings->slots);
	mnl_attr_put_u32(message, NETGUARD_SLOTS_PER_KEY,
			 settings->slots_per_key);
	mnl_attr_put_u32(message, NETGUARD_OTHER_PKTS_PER_S, OTHER_PKTS_PER_S);
	mnl_attr_put_u32(message, NETGUARD_KEYS, KEYS);
	return ask(way, message, NULL, NULL);
}

int waynetback_unset(struct waynetback *way, const char *interface)
{
	struct nlmsghdr *message;
	int error = begin_vif(way, interface, NETGUARD_UNSET, &message);

	return error < 0 ? error : ask(way, message, NULL, NULL);
}

/* ------ counters */

static int note_counters(const struct nlattr *attribute, void *self)
{
	const size_t bytes = GUARD_COUNTERS_COUNT * sizeof(uint64_t);

	if (mnl_attr_get_type(attribute) == NETGUARD_COUNTERS &&
	    mnl_attr_get_payload_len(attribute) == bytes)
		memcpy(self, mnl_attr_get_payload(attribute), bytes);
	return MNL_CB_OK;
}

static int take_counters(const struct nlmsghdr *message, void *self)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_counters,
			      self);
}

int waynetback_counters(struct waynetback *way, const char *interface,
			uint64_t ret_counters[WAYNETBACK_COUNTERS])
{
	struct nlmsghdr *message;
	int error = begin_vif(way, interface, NETGUARD_GET, &message);

	return error < 0 ? error
			 : ask(way, message, take_counters, ret_counters);
}

uint64_t waynetback_waiting(const uint64_t counters[WAYNETBACK_COUNTERS])
{
	return counters[GUARD_waiting_pkts];
}
