/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_PLAN_H
#define SHAPER_IO_NFT_PLAN_H

/*
 * What our tables contain, or are to contain: chains with their rules, sets
 * with their elements, named counters.  Made by the compilers of the policy,
 * or read back from the kernel; the two can be compared.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/nft_expr.h"

struct nftnl_chain;
struct nftnl_set;
struct nftplan;
struct nftplan_table;

#define NFTPLAN_NAME "symtap"
enum { NFTPLAN_TABLES = 5, NFTPLAN_COUNTER = 40 };

/* The families that we have tables in. */
extern const uint32_t NFTPLAN_FAMILIES[NFTPLAN_TABLES];

/* NULL: out of memory */
struct nftplan *nftplan_new(void);
void nftplan_free(struct nftplan *plan);

/* Did memory run out while it was made? */
bool nftplan_is_broken(const struct nftplan *plan);
void nftplan_break(struct nftplan *plan);

/* The table of this family, made on first call. */
struct nftplan_table *nftplan_table(struct nftplan *plan, uint32_t family);
/* Does it see packets of IPv4, or IPv6? */
bool nftplan_sees(const struct nftplan_table *table, bool ipv4);

/* NULL: there is none. */
struct nftplan_table *nftplan_find_table(const struct nftplan *plan,
					 uint32_t family);

struct nftplan_table {
	struct nftplan *plan;
	uint32_t family;
	enum nftexpr_view view; /* of its rules */
	struct nftnl_chain **chains;
	size_t chains_count;
	struct nftnl_set **sets;
	size_t sets_count;
	char (*counters)[NFTPLAN_COUNTER];
	size_t counters_count;
};

void nftplan_base_chain(struct nftplan_table *table, const char *name,
			uint32_t hook, int32_t priority);
void nftplan_chain(struct nftplan_table *table, const char *name);

/* One more rule at the end of a chain that was made before.  `comment` is for
 * who lists the rules; NULL: none. */
struct nftexpr_rule nftplan_rule(struct nftplan_table *table, const char *chain,
				 const char *comment);

/* Its comment; false: it has none. */
bool nftplan_comment(const struct nftnl_rule *rule, char *ret_comment,
		     size_t size);

/* A counter that outlives its rules; made once, however often asked for. */
void nftplan_counter(struct nftplan_table *table, const char *name);

enum nftplan_field {
	NFTPLAN_END,
	NFTPLAN_IPV4,
	NFTPLAN_IPV6,
	NFTPLAN_MAC,
	NFTPLAN_INTERFACE, /* by name */
	NFTPLAN_IFINDEX,
	NFTPLAN_PROTOCOL,
	NFTPLAN_PORT,
	NFTPLAN_ICMP_TYPE,
	NFTPLAN_ICMP6_TYPE,
	NFTPLAN_ETHERTYPE,
	NFTPLAN_NUMBER, /* 4 bytes, host order */
};
enum { NFTPLAN_FIELDS = 6, NFTPLAN_KEY = 64 };

enum nftplan_set_kind {
	NFTPLAN_FIXED,          /* elements come with the policy */
	NFTPLAN_RANGES,         /* the same, and each is a range */
	NFTPLAN_VERDICTS,       /* a map to chains */
	NFTPLAN_RANGE_VERDICTS, /* the same, from ranges */
	NFTPLAN_COUNTERS,       /* a map to named counters */
	NFTPLAN_MACS,           /* a map to MACs */
	NFTPLAN_LEARNT,         /* rules add elements; survives an update */
	NFTPLAN_REFUSALS, /* we add elements, each with its own timeout and
			   * counter; survives an update */
};

struct nftplan_set {
	const char *name;
	enum nftplan_set_kind kind;
	enum nftplan_field fields[NFTPLAN_FIELDS + 1];
	uint32_t size_max;   /* LEARNT, REFUSALS; nftplan_room */
	uint64_t timeout_ms; /* the same; each element may have its own */
};

/* NULL: out of memory */
struct nftnl_set *nftplan_set(struct nftplan_table *table,
			      const struct nftplan_set *set);

/* A size for a set of so many elements, and for some that come later: where the
 * kernel knows one, it finds an element in half the time. */
uint32_t nftplan_room(size_t elements_count);

/* `key` is as the registers hold it; key_end (or NULL) is the last of a range
 * and goes_to (or NULL) the chain of a verdict, or a counter. */
void nftplan_element(struct nftplan_table *table, struct nftnl_set *set,
		     const void *key, const void *key_end, uint32_t key_bytes,
		     const char *goes_to);

/* The same, of a map to MACs. */
void nftplan_element_mac(struct nftplan_table *table, struct nftnl_set *set,
			 const void *key, uint32_t key_bytes,
			 const uint8_t mac[6]);

/* Does it outlive an update? */
bool nftplan_set_is_kept(const struct nftnl_set *set);

/* Takes over what was read from the kernel. */
void nftplan_take_chain(struct nftplan_table *table, struct nftnl_chain *chain);
void nftplan_take_set(struct nftplan_table *table, struct nftnl_set *set);

/* Calls `each` with the rules of a chain, in order, until it returns not 0. */
void nftplan_each_rule(const struct nftplan_table *table, const char *chain,
		       int (*each)(struct nftnl_rule *rule, void *data),
		       void *data);

struct nftnl_chain *nftplan_find_chain(const struct nftplan_table *table,
				       const char *name);
struct nftnl_set *nftplan_find_set(const struct nftplan_table *table,
				   const char *name);
bool nftplan_has_counter(const struct nftplan_table *table, const char *name);

#endif
