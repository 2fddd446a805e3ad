// SPDX-License-Identifier: GPL-2.0-or-later
#include "xen-hooks/netback/attached.h"

#include <linux/etherdevice.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tcp.h>

#include "flowtable/flow_fill.h"
#include "flowtable/packet.h"
#include "xen-netback/hook.h"

enum {
	PULL_MOST_BYTES = 1024, /* of headers; the parser wants 600 at most */
	COPY_MOST_BYTES = 256,
	STEPS = 128, /* keys that are read at once, by who keeps others out */
};

/* All of it is written before it is read: no need for the kernel to do so. */
#define UNSET __attribute__((__uninitialized__))

struct attached {
	struct list_head list;
	struct net_device *dev;
	u64 number;      /* the next one has a larger */
	spinlock_t lock; /* what follows */
	struct frame_source source;
	u32 mark;
	struct guard guard;
};

/* Who changes these has rtnl_lock(), too; who has this one alone finds each
 * with its device. */
static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all);
static u64 last_number;
static u64 gone[GUARD_COUNTERS_COUNT];

/* ------ what the guest sends */

/* Its Ethernet header is pulled, and stands before its data. */
static enum frame_class read_out(const struct attached *attached,
				 const struct sk_buff *skb,
				 struct packet_meta *meta, bool *stamp)
{
	return frame_judge(&attached->source, skb_mac_header(skb),
			   skb_headlen(skb) + ETH_HLEN, skb->len + ETH_HLEN,
			   meta, stamp);
}

/* From layer 3 on: the headers of what is many are each packet's. */
static u32 wire_bytes(const struct sk_buff *skb)
{
	if (!skb_is_gso_tcp(skb) || !skb_transport_header_was_set(skb))
		return skb->len;
	return skb->len + (max_t(u32, skb_shinfo(skb)->gso_segs, 1) - 1) *
				  (skb_transport_offset(skb) + tcp_hdrlen(skb));
}

static void describe(struct guard_packet *packet, const struct sk_buff *skb,
		     const struct packet_meta *meta,
		     enum flow_direction direction, u32 slots)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	packet->meta = meta;
	packet->slots = slots;
	flow_fill(meta, direction, meta->vlan[0], &packet->flow);
	packet->pair = packet->flow;
	flow_fill_pair(&packet->pair);
	packet->wire_pkts = max_t(u32, info->gso_segs, 1);
	packet->segment_bytes = info->gso_size ? info->gso_size
					       : evidence_payload_bytes(meta);
	packet->bytes = direction == FLOW_OUT ? wire_bytes(skb) : skb->len;
}

static enum xenvif_verdict verdict_of(enum guard_verdict verdict)
{
	switch (verdict) {
	case GUARD_GO_ON:
		return XENVIF_GO_ON;
	case GUARD_WITHHOLD:
		return XENVIF_WITHHOLD;
	case GUARD_DROP:
		break;
	}
	return XENVIF_DROP;
}

static u32 wire_pkts(const struct sk_buff *skb)
{
	return max_t(u32, skb_shinfo(skb)->gso_segs, 1);
}

static enum xenvif_verdict refuse_frame(struct guard *guard,
					const struct sk_buff *skb,
					enum guard_counter counter)
{
	guard->counters[counter] += wire_pkts(skb);
	return XENVIF_DROP;
}

static enum xenvif_verdict judge(struct attached *attached, struct sk_buff *skb,
				 enum frame_class class,
				 const struct packet_meta *meta,
				 unsigned int slots, u64 *note, u64 *until_ns)
{
	struct guard *guard = &attached->guard;
	struct guard_packet packet UNSET;

	switch (class) {
	case FRAME_SHORT:
	case FRAME_UNREAD:
		return refuse_frame(guard, skb, GUARD_unread_pkts);
	case FRAME_FORGED_MAC:
		return refuse_frame(guard, skb, GUARD_forged_mac_pkts);
	case FRAME_FORGED_ADDRESS:
		return refuse_frame(guard, skb, GUARD_forged_address_pkts);
	case FRAME_FORGED_NEIGHBOUR:
		return refuse_frame(guard, skb, GUARD_forged_neighbour_pkts);
	case FRAME_OTHER:
		return guard_allows_other(guard, wire_pkts(skb), ktime_get_ns())
			       ? XENVIF_GO_ON
			       : XENVIF_DROP;
	case FRAME_JUDGED:
		break;
	}
	/* What the rules have to look at more closely goes on without. */
	if (meta->fragment == PACKET_WHOLE)
		skb->mark |= attached->mark;
	describe(&packet, skb, meta, FLOW_OUT, slots);
	return verdict_of(
		guard_ask(guard, &packet, note, until_ns, ktime_get_ns()));
}

