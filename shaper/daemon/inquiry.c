/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/inquiry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/asym.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/refused.h"
#include "shaper/io/nfqueue.h"
#include "shaper/pump.h"

/* One step looks at this many places, and copies at most this many rows. */
enum { STEP_PLACES = 512, STEP_ROWS = 32 };

struct inquiry;

/* What the kernel counted of a host's pairs. */
struct leased {
	uint32_t sent_pkts, heard_pkts;
};

/* One engine's share; between post and done it belongs to that engine. */
struct part {
	struct inquiry *inquiry;
	struct snapshot_query query;
	struct snapshot_cursor cursor;
	struct toplist rows;
	struct leased *hosts; /* by snapshot_row.host; NULL: none is leased */
	size_t hosts_count;
	uint8_t host[16]; /* explain: stands for the guarded host asked for */
	bool has_host;    /* ... and is another address than that */
	bool asks_host;   /* the second pass, for `host` */
	uint64_t released_pkts;
	bool refused;
	bool answered;
};

struct inquiry {
	struct request request;
	uint64_t until_ns;
	struct refused refused; /* engines read it meanwhile */
	void (*on_answer)(void *self, uint64_t token,
			  const struct inquiry_answer *answer);
	void *self;
	uint64_t token;
	size_t underway, count;
	struct part parts[];
};

/*
 * A host with a MAC binding, or an IPv6 address, is counted under the address
 * that stands for it.  Which one that is depends on the zone, so that a pair
 * or flow of the address must have been seen first.
 */
static void learn_host(struct part *part, const struct mailbox_engine *engine,
		       const struct snapshot_row *row)
{
	const uint8_t *address = part->query.address;

	if (part->has_host || memcmp(row->key.inside, address, 16) != 0)
		return;
	policy_host_of(engine->policy, address,
		       zones_get(engine->zones, row->key.zone), part->host);
	part->has_host = memcmp(part->host, address, 16) != 0;
}

static void start_host_pass(struct part *part)
{
	part->asks_host = true;
	part->query.scopes = 1u << FLOW_SCOPE_HOST;
	memcpy(part->query.address, part->host, 16);
	if (part->hosts != NULL) {
		/* All addresses of the host count. */
		memset(part->hosts, 0,
		       part->hosts_count * sizeof(*part->hosts));
		part->query.scopes |= 1u << FLOW_SCOPE_PAIR;
		part->query.by_address = false;
	}
	memset(&part->cursor, 0, sizeof(part->cursor));
}

