/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/answers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/explain.h"
#include "shaper/daemon/findings.h"
#include "shaper/daemon/inquiry.h"
#include "shaper/daemon/row_json.h"
#include "shaper/daemon/sentences.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/status_json.h"
#include "shaper/daemon/values.h"
#include "shaper/daemon/vif_answers.h"

/* One line; jansson escapes control characters inside of strings. */
static char *line_of(json_t *json)
{
	char *compact = NULL;
	char *line = NULL;
	size_t length_bytes;

	if (json != NULL)
		compact = json_dumps(json,
				     JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(json);
	if (compact == NULL)
		return NULL;
	length_bytes = strlen(compact);
	line = realloc(compact, length_bytes + 2);
	if (line == NULL) {
		free(compact);
		return NULL;
	}
	line[length_bytes] = '\n';
	line[length_bytes + 1] = '\0';
	return line;
}

char *answers_ok(json_t *body)
{
	return line_of(json_pack("{s:o}", "ok", body));
}

char *answers_no(const char *why)
{
	return line_of(json_pack("{s:o}", "no", values_text(why)));
}

char *answers_bad(const char *why)
{
	return line_of(json_pack("{s:o}", "bad", values_text(why)));
}

char *answers_reloaded(const char *summary)
{
	return answers_ok(json_pack("{s:o}", "reloaded", values_text(summary)));
}

char *answers_status(const struct status *status, uint64_t now_ns)
{
	return answers_ok(status_json(status, now_ns));
}

char *answers_stats(const struct status *status)
{
	/* Engines are asked once a second: of what moment these are. */
	return answers_ok(json_pack(
		"{s:o,s:o}", "counters", status_json_counters(status),
		"uptime_s", values_since(status->started_ns, status->now_ns)));
}

char *answers_page(const struct status *status, uint64_t now_ns)
{
	json_t *body = status_json(status, now_ns);

	json_object_set_new(body, "counters", status_json_counters(status));
	return line_of(body);
}

char *answers_vifs(const struct status *status)
{
	if (status->vifs == NULL)
		return answers_no("no vifs are followed: xen.vifs: follow");
	return answers_ok(
		json_pack("{s:o}", "vifs", vif_answers(status->vifs)));
}

char *answers_doctor(const struct findings *findings)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:o,s:o}", "id", finding->id,
				  "weight",
				  finding_weight_name(finding->weight), "what",
				  values_text(finding->what), "remedy",
				  values_text(finding->remedy)));
	}
	return answers_ok(json_pack("{s:o}", "findings", list));
}

static json_t *rows_of(const struct inquiry_answer *answer,
		       enum explain_mode mode, bool explained, uint64_t now_ns)
{
	char says[SENTENCES_BYTES];
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < answer->rows.count; i++) {
		const struct toplist_row *row = &answer->rows.rows[i];
		json_t *json = row_json(row, mode, now_ns);

		if (explained) {
			sentences_row(row, mode, now_ns, says);
			json_object_set_new(json, "says", values_text(says));
			json_object_set_new(json, "replies_needed",
					    values_count(explain_replies_needed(
						    &row->row)));
		}
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *top_body(const struct inquiry_answer *answer,
			const struct status *status, enum explain_mode mode,
			uint64_t now_ns)
{
	return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "mode",
			 status_mode_name(status->policy->mode), "by",
			 request_order_name(answer->request.by), "scope",
			 flow_scope_name(answer->request.scope), "seen",
			 values_count(answer->rows.seen), "held_packets",
			 values_count(status->sums.totals.held_pkts), "rows",
			 rows_of(answer, mode, false, now_ns));
}

static json_t *explain_body(const struct inquiry_answer *answer,
			    enum explain_mode mode, uint64_t now_ns)
{
	char summary[SENTENCES_BYTES];

	sentences_summary(answer->request.address, answer->rows.rows,
			  answer->rows.count, mode, summary);
	return json_pack("{s:o,s:o,s:o,s:o}", "address",
			 values_address(answer->request.address), "says",
			 values_text(summary), "seen",
			 values_count(answer->rows.seen), "rows",
			 rows_of(answer, mode, true, now_ns));
}

static enum explain_mode mode_of(const struct status *status)
{
	if (status->policy->mode == POLICY_SHADOW)
		return EXPLAIN_SHADOW;
	return status->sums.totals.one_sided && !status->policy->force_one_sided
		       ? EXPLAIN_ONE_SIDED
		       : EXPLAIN_ENFORCES;
}

char *answers_inquiry(const struct inquiry_answer *answer,
		      const struct status *status, uint64_t now_ns)
{
	enum explain_mode mode = mode_of(status);
	const struct request *request = &answer->request;

	if (answer->answered < answer->asked)
		return answers_no("an engine is busy or ending; ask again");
	switch (request->verb) {
	case REQUEST_TOP:
		return answers_ok(top_body(answer, status, mode, now_ns));
	case REQUEST_EXPLAIN:
		return answers_ok(explain_body(answer, mode, now_ns));
	case REQUEST_RELEASE:
		return answers_ok(json_pack(
			"{s:o,s:o}", "address",
			values_address(request->address), "released_packets",
			values_count(answer->released_pkts)));
	case REQUEST_EXEMPT:
		if (answer->refused > 0)
			return answers_no("too many exemptions; end one first");
		return answers_ok(json_pack(
			"{s:o,s:o}", "address",
			values_address(request->address), "exempt_for_s",
			values_seconds(request->exempt_ns)));
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
	return answers_no("nothing to ask the engines");
}