static enum xenvif_verdict ask(void *self, struct sk_buff *skb,
			       unsigned int slots, u64 *note, u64 *until_ns)
{
	struct attached *attached = self;
	enum xenvif_verdict verdict;
	struct packet_meta meta UNSET;
	enum frame_class class;
	unsigned long flags;
	bool stamp, is_pulled;

	spin_lock_irqsave(&attached->lock, flags);
	class = read_out(attached, skb, &meta, &stamp);
	if (class == FRAME_SHORT) {
		/* What is pulled is private from then on. */
		spin_unlock_irqrestore(&attached->lock, flags);
		is_pulled = pskb_may_pull(skb, min_t(u32, skb->len,
						     PULL_MOST_BYTES));
		spin_lock_irqsave(&attached->lock, flags);
		if (is_pulled)
			class = read_out(attached, skb, &meta, &stamp);
	}
	verdict = judge(attached, skb, class, &meta, slots, note, until_ns);
	if (stamp && verdict != XENVIF_DROP) {
		ether_addr_copy(eth_hdr(skb)->h_source, attached->source.mac);
		attached->guard.counters[GUARD_stamped_pkts]++;
	}
	spin_unlock_irqrestore(&attached->lock, flags);
	return verdict;
}

static enum xenvif_verdict ask_again(void *self, struct sk_buff *skb, u64 note,
				     u32 round, u64 *until_ns)
{
	struct attached *attached = self;
	enum guard_verdict verdict;
	unsigned long flags;

	spin_lock_irqsave(&attached->lock, flags);
	verdict = guard_ask_again(&attached->guard, note, wire_bytes(skb),
				  round, until_ns, ktime_get_ns());
	spin_unlock_irqrestore(&attached->lock, flags);
	return verdict_of(verdict);
}

static void let_go(void *self, u64 note)
{
	struct attached *attached = self;
	unsigned long flags;

	spin_lock_irqsave(&attached->lock, flags);
	guard_let_go(&attached->guard, note);
	spin_unlock_irqrestore(&attached->lock, flags);
}

/* ------ what the guest is sent */

/* false: it answers nothing. */
static bool read_in(const struct sk_buff *skb, struct packet_meta *meta)
{
	enum packet_error error = packet_parse_ethernet(
		skb->data, skb_headlen(skb), skb->len, meta);

	if (error == PACKET_TRUNCATED && skb_headlen(skb) < skb->len) {
		u32 bytes = min_t(u32, skb->len, COPY_MOST_BYTES);
		u8 copy[COPY_MOST_BYTES];

		if (skb_copy_bits(skb, 0, copy, bytes) < 0)
			return false;
		packet_parse_ethernet(copy, bytes, skb->len, meta);
	}
	return meta->ethertype != 0 && meta->kind == PACKET_UNICAST;
}

/* Nobody's delay is counted from it. */
static u64 heard_ns(const struct guard *guard)
{
	return guard->span_64ns < FAST_COARSE_SPAN_64NS ? ktime_get_ns()
							: ktime_get_coarse_ns();
}

static bool heard(void *self, struct sk_buff *skb)
{
	struct attached *attached = self;
	struct guard_packet packet UNSET;
	struct packet_meta meta UNSET;
	unsigned long flags;
	bool wakes;

	if (!read_in(skb, &meta))
		return false;
	describe(&packet, skb, &meta, FLOW_IN, 0);
	spin_lock_irqsave(&attached->lock, flags);
	wakes = guard_hear(&attached->guard, &packet,
			   heard_ns(&attached->guard));
	spin_unlock_irqrestore(&attached->lock, flags);
	return wakes;
}

static const struct xenvif_hook_ops ops = {
	.ask = ask,
	.ask_again = ask_again,
	.let_go = let_go,
	.heard = heard,
};

/* ------ vifs */

static void add_up(u64 *sums, const u64 *counters)
{
	u32 i;

	for (i = 0; i < GUARD_COUNTERS_COUNT; i++)
		sums[i] += counters[i];
}

static struct attached *find(const struct net_device *dev)
{
	struct attached *attached;

	list_for_each_entry(attached, &all,
			    list) if (attached->dev == dev) return attached;
	return NULL;
}

static int attach(struct net_device *dev,
		  const struct attached_settings *settings)
{
	size_t bytes =
		offsetof(struct attached, guard) + guard_bytes(settings->keys);
	struct attached *attached = kvzalloc(bytes, GFP_KERNEL);
	u64 seed[2];
	int error;

	if (!attached)
		return -ENOMEM;
	get_random_bytes(seed, sizeof(seed));
	spin_lock_init(&attached->lock);
	attached->dev = dev;
	attached->source = settings->source;
	attached->mark = settings->mark;
	guard_init(&attached->guard, &settings->params, seed, settings->keys);
	error = xenvif_hook_attach(dev, &ops, attached, settings->slots);
	if (error < 0) {
		kvfree(attached);
		return error;
	}
	mutex_lock(&all_lock);
	attached->number = ++last_number;
	list_add_tail(&attached->list, &all);
	mutex_unlock(&all_lock);
	return 0;
}

