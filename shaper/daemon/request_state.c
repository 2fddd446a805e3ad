/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/request_state.h"

#include <stdio.h>
#include <string.h>

#include "policy/address.h"

bool request_state_is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == '-'
			    ? text[i] != '-'
			    : strchr("0123456789abcdef", text[i]) == NULL)
			return false;
	return true;
}

/* A bit for each word of an import that was there. */
enum given {
	GIVEN_UUID = 1 << 0,
	GIVEN_SCOPE = 1 << 1,
	GIVEN_INSIDE = 1 << 2,
	GIVEN_OUTSIDE = 1 << 3,
	GIVEN_PROTO = 1 << 4,
	GIVEN_INSIDE_PORT = 1 << 5,
	GIVEN_OUTSIDE_PORT = 1 << 6,
	GIVEN_ZONE = 1 << 7,
	GIVEN_PENALTY = 1 << 8,
	GIVEN_WAIT = 1 << 9,
	GIVEN_WINDOW = 1 << 10,
	GIVEN_ALWAYS = GIVEN_SCOPE | GIVEN_INSIDE | GIVEN_PENALTY | GIVEN_WAIT |
		       GIVEN_WINDOW,
	GIVEN_PORTS = GIVEN_INSIDE_PORT | GIVEN_OUTSIDE_PORT,
};

/* Digits and nothing else, up to `end`.  NULL: it is none, or above `max`. */
static const char *read_number(const char *text, char end, uint64_t max,
			       uint64_t *ret_number)
{
	uint64_t number = 0;

	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > max)
			return NULL;
	}
	if (*text != end && *text != '\0')
		return NULL;
	*ret_number = number;
	return text;
}

static bool take_number(const char *value, uint64_t max, uint64_t *ret_number)
{
	return read_number(value, '\0', max, ret_number) != NULL;
}

static bool take_address(const char *value, uint8_t ret_address[16])
{
	return address_parse(value, ret_address) == ADDRESS_OK;
}

static bool take_uuid(struct request_state *state, const char *value)
{
	if (!request_state_is_uuid(value))
		return false;
	memcpy(state->uuid, value, sizeof(state->uuid));
	return true;
}

static bool take_scope(struct request_state *state, const char *value)
{
	for (int i = 0; i < FLOW_SCOPES; i++) {
		if (strcmp(value, flow_scope_name((enum flow_scope)i)) != 0)
			continue;
		state->record.key.scope = (uint8_t)i;
		return true;
	}
	return false;
}

static bool take_inside(struct request_state *state, const char *value)
{
	return take_address(value, state->record.key.inside);
}

static bool take_outside(struct request_state *state, const char *value)
{
	return take_address(value, state->record.key.outside);
}

static bool take_proto(struct request_state *state, const char *value)
{
	uint64_t number;

	if (!take_number(value, UINT8_MAX, &number))
		return false;
	state->record.key.proto = (uint8_t)number;
	return true;
}

static bool take_port(const char *value, uint16_t *ret_port)
{
	uint64_t number;

	if (!take_number(value, UINT16_MAX, &number))
		return false;
	*ret_port = (uint16_t)number;
	return true;
}

static bool take_inside_port(struct request_state *state, const char *value)
{
	return take_port(value, &state->record.key.inside_port);
}

static bool take_outside_port(struct request_state *state, const char *value)
{
	return take_port(value, &state->record.key.outside_port);
}

static bool take_zone(struct request_state *state, const char *value)
{
	size_t length = strlen(value);

	if (length == 0 || length >= sizeof(state->zone))
		return false;
	memcpy(state->zone, value, length + 1);
	return true;
}

static bool take_penalty(struct request_state *state, const char *value)
{
	uint64_t number;

	if (!take_number(value, UINT32_MAX, &number))
		return false;
	state->record.releases = (uint32_t)number;
	return true;
}

static bool take_wait(struct request_state *state, const char *value)
{
	return take_number(value, REQUEST_STATE_NS_MAX,
			   &state->record.armed_in_ns);
}

/* "AGE_NS/SENT/HEARD", oldest first. */
static bool take_window(struct request_state *state, const char *value)
{
	struct pump_record *record = &state->record;
	uint64_t age_ns, sent, heard;

	for (;;) {
		if (record->runs_count == PUMP_RECORD_RUNS)
			return false;
		value = read_number(value, '/', REQUEST_STATE_NS_MAX, &age_ns);
		if (value == NULL || *value++ != '/')
			return false;
		value = read_number(value, '/', REQUEST_STATE_PKTS_MAX, &sent);
		if (value == NULL || *value++ != '/')
			return false;
		value = read_number(value, ',', REQUEST_STATE_PKTS_MAX, &heard);
		if (value == NULL)
			return false;
		record->runs[record->runs_count++] = (struct pump_record_run){
			.age_ns = age_ns,
			.sent_pkts = (uint32_t)sent,
			.heard_pkts = (uint32_t)heard,
		};
		if (*value++ == '\0')
			return true;
	}
}

