// SPDX-License-Identifier: GPL-2.0-or-later
#include "xen-hooks/netback/report.h"

#include <linux/slab.h>
#include <net/sock.h>

#include "xen-hooks/netback/attached.h"
#include "xen-hooks/netback/protocol.h"

enum {
	NEXT, /* what a dump remembers between its messages */
	TOLD,
	ENDED,
};

/* ------ counters */

static int put_counters(struct sk_buff *skb, const u64 *counters)
{
	return nla_put_64bit(skb, NETGUARD_COUNTERS,
			     GUARD_COUNTERS_COUNT * sizeof(u64), counters,
			     NETGUARD_PADDING);
}

static int put_vif(struct sk_buff *skb, const struct attached_state *state)
{
	if (state->name[0] != '\0' &&
	    (nla_put_string(skb, NETGUARD_INTERFACE, state->name) ||
	     nla_put_64bit(skb, NETGUARD_SUMMARY, sizeof(state->summary),
			   &state->summary, NETGUARD_PADDING)))
		return -EMSGSIZE;
	return put_counters(skb, state->counters);
}

static const char *name_in(struct nlattr **attrs)
{
	return attrs && attrs[NETGUARD_INTERFACE]
		       ? nla_data(attrs[NETGUARD_INTERFACE])
		       : NULL;
}

int report_one(struct sk_buff *skb, struct genl_info *info)
{
	const char *name = name_in(info->attrs);
	struct attached_state state = { 0 };
	struct sk_buff *answer;
	void *header;
	int error = name ? attached_state(genl_info_net(info), name, &state)
			 : -EINVAL;

	if (error < 0)
		return error;
	answer = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!answer)
		return -ENOMEM;
	header = genlmsg_put_reply(answer, info, &netguard_family, 0,
				   NETGUARD_GET);
	if (!header || put_vif(answer, &state)) {
		nlmsg_free(answer);
		return -EMSGSIZE;
	}
	genlmsg_end(answer, header);
	return genlmsg_reply(answer, info);
}

static int report_state(struct sk_buff *skb, struct netlink_callback *cb,
			const struct attached_state *state)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				   cb->nlh->nlmsg_seq, &netguard_family,
				   NLM_F_MULTI, NETGUARD_GET);

	if (!header)
		return -EMSGSIZE;
	if (put_vif(skb, state)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* All together first, under no name, and then each. */
int report_all(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct attached_state state = { 0 };
	u64 next = cb->args[NEXT];

	if (next == 0) {
		attached_sum(state.counters);
		if (report_state(skb, cb, &state))
			return -EMSGSIZE;
		next = cb->args[NEXT] = 1;
	}
	while (attached_next(sock_net(skb->sk), &next, &state)) {
		if (report_state(skb, cb, &state))
			break;
		cb->args[NEXT] = next;
	}
	return skb->len;
}

/* ------ keys */

static int report_records(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct guard_record *records, u32 count)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				   cb->nlh->nlmsg_seq, &netguard_family,
				   NLM_F_MULTI, NETGUARD_GET_KEYS);

	if (!header)
		return -EMSGSIZE;
	if (nla_put_64bit(skb, NETGUARD_RECORDS, count * sizeof(*records),
			  records, NETGUARD_PADDING)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

static u32 wanted(const struct nlattr *most, u32 told)
{
	u32 wanted = most ? nla_get_u32(most) : NETGUARD_KEYS_MOST;

	return min_t(u32, wanted - min(told, wanted), NETGUARD_RECORDS_MOST);
}

/* One message at a time: its records fit into what is left of the smallest
 * buffer that a dump has. */
int report_keys(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_dumpit_info(cb)->attrs;
	const char *name = name_in(attrs);
	u32 position = cb->args[NEXT], count, most;
	struct guard_record *records;
	int error;

	most = wanted(attrs ? attrs[NETGUARD_MOST] : NULL, cb->args[TOLD]);
	if (cb->args[ENDED] || most == 0)
		return 0;
	if (!name)
		return -EINVAL;
	records = kcalloc(most, sizeof(*records), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	error = attached_tell(sock_net(skb->sk), name, &position, records, most,
			      &count);
	if (error == 0 && count > 0)
		error = report_records(skb, cb, records, count);
	kfree(records);
	if (error < 0)
		return error;
	cb->args[NEXT] = position;
	cb->args[TOLD] += count;
	cb->args[ENDED] = position == 0;
	return skb->len;
}

int report_put_keys(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *records = info->attrs[NETGUARD_RECORDS];
	const char *name = name_in(info->attrs);
	struct guard_record *copy;
	int error;

	if (!name || !records || nla_len(records) == 0 ||
	    nla_len(records) % sizeof(*copy))
		return -EINVAL;
	/* Attributes are aligned to four bytes, records to eight. */
	copy = kmemdup(nla_data(records), nla_len(records), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	error = attached_put(genl_info_net(info), name, copy,
			     nla_len(records) / sizeof(*copy));
	kfree(copy);
	return error;
}