int attached_set(struct net_device *dev,
		 const struct attached_settings *settings)
{
	struct attached *attached = find(dev);
	unsigned long flags;

	ASSERT_RTNL();
	if (!attached)
		return attach(dev, settings);
	spin_lock_irqsave(&attached->lock, flags);
	attached->source = settings->source;
	attached->mark = settings->mark;
	guard_set(&attached->guard, &settings->params);
	spin_unlock_irqrestore(&attached->lock, flags);
	return xenvif_hook_attach(dev, &ops, attached, settings->slots);
}

int attached_unset(struct net_device *dev)
{
	struct attached *attached = find(dev);

	ASSERT_RTNL();
	if (!attached)
		return -ENODEV;
	xenvif_hook_detach(dev);
	mutex_lock(&all_lock);
	list_del(&attached->list);
	add_up(gone, attached->guard.counters);
	/* What waited went on. */
	gone[GUARD_released_pkts] += gone[GUARD_waiting_pkts];
	gone[GUARD_waiting_pkts] = gone[GUARD_keys] = 0;
	mutex_unlock(&all_lock);
	kvfree(attached);
	return 0;
}

void attached_unset_all(void)
{
	struct attached *attached, *next;

	list_for_each_entry_safe(attached, next, &all, list)
		attached_unset(attached->dev);
}

/* ------ what is told */

/* Under all_lock. */
static struct attached *find_name(const struct net *net, const char *name)
{
	struct attached *attached;

	list_for_each_entry(attached, &all,
			    list) if (net_eq(dev_net(attached->dev), net) &&
				      strcmp(attached->dev->name, name) ==
					      0) return attached;
	return NULL;
}

/* The guard is another's in between: its packets do not wait for a reader. */
static void read_state(struct attached *attached,
		       struct attached_state *ret_state)
{
	struct guard *guard = &attached->guard;
	unsigned long flags;
	u32 position = 0;

	memset(ret_state, 0, sizeof(*ret_state));
	strscpy(ret_state->name, attached->dev->name, IFNAMSIZ);
	do {
		spin_lock_irqsave(&attached->lock, flags);
		guard_state_sum(guard, &position, STEPS, &ret_state->summary,
				ktime_get_ns());
		memcpy(ret_state->counters, guard->counters,
		       sizeof(guard->counters));
		spin_unlock_irqrestore(&attached->lock, flags);
	} while (position != 0);
}

int attached_state(const struct net *net, const char *name,
		   struct attached_state *ret_state)
{
	struct attached *attached;

	mutex_lock(&all_lock);
	attached = find_name(net, name);
	if (attached)
		read_state(attached, ret_state);
	mutex_unlock(&all_lock);
	return attached ? 0 : -ENODEV;
}

bool attached_next(const struct net *net, u64 *number,
		   struct attached_state *ret_state)
{
	struct attached *attached;
	bool found = false;

	mutex_lock(&all_lock);
	list_for_each_entry(attached, &all, list)
	{
		if (attached->number < *number ||
		    !net_eq(dev_net(attached->dev), net))
			continue;
		read_state(attached, ret_state);
		*number = attached->number + 1;
		found = true;
		break;
	}
	mutex_unlock(&all_lock);
	return found;
}

void attached_sum(u64 ret_counters[GUARD_COUNTERS_COUNT])
{
	struct attached *attached;
	unsigned long flags;

	mutex_lock(&all_lock);
	memcpy(ret_counters, gone, sizeof(gone));
	list_for_each_entry(attached, &all, list)
	{
		spin_lock_irqsave(&attached->lock, flags);
		add_up(ret_counters, attached->guard.counters);
		spin_unlock_irqrestore(&attached->lock, flags);
	}
	mutex_unlock(&all_lock);
}

int attached_tell(const struct net *net, const char *name, u32 *position,
		  struct guard_record *ret_records, u32 max, u32 *ret_count)
{
	struct attached *attached;
	unsigned long flags;

	*ret_count = 0;
	mutex_lock(&all_lock);
	attached = find_name(net, name);
	while (attached) {
		spin_lock_irqsave(&attached->lock, flags);
		*ret_count += guard_state_tell(&attached->guard, position,
					       STEPS, ret_records + *ret_count,
					       max - *ret_count,
					       ktime_get_ns());
		spin_unlock_irqrestore(&attached->lock, flags);
		if (*ret_count == max || *position == 0)
			break;
	}
	mutex_unlock(&all_lock);
	return attached ? 0 : -ENODEV;
}

int attached_put(const struct net *net, const char *name,
		 const struct guard_record *records, u32 count)
{
	struct attached *attached;
	unsigned long flags;
	bool took_all = true;
	u32 i;

	mutex_lock(&all_lock);
	attached = find_name(net, name);
	for (i = 0; attached && i < count; i++) {
		spin_lock_irqsave(&attached->lock, flags);
		took_all &= guard_state_put(&attached->guard, &records[i],
					    ktime_get_ns());
		spin_unlock_irqrestore(&attached->lock, flags);
	}
	mutex_unlock(&all_lock);
	if (!attached)
		return -ENODEV;
	return took_all ? 0 : -ENOSPC;
}
