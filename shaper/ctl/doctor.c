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

struct examination {
	struct facts facts;
	struct findings findings;
	struct policy_errors errors;
	struct reply *status, *daemon; /* NULL: it does not answer */
};

static void ask_daemon(struct examination *examination, const char *path)
{
	struct client client;
	int error = client_open(&client, path);
	const char *why = error < 0 ? strerror(-error) : "";

	if (error == 0) {
		examination->status = reply_ask(&client, "status", &why);
		examination->daemon = reply_ask(&client, "doctor", &why);
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
