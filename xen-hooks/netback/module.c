// SPDX-License-Identifier: GPL-2.0-or-later
/* symtap_netback: what the daemon says of a vif, checked. */
#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "shaper/floor.h"
#include "xen-hooks/netback/attached.h"
#include "xen-hooks/netback/protocol.h"
#include "xen-hooks/netback/report.h"

enum {
	SLOTS_MOST = 256,
	SCOPES_MOST = GUARD_PAIR | GUARD_FLOW,
	OTHER_MOST_PKTS_PER_S = 1000000,
	CONTACTS_MOST_PER_S = 10000,
	CONNECTIONS_MOST_PER_S = U16_MAX,
	RATE_MOST_PKTS_PER_S = 100000000,
};

#define MS_NS     1000000ull
#define SECOND_NS (1000 * MS_NS)

#define RATE_MOST_BYTES_PER_S 12500000000ull

static const struct nla_policy attributes[NETGUARD_ATTRIBUTES] = {
	[NETGUARD_INTERFACE] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[NETGUARD_MAC] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
	[NETGUARD_OVERWRITES] = { .type = NLA_FLAG },
	[NETGUARD_PREFIXES] = { .type = NLA_BINARY,
				.len = FRAME_PREFIXES_MOST *
				       sizeof(struct frame_prefix) },
	[NETGUARD_RATIO_Q16] = { .type = NLA_U32 },
	[NETGUARD_WINDOW_NS] = { .type = NLA_U64 },
	[NETGUARD_FIRST_DELAY_NS] = { .type = NLA_U64 },
	[NETGUARD_MAX_DELAY_NS] = { .type = NLA_U64 },
	[NETGUARD_SCOPES] = NLA_POLICY_MAX(NLA_U32, SCOPES_MOST),
	[NETGUARD_SLOTS] = NLA_POLICY_MAX(NLA_U32, SLOTS_MOST),
	[NETGUARD_SLOTS_PER_KEY] = NLA_POLICY_MAX(NLA_U32, SLOTS_MOST),
	[NETGUARD_OTHER_PKTS_PER_S] = { .type = NLA_U32 },
	[NETGUARD_KEYS] = { .type = NLA_U32 },
	[NETGUARD_WANTS_CONSENT] = { .type = NLA_FLAG },
	[NETGUARD_FLOOR_PKTS] = NLA_POLICY_MAX(NLA_U32, FLOOR_MAX),
	[NETGUARD_PATIENCE_PKTS] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[NETGUARD_EARNED_PKTS] = NLA_POLICY_MAX(NLA_U32, U8_MAX),
	[NETGUARD_FIRST_CONTACTS_PER_S] =
		NLA_POLICY_MAX(NLA_U32, CONTACTS_MOST_PER_S),
	[NETGUARD_CONNECTIONS_PER_S] = { .type = NLA_U32 },
	[NETGUARD_RATE_PKTS_PER_S] = { .type = NLA_U32 },
	[NETGUARD_RATE_BYTES_PER_S] = { .type = NLA_U64 },
	[NETGUARD_RATE_BURST_NS] = { .type = NLA_U64 },
	[NETGUARD_MODE] = NLA_POLICY_MAX(NLA_U32, GUARD_MODES - 1),
	[NETGUARD_RECORDS] = { .type = NLA_BINARY,
			       .len = NETGUARD_RECORDS_MOST *
				      sizeof(struct guard_record) },
	[NETGUARD_MOST] = { .type = NLA_U32 },
	[NETGUARD_MARK] = { .type = NLA_U32 },
};

