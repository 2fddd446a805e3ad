/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_HANDLE_H
#define SHAPER_IO_NFT_HANDLE_H

/* What struct nftrules holds, for the files that share it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/shard.h"
#include "shaper/io/nft_bridge.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_expr.h"
#include "shaper/io/nft_rules.h"

struct mnl_socket;
struct nftbatch;
struct nftplan;
struct policy;

/* An address of a host that a MAC binding names, by what stands for it. */
struct nfthandle_bound {
	uint8_t host[16], address[16];
};

struct nftrules {
	struct mnl_socket *socket;
	struct nftbatch *batch;
	struct nftplan *plan;    /* as installed last; NULL: nothing */
	enum nftcompile_way way; /* of that plan */
	bool bridge;             /* as its policy asked for */
	enum nftexpr_queue method;
	enum nftrules_conntrack conntrack;
	struct nftbridge_settings settings; /* changed; to be put back */
	uint32_t refusal_family;            /* of the table with the refusals */
	enum nftrules_conntrack asked;      /* as configured */
	uint8_t host_prefix6;               /* of the policy */
	struct nfthandle_bound *bound;      /* sorted */
	size_t bound_count;
	struct mnl_socket *watch;
	uint64_t others;          /* times that others changed theirs */
	struct mnl_socket *alive; /* NULL: not needed yet; see nft_alive.h */
	struct mnl_socket *log;
	struct nfthandle_log *log_bytes; /* read, not yet taken */
	uint16_t log_group;
	bool log_bound;
	/* Our sockets' addresses: what they change is our own doing. */
	uint32_t ports[SHARDS_MAX + 8];
	size_t ports_count;
	char error[160];
};

/* The watch and the log have parts of their own. */
int nfthandle_open_watch(struct nftrules *rules);
int nfthandle_open_log(struct nftrules *rules);
void nfthandle_close_log(struct nftrules *rules);
/* From now on take what `log` rules of this group bring. */
int nfthandle_bind_log(struct nftrules *rules, uint16_t group);

/* Notes the error text and returns `error`. */
int nfthandle_fail(struct nftrules *rules, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One more netlink socket, known as ours.  NULL: errno says why. */
struct mnl_socket *nfthandle_socket(struct nftrules *rules);

/* What refusals have to know of the policy, sorted; the caller's.  NULL: out of
 * memory. */
struct nfthandle_bound *nfthandle_find_hosts(const struct policy *policy,
					     size_t *ret_count);
/* The addresses that `host` stands for; *ret_count 0: itself alone. */
const struct nfthandle_bound *nfthandle_addresses(const struct nftrules *rules,
						  const uint8_t host[16],
						  size_t *ret_count);

enum nfthandle_change {
	NFTHANDLE_WHOLE,      /* whatever is there; and read back */
	NFTHANDLE_DIFFERENCE, /* from what was installed last, if there is */
};

/* Makes the policy's plan, and of the tables what it says. */
int nfthandle_put(struct nftrules *rules, const struct nftcompile *compile,
		  enum nfthandle_change how);
/* From what is there, read anew, to `next`; NULL: to nothing. */
int nfthandle_change(struct nftrules *rules, const struct nftplan *next);
/* Reads everything back.  -ESTALE: it is not `plan`. */
int nfthandle_verify(struct nftrules *rules, const struct nftplan *plan);

bool nfthandle_is_ours(const struct nftrules *rules, uint32_t port);

#endif
