/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_EXPR_H
#define SHAPER_IO_NFT_EXPR_H

/*
 * The words of a rule.  Each call adds one expression at the end of `rule`.
 * Registers are numbered 0..15, four bytes each; a wider value takes the
 * following ones too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

/* What a rule's chain sees. */
enum nftexpr_view {
	NFTEXPR_PACKETS, /* that are routed, or stay here */
	NFTEXPR_FRAMES,  /* the bridge family */
	NFTEXPR_BRIDGED, /* the inet family, by way of br_netfilter */
};

/* A rule under construction; `failed` is set when memory runs out. */
struct nftexpr_rule {
	struct nftnl_rule *rule;
	bool *failed;
	enum nftexpr_view view;
};

enum nftexpr_base { NFTEXPR_LINK, NFTEXPR_NETWORK, NFTEXPR_TRANSPORT };

/* A field of the packet. */
struct nftexpr_field {
	enum nftexpr_base base;
	uint32_t offset_bytes;
	uint32_t length_bytes;
};

/* Load into a register. `key`: NFT_META_*, NFT_CT_* */
void nftexpr_meta(struct nftexpr_rule rule, uint32_t key, unsigned int reg);
void nftexpr_load(struct nftexpr_rule rule, struct nftexpr_field field,
		  unsigned int reg);
void nftexpr_value(struct nftexpr_rule rule, const void *value,
		   uint32_t length_bytes, unsigned int reg);
void nftexpr_conntrack(struct nftexpr_rule rule, uint32_t key,
		       unsigned int reg);
/* Of the connection's first packet, before translation. */
void nftexpr_original(struct nftexpr_rule rule, uint32_t key, unsigned int reg);
/* Is the destination one of this machine's (an RTN_* type)? */
void nftexpr_destination_type(struct nftexpr_rule rule, unsigned int reg);
/* 2 bytes of the IPv6 fragment header: offset and flags; ends the rule where
 * there is none. */
void nftexpr_fragment6(struct nftexpr_rule rule, unsigned int reg);

void nftexpr_mask(struct nftexpr_rule rule, unsigned int reg, const void *mask,
		  uint32_t length_bytes);
/* Set these bits of the packet's mark. */
void nftexpr_set_mark_bits(struct nftexpr_rule rule, uint32_t bits);
void nftexpr_hash(struct nftexpr_rule rule, unsigned int source,
		  uint32_t length_bytes, uint32_t modulus, uint32_t seed,
		  unsigned int reg);

/* Go on with the rule only if .. */
void nftexpr_equal(struct nftexpr_rule rule, unsigned int reg,
		   const void *value, uint32_t length_bytes);
void nftexpr_unequal(struct nftexpr_rule rule, unsigned int reg,
		     const void *value, uint32_t length_bytes);
/* .. it is less than `value`, both in network order */
void nftexpr_less(struct nftexpr_rule rule, unsigned int reg, const void *value,
		  uint32_t length_bytes);
/* .. `field` begins with so many bits of `prefix`, or does not */
void nftexpr_has_prefix(struct nftexpr_rule rule, struct nftexpr_field field,
			const uint8_t *prefix, unsigned int bits, bool has);
void nftexpr_in_set(struct nftexpr_rule rule, unsigned int reg,
		    const char *set);
void nftexpr_not_in_set(struct nftexpr_rule rule, unsigned int reg,
			const char *set);
/* .. at most so many a second */
void nftexpr_limit(struct nftexpr_rule rule, uint64_t pkts_per_s,
		   uint32_t burst_pkts);

/* Shorter forms of the commonest. */
/* .. is IPv4, or else IPv6 */
void nftexpr_is_ip(struct nftexpr_rule rule, bool ipv4);
void nftexpr_is_protocol(struct nftexpr_rule rule, uint8_t protocol);
void nftexpr_is_interface(struct nftexpr_rule rule, bool in, const char *name);

/* Put an element with the set's timeout; goes on when there was room. */
enum nftexpr_remember {
	NFTEXPR_ADD,     /* leave one that is there alone */
	NFTEXPR_REFRESH, /* its timeout begins anew */
	NFTEXPR_COUNT,   /* and each has a counter */
};
void nftexpr_remember(struct nftexpr_rule rule, unsigned int reg,
		      const char *set, enum nftexpr_remember how);
/* One limit per element: goes on while it is kept and there was room. */
void nftexpr_limit_each(struct nftexpr_rule rule, unsigned int reg,
			const char *set, uint64_t pkts_per_s,
			uint32_t burst_pkts);

/* What to do. */
void nftexpr_count(struct nftexpr_rule rule, const char *counter);
/* In the counter that the map `set` has for it, if any. */
void nftexpr_count_by(struct nftexpr_rule rule, unsigned int reg,
		      const char *set);
void nftexpr_accept(struct nftexpr_rule rule);
void nftexpr_drop(struct nftexpr_rule rule);
void nftexpr_return(struct nftexpr_rule rule);
void nftexpr_jump(struct nftexpr_rule rule, const char *chain);
void nftexpr_goto(struct nftexpr_rule rule, const char *chain);
/* What the map `set` has for `reg`, into register `value`; ends the rule where
 * it has nothing. */
void nftexpr_value_of(struct nftexpr_rule rule, unsigned int reg,
		      const char *set, unsigned int value);
/* Write a register into the packet; no checksum knows. */
void nftexpr_store(struct nftexpr_rule rule, unsigned int reg,
		   struct nftexpr_field field);
/* Wherever the map `set` says. */
void nftexpr_verdict_of(struct nftexpr_rule rule, unsigned int reg,
			const char *set);
void nftexpr_log(struct nftexpr_rule rule, uint16_t group, const char *prefix,
		 uint32_t captured_bytes);

/* nft's own expression, or the one that comes from iptables. */
enum nftexpr_queue { NFTEXPR_QUEUE_NATIVE, NFTEXPR_QUEUE_TARGET };
void nftexpr_queue(struct nftexpr_rule rule, enum nftexpr_queue method,
		   uint16_t number, bool bypass);

#endif
