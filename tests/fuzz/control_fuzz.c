/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a line of the control socket: understood within its ranges, or
 * refused with one printable line. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shaper/daemon/requests.h"

#define NS_PER_S 1000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void check_request(const struct request *request)
{
	assert(request->verb < REQUEST_VERBS);
	if (request->verb == REQUEST_TOP) {
		assert(request->by <= REQUEST_BY_HELD);
		assert(request->scope < FLOW_SCOPES);
		assert(request->limit >= 1 &&
		       request->limit <= REQUEST_ROWS_MAX);
	}
	if (request->verb == REQUEST_IMPORT) {
		const struct pump_record *record = &request->state.record;

		assert(record->key.scope < FLOW_SCOPES);
		assert(record->key.zone == 0);
		assert(record->runs_count >= 1 &&
		       record->runs_count <= PUMP_RECORD_RUNS);
		assert(record->armed_in_ns <= REQUEST_STATE_NS_MAX);
	}
	assert(request->exempt_ns == 0 || request->verb == REQUEST_EXEMPT);
	assert(request->exempt_ns % NS_PER_S == 0);
	assert(request->exempt_ns <= 30ull * 24 * 3600 * NS_PER_S);
}

static void check_error(const struct request_error *error)
{
	size_t length = strnlen(error->text, sizeof(error->text));

	assert(length > 0 && length < sizeof(error->text));
	for (size_t i = 0; i < length; i++)
		assert(error->text[i] >= 0x20 && error->text[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct request_error error;
	struct request request;

	if (request_parse((const char *)bytes, size_bytes, &request, &error))
		check_request(&request);
	else
		check_error(&error);
	return 0;
}
