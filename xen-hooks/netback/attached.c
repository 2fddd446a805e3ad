// SPDX-License-Identifier: GPL-2.0-or-later
#include "xen-hooks/netback/attached.h"

#include <linux/etherdevice.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "flowtable/flow_fill.h"
#include "flowtable/packet.h"
#include "xen-netback/hook.h"

enum {
	PULL_MOST_BYTES = 1024, /* of headers; the parser wants 600 at most */
	COPY_MOST_BYTES = 256,
};

struct attached {
	struct list_head list;
	struct net_device *dev;
	spinlock_t lock; /* what follows */
	struct frame_source source;
	struct guard guard;
};

static LIST_HEAD(all);

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

static void fill(struct guard_packet *packet, const struct sk_buff *skb,
		 const struct packet_meta *meta, enum flow_direction direction)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	packet->meta = meta;
	flow_fill(meta, direction, meta->vlan[0], &packet->flow);
	packet->pair = packet->flow;
	flow_fill_pair(&packet->pair);
	packet->wire_pkts = max_t(u32, info->gso_segs, 1);
	packet->segment_bytes = info->gso_size ? info->gso_size
					       : evidence_payload_bytes(meta);
	packet->slots = info->destructor_arg ? max_t(u32, info->nr_frags, 1)
					     : 1;
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

static enum xenvif_verdict refuse(struct guard *guard,
				  enum guard_counter counter)
{
	guard->counters[counter]++;
	return XENVIF_DROP;
}

static enum xenvif_verdict judge(struct attached *attached, struct sk_buff *skb,
				 enum frame_class class,
				 const struct packet_meta *meta, u64 *note,
				 u64 *until_ns)
{
	struct guard *guard = &attached->guard;
	struct guard_packet packet;

	switch (class) {
	case FRAME_SHORT:
	case FRAME_UNREAD:
		return refuse(guard, GUARD_unread_pkts);
	case FRAME_FORGED_MAC:
		return refuse(guard, GUARD_forged_mac_pkts);
	case FRAME_FORGED_ADDRESS:
		return refuse(guard, GUARD_forged_address_pkts);
	case FRAME_FORGED_NEIGHBOUR:
		return refuse(guard, GUARD_forged_neighbour_pkts);
	case FRAME_OTHER:
		return guard_allows_other(
			       guard, max_t(u32, skb_shinfo(skb)->gso_segs, 1),
			       ktime_get_ns())
			       ? XENVIF_GO_ON
			       : XENVIF_DROP;
	case FRAME_JUDGED:
		break;
	}
	fill(&packet, skb, meta, FLOW_OUT);
	return verdict_of(
		guard_ask(guard, &packet, note, until_ns, ktime_get_ns()));
}

static enum xenvif_verdict ask(void *self, struct sk_buff *skb, u64 *note,
			       u64 *until_ns)
{
	struct attached *attached = self;
	enum xenvif_verdict verdict;
	struct packet_meta meta;
	enum frame_class class;
	unsigned long flags;
	bool stamp;

	spin_lock_irqsave(&attached->lock, flags);
	class = read_out(attached, skb, &meta, &stamp);
	if (class == FRAME_SHORT) {
		/* What is pulled is private from then on. */
		spin_unlock_irqrestore(&attached->lock, flags);
		if (!pskb_may_pull(skb, min_t(u32, skb->len, PULL_MOST_BYTES)))
			return XENVIF_DROP;
		spin_lock_irqsave(&attached->lock, flags);
		class = read_out(attached, skb, &meta, &stamp);
	}
	verdict = judge(attached, skb, class, &meta, note, until_ns);
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
	verdict = guard_ask_again(&attached->guard, note, round, until_ns,
				  ktime_get_ns());
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

static bool heard(void *self, struct sk_buff *skb)
{
	struct attached *attached = self;
	struct guard_packet packet;
	struct packet_meta meta;
	unsigned long flags;
	bool wakes;

	if (!read_in(skb, &meta))
		return false;
	fill(&packet, skb, &meta, FLOW_IN);
	spin_lock_irqsave(&attached->lock, flags);
	wakes = guard_hear(&attached->guard, &packet, ktime_get_ns());
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
	guard_init(&attached->guard, &settings->params, seed, settings->keys);
	error = xenvif_hook_attach(dev, &ops, attached, settings->slots);
	if (error < 0) {
		kvfree(attached);
		return error;
	}
	list_add(&attached->list, &all);
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
	list_del(&attached->list);
	kvfree(attached);
	return 0;
}

void attached_unset_all(void)
{
	struct attached *attached, *next;

	list_for_each_entry_safe(attached, next, &all, list)
		attached_unset(attached->dev);
}

int attached_counters(const struct net_device *dev,
		      u64 ret_counters[GUARD_COUNTERS_COUNT])
{
	struct attached *attached = find(dev);
	unsigned long flags;

	ASSERT_RTNL();
	if (!attached)
		return -ENODEV;
	spin_lock_irqsave(&attached->lock, flags);
	memcpy(ret_counters, attached->guard.counters,
	       sizeof(attached->guard.counters));
	spin_unlock_irqrestore(&attached->lock, flags);
	return 0;
}
