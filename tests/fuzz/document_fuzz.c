/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what `state import` reads: refused with one line, or requests
 * that the daemon understands, every one within its ranges. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shaper/ctl/document.h"
#include "shaper/daemon/requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void check_request(const char *line)
{
	struct request_error error;
	struct request request;
	const struct pump_record *record = &request.state.record;

	assert(request_parse(line, strlen(line), &request, &error));
	assert(request.verb == REQUEST_IMPORT);
	assert(record->key.scope < FLOW_SCOPES && record->key.zone == 0);
	assert(record->runs_count >= 1 &&
	       record->runs_count <= PUMP_RECORD_RUNS);
	assert(record->armed_in_ns <= REQUEST_STATE_NS_MAX);
	for (uint32_t i = 0; i < record->runs_count; i++) {
		assert(record->runs[i].age_ns <= REQUEST_STATE_NS_MAX);
		assert(record->runs[i].sent_pkts <= REQUEST_STATE_PKTS_MAX);
		assert(record->runs[i].heard_pkts <= REQUEST_STATE_PKTS_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char wrong[DOCUMENT_WRONG_BYTES] = "";
	struct document *document =
		document_read((const char *)bytes, size_bytes, wrong);

	if (document == NULL) {
		assert(strnlen(wrong, sizeof(wrong)) > 0);
		assert(memchr(wrong, '\0', sizeof(wrong)) != NULL);
		return 0;
	}
	for (size_t i = 0; i < document_count(document); i++)
		check_request(document_request(document, i));
	document_free(document);
	return 0;
}
