/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/way_netback.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "xen-hooks/netback/frame.h"
#include "xen-hooks/netback/guard.h"
#include "xen-hooks/vif_keys.h"
#include "xen-hooks/way_netback_wire.h"

enum {
	KEYS = 2048,              /* of each vif: 960 KB */
	OTHER_PKTS_PER_S = 10000, /* of what S does not hold */
	MAPPED_BITS = 96,
	MESSAGE_BYTES = 4096,
	ANSWER_SECONDS = 2,
};

_Static_assert((int)VIFKEYS_ADDRESSES == (int)FRAME_PREFIXES_MOST,
	       "all that a vif may have");
_Static_assert(sizeof(struct frame_prefix) == 17, "as on the wire");

struct waynetback {
	struct mnl_socket *socket;
	uint32_t sequence;
	uint16_t family;  /* found last; it changes with the module */
	uint32_t version; /* which it speaks */
	ino_t module;     /* of then; 0: it was not found */
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

/* What comes too late answers another question. */
static bool is_answer(const struct waynetback *way, size_t bytes)
{
	const struct nlmsghdr *message = (const void *)way->answer;

	return mnl_nlmsg_ok(message, (int)bytes) &&
	       message->nlmsg_seq == way->sequence &&
	       mnl_nlmsg_portid_ok(message, mnl_socket_get_portid(way->socket));
}

int waynetback_ask(struct waynetback *way, const struct nlmsghdr *message,
		   int (*take)(const struct nlmsghdr *message, void *self),
		   void *self)
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
		if (is_answer(way, (size_t)got))
			more = mnl_cb_run(way->answer, (size_t)got,
					  way->sequence, port, take, self);
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
	if (mnl_attr_get_type(attribute) == CTRL_ATTR_VERSION &&
	    mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0)
		way->version = mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

static int take_family(const struct nlmsghdr *message, void *self)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_family,
			      self);
}

static int ask_for_family(struct waynetback *way)
{
	struct nlmsghdr *message = begin(way, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	int error;

	way->family = 0;
	way->version = 0;
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, NETGUARD_FAMILY);
	error = waynetback_ask(way, message, take_family, way);
	if (error < 0)
		return error;
	return way->family != 0 ? 0 : -ENOENT;
}

/* Asked for a family that it does not know, the kernel runs modprobe, and this
 * is asked every second; a module that is loaded again is another file. */
static int find_family(struct waynetback *way)
{
	ino_t before = way->module;
	struct stat module;
	int error;

	way->module = 0;
	if (stat("/sys/module/symtap_netback", &module) < 0)
		return -ENOENT;
	if (module.st_ino != before) {
		error = ask_for_family(way);
		if (error < 0)
			return error;
	}
	way->module = module.st_ino;
	return way->version == NETGUARD_VERSION ? 0 : -EPROTONOSUPPORT;
}

const char *waynetback_lacks(struct waynetback *way)
{
	int error = way != NULL ? find_family(way) : -EOPNOTSUPP;

	if (error == 0)
		return NULL;
	if (error == -ENOENT)
		return "netback has no hook of symtap's here (the module "
		       "symtap_netback is not loaded)";
	if (error == -EPROTONOSUPPORT)
		return "the module symtap_netback that is loaded is of another "
		       "version: build both anew from the same source";
	return "the kernel does not say whether netback has a hook of symtap's";
}

/* ------ one vif */

int waynetback_begin(struct waynetback *way, const char *interface,
		     enum netguard_command command,
		     struct nlmsghdr **ret_message)
{
	int error = find_family(way);

	if (error < 0)
		return error;
	*ret_message = begin(way, way->family, (uint8_t)command);
	if (interface != NULL)
		mnl_attr_put_strz(*ret_message, NETGUARD_INTERFACE, interface);
	return 0;
}

int waynetback_begin_dump(struct waynetback *way, const char *interface,
			  enum netguard_command command,
			  struct nlmsghdr **ret_message)
{
	int error = waynetback_begin(way, interface, command, ret_message);

	if (error == 0)
		(*ret_message)->nlmsg_flags |= NLM_F_DUMP;
	return error;
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

static void put_consent(struct nlmsghdr *message,
			const struct waynetback_settings *settings)
{
	const struct credit_params *credit = &settings->credit;

	if (settings->wants_consent)
		mnl_attr_put(message, NETGUARD_WANTS_CONSENT, 0, NULL);
	mnl_attr_put_u32(message, NETGUARD_FLOOR_PKTS, credit->floor_pkts);
	mnl_attr_put_u32(message, NETGUARD_PATIENCE_PKTS,
			 credit->patience_pkts);
	mnl_attr_put_u32(message, NETGUARD_EARNED_PKTS, credit->earned_pkts);
}

static void put_paces(struct nlmsghdr *message,
		      const struct waynetback_settings *settings)
{
	const struct rate_params *rate = &settings->rate;

	mnl_attr_put_u32(message, NETGUARD_FIRST_CONTACTS_PER_S,
			 settings->first_contacts_per_s);
	mnl_attr_put_u32(message, NETGUARD_CONNECTIONS_PER_S,
			 settings->connections_per_s);
	mnl_attr_put_u32(message, NETGUARD_RATE_PKTS_PER_S, rate->pkts_per_s);
	mnl_attr_put_u64(message, NETGUARD_RATE_BYTES_PER_S, rate->bytes_per_s);
	mnl_attr_put_u64(message, NETGUARD_RATE_BURST_NS, rate->burst_ns);
}

int waynetback_set(struct waynetback *way, const char *interface,
		   const struct waynetback_settings *settings)
{
	uint32_t scopes = (settings->holds_pairs ? GUARD_PAIR : 0) |
			  (settings->holds_flows ? GUARD_FLOW : 0);
	struct nlmsghdr *message;
	int error = waynetback_begin(way, interface, NETGUARD_SET, &message);

	if (error < 0)
		return error;
	put_source(message, settings);
	put_gate(message, &settings->gate);
	put_consent(message, settings);
	put_paces(message, settings);
	mnl_attr_put_u32(message, NETGUARD_SCOPES, scopes);
	mnl_attr_put_u32(message, NETGUARD_MODE,
			 settings->observes ? GUARD_OBSERVE : GUARD_INTERPOSE);
	mnl_attr_put_u32(message, NETGUARD_SLOTS, settings->slots);
	mnl_attr_put_u32(message, NETGUARD_SLOTS_PER_KEY,
			 settings->slots_per_key);
	mnl_attr_put_u32(message, NETGUARD_OTHER_PKTS_PER_S, OTHER_PKTS_PER_S);
	mnl_attr_put_u32(message, NETGUARD_KEYS, KEYS);
	mnl_attr_put_u32(message, NETGUARD_MARK, settings->mark);
	return waynetback_ask(way, message, NULL, NULL);
}

static int ask_of(struct waynetback *way, const char *interface,
		  enum netguard_command command)
{
	struct nlmsghdr *message;
	int error = waynetback_begin(way, interface, command, &message);

	return error < 0 ? error : waynetback_ask(way, message, NULL, NULL);
}

int waynetback_look(struct waynetback *way, const char *interface)
{
	return ask_of(way, interface, NETGUARD_GET);
}

int waynetback_unset(struct waynetback *way, const char *interface)
{
	return ask_of(way, interface, NETGUARD_UNSET);
}