static void add_refused(struct snapshot_row *row, const struct refused *refused)
{
	uint32_t pkts = refused_pkts(refused, &row->key, row->window_ns);

	row->offered_pkts = row->offered_pkts > UINT32_MAX - pkts
				    ? UINT32_MAX
				    : row->offered_pkts + pkts;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void add_counted(struct snapshot_row *row, const struct leased *leased)
{
	row->offered_pkts = sum(row->offered_pkts, leased->sent_pkts);
	row->sent_pkts = sum(row->sent_pkts, leased->sent_pkts);
	row->heard_pkts = sum(row->heard_pkts, leased->heard_pkts);
	row->replies = sum(row->replies, leased->heard_pkts);
	row->over = asym_exceeds(row->sent_pkts, row->replies, row->ratio_q16);
}

/* A pair comes before its host. */
static void add_leased(struct part *part, const struct mailbox_engine *engine,
		       struct snapshot_row *row, uint64_t now_ns)
{
	struct leased leased = { 0 };
	struct leased *host = NULL;

	if (row->host < part->hosts_count)
		host = &part->hosts[row->host];
	if (row->key.scope == FLOW_SCOPE_HOST) {
		if (host != NULL)
			add_counted(row, host);
		return;
	}
	row->leased = row->leased && engine->nfqueue != NULL &&
		      nfqueue_leased(engine->nfqueue, &row->key, now_ns,
				     &leased.sent_pkts, &leased.heard_pkts);
	if (!row->leased)
		return;
	add_counted(row, &leased);
	if (host == NULL || row->key.scope != FLOW_SCOPE_PAIR)
		return;
	host->sent_pkts = sum(host->sent_pkts, leased.sent_pkts);
	host->heard_pkts = sum(host->heard_pkts, leased.heard_pkts);
}

/* What was read of it for another's sake, or was counted nowhere, is not. */
static bool is_asked_for(const struct part *part,
			 const struct snapshot_row *row)
{
	const struct request *request = &part->inquiry->request;

	if (!row->offered_pkts && !row->heard_pkts && !row->held_pkts &&
	    !row->line)
		return false;
	if (request->verb == REQUEST_TOP)
		return row->key.scope == request->scope;
	return !part->asks_host ||
	       (row->key.scope == FLOW_SCOPE_HOST &&
		memcmp(row->key.inside, part->host, 16) == 0);
}

static bool collect_rows(struct part *part, struct mailbox_engine *engine,
			 uint64_t now_ns)
{
	struct snapshot_row rows[STEP_ROWS];
	size_t count, i;

	count = snapshot_rows(engine->pump, &part->query, &part->cursor,
			      STEP_PLACES, rows, STEP_ROWS, now_ns);
	for (i = 0; i < count; i++) {
		add_leased(part, engine, &rows[i], now_ns);
		if (!is_asked_for(part, &rows[i]))
			continue;
		add_refused(&rows[i], &part->inquiry->refused);
		toplist_add(&part->rows, &rows[i],
			    zones_get(engine->zones, rows[i].key.zone)->name);
		if (part->query.by_address && !part->asks_host)
			learn_host(part, engine, &rows[i]);
	}
	if (!part->cursor.ended)
		return false;
	if (part->has_host && !part->asks_host) {
		start_host_pass(part);
		return false;
	}
	return true;
}

static bool part_step(void *self, struct mailbox_engine *engine,
		      uint64_t now_ns)
{
	struct part *part = self;
	const struct request *request = &part->inquiry->request;

	switch (request->verb) {
	case REQUEST_TOP:
	case REQUEST_EXPLAIN:
		return collect_rows(part, engine, now_ns);
	case REQUEST_RELEASE:
		part->released_pkts = pump_release_address(
			engine->pump, request->address, now_ns);
		return true;
	case REQUEST_EXEMPT:
		part->refused =
			!pump_exempt_address(engine->pump, request->address,
					     part->inquiry->until_ns, now_ns);
		return true;
	case REQUEST_STATUS:
	case REQUEST_STATS:
	case REQUEST_RELOAD:
	case REQUEST_DOCTOR:
	case REQUEST_VIFS:
	case REQUEST_EXPORT:
	case REQUEST_IMPORT:
	case REQUEST_VERBS:
		break;
	}
	return true;
}

static void inquiry_free(struct inquiry *inquiry)
{
	size_t i;

	if (inquiry == NULL)
		return;
	for (i = 0; i < inquiry->count; i++) {
		toplist_fini(&inquiry->parts[i].rows);
		free(inquiry->parts[i].hosts);
	}
	free(inquiry);
}

/* The first part's list takes in the others. */
static void answer(struct inquiry *inquiry)
{
	struct inquiry_answer answer = { .request = inquiry->request,
					 .asked = inquiry->count };
	size_t i;

	for (i = 0; i < inquiry->count; i++) {
		struct part *part = &inquiry->parts[i];

		answer.answered += part->answered;
		answer.refused += part->refused;
		answer.released_pkts += part->released_pkts;
		if (i > 0 && part->answered && part->rows.max > 0)
			toplist_merge(&inquiry->parts[0].rows, &part->rows);
	}
	toplist_sort(&inquiry->parts[0].rows);
	answer.rows = inquiry->parts[0].rows;
	inquiry->on_answer(inquiry->self, inquiry->token, &answer);
	inquiry_free(inquiry);
}

static void part_done(void *self, bool ended)
{
	struct part *part = self;

	part->answered = !ended;
	if (--part->inquiry->underway == 0)
		answer(part->inquiry);
}

/* Where there may be leases: what they count, and for whom. */
static bool prepare_leased(struct part *part, size_t hosts)
{
	if (hosts == 0)
		return true;
	part->hosts = calloc(hosts, sizeof(*part->hosts));
	part->hosts_count = part->hosts != NULL ? hosts : 0;
	part->query.leased = true;
	if (part->query.scopes & 1u << FLOW_SCOPE_HOST)
		part->query.scopes |= 1u << FLOW_SCOPE_PAIR;
	return part->hosts != NULL;
}

static bool prepare(struct inquiry *inquiry, size_t leased_hosts)
{
	const struct request *request = &inquiry->request;
	bool top = request->verb == REQUEST_TOP;
	size_t i;

	for (i = 0; i < inquiry->count; i++) {
		struct part *part = &inquiry->parts[i];

		part->inquiry = inquiry;
		if (!top && request->verb != REQUEST_EXPLAIN)
			continue;
		part->query.scopes = top ? (uint8_t)(1u << request->scope)
					 : (1u << FLOW_SCOPES) - 1;
		part->query.by_address = !top;
		memcpy(part->query.address, request->address, 16);
		if (!toplist_init(
			    &part->rows, top ? request->by : REQUEST_BY_HELD,
			    top ? request->limit : INQUIRY_EXPLAIN_ROWS) ||
		    !prepare_leased(part, leased_hosts))
			return false;
	}
	return true;
}

/* An engine that is too busy to take the task is one that did not answer. */
static int post(struct inquiry *inquiry, struct mailbox *const *mailboxes)
{
	size_t i;

	for (i = 0; i < inquiry->count; i++) {
		struct mailbox_task task = { .step = part_step,
					     .done = part_done,
					     .self = &inquiry->parts[i] };

		if (mailbox_post(mailboxes[i], &task) == 0)
			inquiry->underway++;
	}
	return inquiry->underway > 0 ? 0 : -EAGAIN;
}

int inquiry_start(struct mailbox *const *mailboxes, size_t count,
		  const struct request *request, uint64_t until_ns,
		  const struct refused *refused, size_t leased_hosts,
		  void (*on_answer)(void *self, uint64_t token,
				    const struct inquiry_answer *answer),
		  void *self, uint64_t token)
{
	struct inquiry *inquiry;
	int error = -ENOMEM;

	assert(count > 0);
	inquiry = calloc(1, sizeof(*inquiry) + count * sizeof(struct part));
	if (inquiry == NULL)
		return -ENOMEM;
	inquiry->request = *request;
	inquiry->until_ns = until_ns;
	inquiry->refused = *refused;
	inquiry->on_answer = on_answer;
	inquiry->self = self;
	inquiry->token = token;
	inquiry->count = count;
	if (prepare(inquiry, leased_hosts))
		error = post(inquiry, mailboxes);
	if (error < 0)
		inquiry_free(inquiry);
	return error;
}
