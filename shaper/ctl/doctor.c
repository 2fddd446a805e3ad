/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/policy.h"
#include "shaper/ctl/client.h"
#include "shaper/ctl/facts.h"
#include "shaper/ctl/reply.h"
#include "shaper/ctl/show.h"
#include "shaper/daemon/answers.h"
#include "shaper/daemon/findings.h"
#include "shaper/daemon/load.h"

enum { LOOKED_AT = 8 }; /* of who is over the threshold */

struct examination {
	struct facts facts;
	struct findings findings;
	struct policy_errors errors;
	struct reply *status, *daemon; /* NULL: it does not answer */
};

/* Does `row` hear, and never send, what `other` sends and never hears? */
static bool is_other_half(const struct json_t *row, const struct json_t *other)
{
	return strcmp(reply_text(row, "scope"), "pair") == 0 &&
	       strcmp(reply_text(row, "outside"),
		      reply_text(other, "outside")) == 0 &&
	       strcmp(reply_text(row, "zone"), reply_text(other, "zone")) !=
		       0 &&
	       reply_number(row, "heard_per_s") > 0 &&
	       reply_number(row, "offered_per_s") == 0;
}

static bool find_other_half(struct examination *examination,
			    struct client *client, const struct json_t *row)
{
	const struct json_t *half = NULL;
	struct reply *told;
	char request[80];
	const char *why;

	snprintf(request, sizeof(request), "explain %.45s",
		 reply_text(row, "inside"));
	told = reply_ask(client, request, &why);
	if (told == NULL)
		return false;
	for (size_t i = 0; i < reply_count(reply_body(told), "rows"); i++) {
		half = reply_item(reply_body(told), "rows", i);
		if (is_other_half(half, row))
			break;
		half = NULL;
	}
	if (half != NULL)
		finding_remedy(
			findings_add(
				&examination->findings, "two-zones",
				FINDING_PROBLEM,
				"%.45s sends to %.45s in the zone %.31s "
				"and hears from it in %.31s: as two hosts, "
				"so it is held, or would be.",
				reply_text(row, "inside"),
				reply_text(row, "outside"),
				reply_text(row, "zone"),
				reply_text(half, "zone")),
			"Where both are the way to the same hosts, make one "
			"zone of them: `zones: {lan: [%.31s, %.31s]}`.",
			reply_text(row, "zone"), reply_text(half, "zone"));
	reply_free(told);
	return half != NULL;
}

/* Packets that come back another way than they went are nobody's answer. */
static void look_for_halves(struct examination *examination,
			    struct client *client)
{
	char request[80];
	const char *why;
	struct reply *top;

	snprintf(request, sizeof(request), "top by=S scope=pair limit=%d",
		 LOOKED_AT);
	top = reply_ask(client, request, &why);
	if (top == NULL)
		return;
	for (size_t i = 0; i < reply_count(reply_body(top), "rows"); i++) {
		const struct json_t *row =
			reply_item(reply_body(top), "rows", i);

		if (reply_is_true(row, "over") &&
		    reply_number(row, "heard_per_s") == 0 &&
		    find_other_half(examination, client, row))
			break;
	}
	reply_free(top);
}

static void ask_daemon(struct examination *examination, const char *path)
{
	struct client client;
	int error = client_open(&client, path);
	const char *why = error < 0 ? strerror(-error) : "";

	if (error == 0) {
		examination->status = reply_ask(&client, "status", &why);
		examination->daemon = reply_ask(&client, "doctor", &why);
		look_for_halves(examination, &client);
	}
	client_close(&client);
	if (examination->status != NULL) {
		facts_want_status(&examination->facts,
				  reply_body(examination->status));
		return;
	}
	finding_remedy(findings_add(&examination->findings, "not-running",
				    FINDING_PROBLEM,
				    "symtapd does not answer at %.100s%s%s.",
				    path, why[0] != '\0' ? ": " : "", why),
		       "`systemctl start symtapd`; `journalctl -u symtapd` "
		       "says why it does not run.  The socket may be for root "
		       "and its group only.");
}

/* The findings point into the answer, which stays. */
static void take_findings(struct examination *examination)
{
	const struct json_t *body;
	size_t count, i;

	if (examination->daemon == NULL)
		return;
	body = reply_body(examination->daemon);
	count = reply_count(body, "findings");
	for (i = 0; i < count; i++) {
		const struct json_t *item = reply_item(body, "findings", i);
		bool warning = strcmp(reply_text(item, "weight"), "warning") ==
			       0;

		finding_remedy(findings_add(&examination->findings,
					    reply_text(item, "id"),
					    warning ? FINDING_WARNING
						    : FINDING_PROBLEM,
					    "%s", reply_text(item, "what")),
			       "%s", reply_text(item, "remedy"));
	}
}

static void read_policy(struct examination *examination, const char *path)
{
	struct policy *policy = NULL;
	int error = load_policy(path, &policy, &examination->errors);

	if (error == 0) {
		facts_want_policy(&examination->facts, policy);
		policy_free(policy);
		return;
	}
	finding_remedy(
		findings_add(&examination->findings, "policy", FINDING_PROBLEM,
			     error == -EINVAL ? "The policy %.100s is not good."
					      : "The policy %.100s cannot be "
						"read.",
			     path),
		"`symtapd -n -c %.100s` says what is wrong.", path);
}

static int tell(const struct findings *findings, bool json)
{
	char *line;

	if (!json) {
		show_findings(findings);
		return 0;
	}
	line = answers_doctor(findings);
	if (line == NULL)
		return -ENOMEM;
	fputs(line, stdout);
	free(line);
	return 0;
}

int doctor(const char *socket_path, const char *policy_path, bool json)
{
	struct examination *examination = calloc(1, sizeof(*examination));
	int result;

	if (examination == NULL)
		return -ENOMEM;
	ask_daemon(examination, socket_path);
	if (examination->status == NULL)
		read_policy(examination, policy_path);
	take_findings(examination);
	facts_read(&examination->facts, "");
	facts_ask_kernel(&examination->facts);
	facts_judge(&examination->facts, &examination->findings);
	result = tell(&examination->findings, json);
	if (result == 0)
		result = (int)examination->findings.count;
	reply_free(examination->status);
	reply_free(examination->daemon);
	free(examination);
	return result;
}