static bool is_wanting(struct genl_info *info)
{
	static const u8 needed[] = {
		NETGUARD_RATIO_Q16,
		NETGUARD_WINDOW_NS,
		NETGUARD_FIRST_DELAY_NS,
		NETGUARD_MAX_DELAY_NS,
		NETGUARD_SCOPES,
		NETGUARD_SLOTS,
		NETGUARD_SLOTS_PER_KEY,
		NETGUARD_OTHER_PKTS_PER_S,
		NETGUARD_KEYS,
		NETGUARD_FLOOR_PKTS,
		NETGUARD_PATIENCE_PKTS,
		NETGUARD_EARNED_PKTS,
		NETGUARD_FIRST_CONTACTS_PER_S,
		NETGUARD_CONNECTIONS_PER_S,
		NETGUARD_RATE_PKTS_PER_S,
		NETGUARD_RATE_BYTES_PER_S,
		NETGUARD_RATE_BURST_NS,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (!info->attrs[needed[i]])
			return true;
	return false;
}

/* policy/rate_params.h */
static bool is_sound_rate(const struct rate_params *rate)
{
	return !rate_is_set(rate) ||
	       (rate->pkts_per_s <= RATE_MOST_PKTS_PER_S &&
		rate->bytes_per_s <= RATE_MOST_BYTES_PER_S &&
		rate->burst_ns >= MS_NS && rate->burst_ns <= SECOND_NS);
}

/* The ranges that the core relies on: policy/gate_params.h. */
static bool is_sound(const struct attached_settings *settings)
{
	const struct gate_params *gate = &settings->params.gate;

	return gate->ratio_q16 >= 1 << 16 && gate->ratio_q16 <= 1u << 31 &&
	       gate->window_ns >= 10 * MS_NS &&
	       gate->window_ns <= 60 * SECOND_NS &&
	       gate->first_delay_ns >= 1000 &&
	       gate->first_delay_ns <= SECOND_NS &&
	       gate->max_delay_ns >= gate->first_delay_ns &&
	       gate->max_delay_ns <= 10 * SECOND_NS &&
	       settings->params.other_pkts_per_s <= OTHER_MOST_PKTS_PER_S &&
	       settings->params.connections_per_s <= CONNECTIONS_MOST_PER_S &&
	       is_sound_rate(&settings->params.rate) &&
	       settings->keys >= GUARD_KEYS_LEAST &&
	       settings->keys <= GUARD_KEYS_MOST &&
	       is_power_of_2(settings->keys);
}

static int read_source(struct genl_info *info, struct frame_source *source)
{
	const struct nlattr *mac = info->attrs[NETGUARD_MAC];
	const struct nlattr *prefixes = info->attrs[NETGUARD_PREFIXES];
	unsigned int i;

	source->overwrites = info->attrs[NETGUARD_OVERWRITES];
	source->has_mac = mac;
	if (mac)
		memcpy(source->mac, nla_data(mac), ETH_ALEN);
	if (source->overwrites && !mac)
		return -EINVAL;
	if (!prefixes)
		return 0;
	if (nla_len(prefixes) % sizeof(source->prefixes[0]))
		return -EINVAL;
	source->prefixes_count =
		nla_len(prefixes) / sizeof(source->prefixes[0]);
	memcpy(source->prefixes, nla_data(prefixes), nla_len(prefixes));
	for (i = 0; i < source->prefixes_count; i++)
		if (source->prefixes[i].length_bits > 128)
			return -EINVAL;
	return 0;
}

static void read_consent(struct genl_info *info, struct guard_params *params)
{
	params->wants_consent = info->attrs[NETGUARD_WANTS_CONSENT];
	params->credit = (struct credit_params){
		.floor_pkts = nla_get_u32(info->attrs[NETGUARD_FLOOR_PKTS]),
		.patience_pkts =
			nla_get_u32(info->attrs[NETGUARD_PATIENCE_PKTS]),
		.earned_pkts = nla_get_u32(info->attrs[NETGUARD_EARNED_PKTS]),
	};
}

static void read_paces(struct genl_info *info, struct guard_params *params)
{
	params->first_contacts_per_s =
		nla_get_u32(info->attrs[NETGUARD_FIRST_CONTACTS_PER_S]);
	params->connections_per_s =
		nla_get_u32(info->attrs[NETGUARD_CONNECTIONS_PER_S]);
	params->rate = (struct rate_params){
		.pkts_per_s =
			nla_get_u32(info->attrs[NETGUARD_RATE_PKTS_PER_S]),
		.bytes_per_s =
			nla_get_u64(info->attrs[NETGUARD_RATE_BYTES_PER_S]),
		.burst_ns = nla_get_u64(info->attrs[NETGUARD_RATE_BURST_NS]),
	};
}

static int read_settings(struct genl_info *info,
			 struct attached_settings *settings)
{
	struct guard_params *params = &settings->params;

	if (is_wanting(info))
		return -EINVAL;
	params->gate.ratio_q16 = nla_get_u32(info->attrs[NETGUARD_RATIO_Q16]);
	params->gate.window_ns = nla_get_u64(info->attrs[NETGUARD_WINDOW_NS]);
	params->gate.first_delay_ns =
		nla_get_u64(info->attrs[NETGUARD_FIRST_DELAY_NS]);
	params->gate.max_delay_ns =
		nla_get_u64(info->attrs[NETGUARD_MAX_DELAY_NS]);
	params->scopes = nla_get_u32(info->attrs[NETGUARD_SCOPES]);
	if (info->attrs[NETGUARD_MODE])
		params->mode = nla_get_u32(info->attrs[NETGUARD_MODE]);
	params->slots_per_key =
		nla_get_u32(info->attrs[NETGUARD_SLOTS_PER_KEY]);
	params->other_pkts_per_s =
		nla_get_u32(info->attrs[NETGUARD_OTHER_PKTS_PER_S]);
	read_consent(info, params);
	read_paces(info, params);
	settings->slots = nla_get_u32(info->attrs[NETGUARD_SLOTS]);
	settings->keys = nla_get_u32(info->attrs[NETGUARD_KEYS]);
	if (info->attrs[NETGUARD_MARK])
		settings->mark = nla_get_u32(info->attrs[NETGUARD_MARK]);
	if (!is_sound(settings))
		return -ERANGE;
	return read_source(info, &settings->source);
}

/* Under rtnl_lock(). */
static struct net_device *device_of(struct genl_info *info)
{
	const struct nlattr *name = info->attrs[NETGUARD_INTERFACE];

	return name ? __dev_get_by_name(genl_info_net(info), nla_data(name))
		    : NULL;
}

static int set(struct sk_buff *skb, struct genl_info *info)
{
	struct attached_settings *settings =
		kzalloc(sizeof(*settings), GFP_KERNEL);
	struct net_device *dev;
	int error;

	if (!settings)
		return -ENOMEM;
	error = read_settings(info, settings);
	if (error == 0) {
		rtnl_lock();
		dev = device_of(info);
		error = dev ? attached_set(dev, settings) : -ENODEV;
		rtnl_unlock();
	}
	kfree(settings);
	return error;
}

static int unset(struct sk_buff *skb, struct genl_info *info)
{
	struct net_device *dev;
	int error;

	rtnl_lock();
	dev = device_of(info);
	error = dev ? attached_unset(dev) : -ENODEV;
	rtnl_unlock();
	return error;
}

static const struct genl_small_ops commands[] = {
	{ .cmd = NETGUARD_SET, .flags = GENL_ADMIN_PERM, .doit = set },
	{ .cmd = NETGUARD_UNSET, .flags = GENL_ADMIN_PERM, .doit = unset },
	{ .cmd = NETGUARD_GET,
	  .flags = GENL_ADMIN_PERM,
	  .doit = report_one,
	  .dumpit = report_all },
	{ .cmd = NETGUARD_GET_KEYS,
	  .flags = GENL_ADMIN_PERM,
	  .dumpit = report_keys },
	{ .cmd = NETGUARD_PUT_KEYS,
	  .flags = GENL_ADMIN_PERM,
	  .doit = report_put_keys },
};

static int check_version(const struct genl_ops *ops, struct sk_buff *skb,
			 struct genl_info *info)
{
	if (info->genlhdr->version == NETGUARD_VERSION)
		return 0;
	NL_SET_ERR_MSG(info->extack, "another version of symtap_netback");
	return -EPROTONOSUPPORT;
}

/* What is set is so under rtnl_lock(): nobody waits for another family. */
struct genl_family netguard_family = {
	.name = NETGUARD_FAMILY,
	.version = NETGUARD_VERSION,
	.maxattr = NETGUARD_ATTRIBUTES - 1,
	.policy = attributes,
	.pre_doit = check_version,
	.module = THIS_MODULE,
	.small_ops = commands,
	.n_small_ops = ARRAY_SIZE(commands),
	.resv_start_op = NETGUARD_PUT_KEYS + 1,
	.parallel_ops = true,
};

/* Under rtnl_lock(). */
static int changed(struct notifier_block *self, unsigned long event,
		   void *about)
{
	if (event == NETDEV_UNREGISTER)
		attached_unset(netdev_notifier_info_to_dev(about));
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = changed };

static int __init begin(void)
{
	int error = register_netdevice_notifier(&notifier);

	if (error < 0)
		return error;
	error = genl_register_family(&netguard_family);
	if (error < 0)
		unregister_netdevice_notifier(&notifier);
	return error;
}
module_init(begin);

static void __exit end(void)
{
	genl_unregister_family(&netguard_family);
	unregister_netdevice_notifier(&notifier);
	rtnl_lock();
	attached_unset_all();
	rtnl_unlock();
}
module_exit(end);

MODULE_DESCRIPTION("symtap below a vif: guests wait while they owe replies");
MODULE_LICENSE("GPL");
