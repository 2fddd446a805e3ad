/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_BATCH_H
#define SHAPER_IO_NFT_BATCH_H

/*
 * One nftables transaction: messages are collected, sent at once, and take
 * effect all together or not at all.  The buffer grows; nothing is sent before
 * nftbatch_commit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;
struct nftnl_chain;
struct nftnl_rule;
struct nftnl_set;
struct nlmsghdr;

enum { NFTBATCH_NAME = 48 };

struct nftbatch;

struct nftbatch *nftbatch_new(void); /* NULL: out of memory */
void nftbatch_free(struct nftbatch *batch);

/* Forget what was collected; the buffer stays. */
void nftbatch_reset(struct nftbatch *batch);

/*
 * The header of one more message (NFT_MSG_*), to be filled by the caller and
 * then given to nftbatch_end: at most 96 KiB.  `what` names it in errors.
 * NULL: out of memory; the commit will say so.
 */
struct nlmsghdr *nftbatch_begin(struct nftbatch *batch, uint16_t type,
				uint32_t family, uint16_t flags,
				const char *verb, const char *what);
void nftbatch_end(struct nftbatch *batch, const struct nlmsghdr *message);

void nftbatch_table(struct nftbatch *batch, uint16_t type, uint32_t family,
		    const char *table);
void nftbatch_chain(struct nftbatch *batch, uint16_t type,
		    const struct nftnl_chain *chain);
/* NFT_MSG_DELRULE with a rule that has no chain: all rules of its table. */
void nftbatch_rule(struct nftbatch *batch, uint16_t type,
		   struct nftnl_rule *rule);
void nftbatch_set(struct nftbatch *batch, uint16_t type, struct nftnl_set *set);
/* All elements of `set`, in as many messages as that takes. */
void nftbatch_elements(struct nftbatch *batch, uint16_t type,
		       struct nftnl_set *set);
/* A named counter. */
void nftbatch_counter(struct nftbatch *batch, uint16_t type, uint32_t family,
		      const char *table, const char *name);

/*
 * Send and wait for the kernel's word.  0, or the first message's -errno with
 * *ret_what naming it (borrowed until the next call on `batch`).  An empty
 * batch is 0.
 */
int nftbatch_commit(struct nftbatch *batch, struct mnl_socket *socket,
		    const char **ret_what);

#endif