static const struct field {
	const char *name;
	enum given given;
	bool (*take)(struct request_state *state, const char *value);
	const char *wrong;
} fields[] = {
	{ "uuid", GIVEN_UUID, take_uuid, "uuid= is a UUID in small letters" },
	{ "scope", GIVEN_SCOPE, take_scope, "scope= is pair, flow or host" },
	{ "inside", GIVEN_INSIDE, take_inside,
	  "inside= is an IPv4 or IPv6 address" },
	{ "outside", GIVEN_OUTSIDE, take_outside,
	  "outside= is an IPv4 or IPv6 address" },
	{ "proto", GIVEN_PROTO, take_proto, "proto= is 0..255" },
	{ "inside_port", GIVEN_INSIDE_PORT, take_inside_port,
	  "inside_port= is 0..65535" },
	{ "outside_port", GIVEN_OUTSIDE_PORT, take_outside_port,
	  "outside_port= is 0..65535" },
	{ "zone", GIVEN_ZONE, take_zone, "zone= is 1 to 31 characters" },
	{ "penalty", GIVEN_PENALTY, take_penalty, "penalty= is 0..4294967295" },
	{ "wait_ns", GIVEN_WAIT, take_wait, "wait_ns= is 0..60000000000" },
	{ "window", GIVEN_WINDOW, take_window,
	  "window= is 1 to 16 of AGE_NS/SENT/HEARD: at most 60 s, 67108864" },
};

/* NULL: nothing is wrong. */
static const char *take_word(struct request_state *state, const char *word,
			     unsigned int *given)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *field = &fields[i];

		if (strlen(field->name) != length ||
		    memcmp(field->name, word, length) != 0)
			continue;
		if (*given & field->given)
			return "a word is there twice";
		*given |= field->given;
		return field->take(state, equals + 1) ? NULL : field->wrong;
	}
	return "import takes uuid=, scope=, inside= .. window=, see "
	       "symtapctl(8)";
}

/* What a key of its scope has, no less and no more. */
static const char *check(const struct request_state *state, unsigned int given)
{
	if ((given & GIVEN_ALWAYS) != GIVEN_ALWAYS)
		return "import needs scope=, inside=, penalty=, wait_ns= and "
		       "window=";
	switch ((enum flow_scope)state->record.key.scope) {
	case FLOW_SCOPE_HOST:
		if (given & (GIVEN_OUTSIDE | GIVEN_PROTO | GIVEN_PORTS))
			return "a host has no outside=, proto= and ports";
		return NULL;
	case FLOW_SCOPE_PAIR:
		if (given & (GIVEN_PROTO | GIVEN_PORTS))
			return "a pair has no proto= and ports";
		return given & GIVEN_OUTSIDE ? NULL : "a pair has an outside=";
	case FLOW_SCOPE_FLOW:
		if ((given & (GIVEN_OUTSIDE | GIVEN_PROTO | GIVEN_PORTS)) !=
		    (GIVEN_OUTSIDE | GIVEN_PROTO | GIVEN_PORTS))
			return "a flow has outside=, proto= and both ports";
		return NULL;
	case FLOW_SCOPES:
		break;
	}
	return "scope= is pair, flow or host";
}

bool request_state_import(char *const words[], size_t count,
			  struct request_state *state, const char **ret_wrong)
{
	unsigned int given = 0;
	const char *wrong = NULL;

	for (size_t i = 0; i < count && wrong == NULL; i++)
		wrong = take_word(state, words[i], &given);
	if (wrong == NULL)
		wrong = check(state, given);
	if (wrong != NULL)
		*ret_wrong = wrong;
	return wrong == NULL;
}

bool request_state_export(char *const words[], size_t count,
			  struct request_state *state, uint8_t ret_address[16],
			  const char **ret_wrong)
{
	*ret_wrong = "export takes all, uuid=UUID or address=ADDRESS";
	if (count != 1)
		return false;
	if (strcmp(words[0], "all") == 0) {
		state->by = REQUEST_STATE_ALL;
		return true;
	}
	if (strncmp(words[0], "uuid=", 5) == 0) {
		state->by = REQUEST_STATE_UUID;
		*ret_wrong = "uuid= is a UUID in small letters";
		return take_uuid(state, words[0] + 5);
	}
	if (strncmp(words[0], "address=", 8) != 0)
		return false;
	state->by = REQUEST_STATE_ADDRESS;
	*ret_wrong = "address= is an IPv4 or IPv6 address";
	return take_address(words[0] + 8, ret_address);
}
