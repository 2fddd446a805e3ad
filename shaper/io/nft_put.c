/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A plan becomes the kernel's tables. */
#include <errno.h>

#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_change.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_difference.h"
#include "shaper/io/nft_handle.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_read.h"

/* Somebody may change things between our reading and our writing. */
enum { TRIES_MAX = 5 };

/* Read what is there, and write what is to be there in its place. */
static int change_once(struct nftrules *rules, const struct nftplan *next)
{
	struct nftplan *now;
	const char *what = "";
	int error = nftread_tables(rules->socket, &now);

	if (error)
		return nfthandle_fail(rules, error, "reading tables");
	nftbatch_reset(rules->batch);
	if (next)
		nftchange_build(rules->batch, now, next);
	else
		nftchange_remove(rules->batch, now);
	nftplan_free(now);
	error = nftbatch_commit(rules->batch, rules->socket, &what);
	if (error)
		nfthandle_fail(rules, error, "%s", what);
	return error;
}

int nfthandle_change(struct nftrules *rules, const struct nftplan *next)
{
	int tries;
	int error = 0;

	for (tries = 0; tries < TRIES_MAX; tries++) {
		error = change_once(rules, next);
		if (error != -ENOENT && error != -EEXIST && error != -EBUSY)
			break;
	}
	return error;
}

int nfthandle_verify(struct nftrules *rules, const struct nftplan *plan)
{
	struct nftplan *now;
	char difference[96];
	bool same;
	int error = nftread_tables(rules->socket, &now);

	if (error)
		return nfthandle_fail(rules, error, "reading tables");
	same = nftchange_is_done(now, plan, difference, sizeof(difference));
	nftplan_free(now);
	if (same)
		return 0;
	return nfthandle_fail(rules, -ESTALE, "not as installed: %s",
			      difference);
}

/*
 * Nothing is read: a transaction is carried out as a whole or refused, as it is
 * when somebody has changed what it is about, and the watch tells when somebody
 * changes the rest.
 */
static bool put_difference(struct nftrules *rules, const struct nftplan *next)
{
	const char *what;

	nftbatch_reset(rules->batch);
	return nftdifference_build(rules->batch, rules->plan, next) &&
	       nftbatch_commit(rules->batch, rules->socket, &what) == 0;
}

int nfthandle_put(struct nftrules *rules, const struct nftcompile *compile,
		  enum nfthandle_change how)
{
	struct nftplan *plan = nftcompile_plan(compile);
	bool read_back = false;
	int error = 0;

	if (!plan)
		return nfthandle_fail(rules, -ENOMEM, "compiling the policy");
	if (how == NFTHANDLE_WHOLE || !rules->plan ||
	    !put_difference(rules, plan)) {
		error = nfthandle_change(rules, plan);
		read_back = true;
	}
	if (error) {
		nftplan_free(plan);
		return error;
	}
	/* Also when it cannot be read back: it is what the next differs from.
	 */
	nftplan_free(rules->plan);
	rules->plan = plan;
	return read_back ? nfthandle_verify(rules, plan) : 0;
}
