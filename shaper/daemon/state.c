/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"

enum {
	HEADER_BYTES = 8 + 4 + 4 + 8 + 8,
	LENGTH_AT = 16,
	CHECK_BYTES = 8,
	ITEM_HEAD_BYTES = 1 + 2,
	KEY_BYTES = sizeof(struct flow_key),
	RUN_BYTES = 8 + 4 + 4,
	RECORD_BYTES = KEY_BYTES + 4 + 8 + 4,
	ITEM_BYTES_MAX = ITEM_HEAD_BYTES + ZONE_NAME_SIZE + RECORD_BYTES +
			 PUMP_RECORD_RUNS * RUN_BYTES,
};

static const char magic[8] = "symtapst";
static const uint8_t check_key[16] = "symtap state";

/* ------ writing */

struct item {
	uint8_t bytes[ITEM_BYTES_MAX];
	size_t used_bytes;
};

static void put_number(struct item *item, uint64_t value, size_t count_bytes)
{
	size_t i;

	assert(item->used_bytes + count_bytes <= sizeof(item->bytes));
	for (i = 0; i < count_bytes; i++)
		item->bytes[item->used_bytes++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct item *item, const void *bytes, size_t count_bytes)
{
	assert(item->used_bytes + count_bytes <= sizeof(item->bytes));
	memcpy(item->bytes + item->used_bytes, bytes, count_bytes);
	item->used_bytes += count_bytes;
}

/* Names are cut to their field and padded with NULs. */
static void put_name(struct item *item, const char *name, size_t field_bytes)
{
	char field[STATE_NAME_BYTES] = { 0 };

	assert(field_bytes <= sizeof(field));
	strncpy(field, name, field_bytes - 1);
	put_bytes(item, field, field_bytes);
}

static void start_item(struct item *item, enum state_kind kind)
{
	item->used_bytes = 0;
	put_number(item, kind, 1);
	put_number(item, 0, 2);
}

static bool grow(struct state_writer *writer, size_t more_bytes)
{
	size_t size_bytes = writer->size_bytes;
	uint8_t *bytes;

	if (writer->used_bytes + more_bytes <= size_bytes)
		return true;
	size_bytes = size_bytes < 4096 ? 4096 : 2 * size_bytes;
	bytes = realloc(writer->bytes, size_bytes);
	if (bytes == NULL) {
		writer->out_of_memory = true;
		return false;
	}
	writer->bytes = bytes;
	writer->size_bytes = size_bytes;
	return true;
}

static void append(struct state_writer *writer, const void *bytes,
		   size_t count_bytes)
{
	if (writer->out_of_memory || !grow(writer, count_bytes))
		return;
	memcpy(writer->bytes + writer->used_bytes, bytes, count_bytes);
	writer->used_bytes += count_bytes;
}

static void end_item(struct state_writer *writer, struct item *item)
{
	size_t length_bytes = item->used_bytes - ITEM_HEAD_BYTES;

	item->bytes[1] = (uint8_t)length_bytes;
	item->bytes[2] = (uint8_t)(length_bytes >> 8);
	if (writer->used_bytes + item->used_bytes + CHECK_BYTES >
	    STATE_BYTES_MAX)
		writer->left_out++;
	else
		append(writer, item->bytes, item->used_bytes);
}

void state_begin(struct state_writer *writer, uint64_t wall_ns)
{
	struct item header = { .used_bytes = 0 };

	memset(writer, 0, sizeof(*writer));
	put_bytes(&header, magic, sizeof(magic));
	put_number(&header, STATE_VERSION, 4);
	put_number(&header, 0, 4);
	put_number(&header, 0, 8); /* its length: known at the end */
	put_number(&header, wall_ns, 8);
	assert(header.used_bytes == HEADER_BYTES);
	append(writer, header.bytes, header.used_bytes);
}

void state_fini(struct state_writer *writer)
{
	free(writer->bytes);
	memset(writer, 0, sizeof(*writer));
}

void state_add_counter(struct state_writer *writer, const char *name,
		       uint64_t value)
{
	struct item item;

	start_item(&item, STATE_COUNTER);
	put_name(&item, name, STATE_NAME_BYTES);
	put_number(&item, value, 8);
	end_item(writer, &item);
}

void state_add_exemption(struct state_writer *writer, const uint8_t address[16],
			 uint64_t left_ns)
{
	struct item item;

	start_item(&item, STATE_EXEMPTION);
	put_bytes(&item, address, 16);
	put_number(&item, left_ns, 8);
	end_item(writer, &item);
}

void state_add_guest(struct state_writer *writer, const char *uuid,
		     uint64_t left_ns)
{
	struct item item;

	start_item(&item, STATE_GUEST);
	put_name(&item, uuid, STATE_UUID_BYTES);
	put_number(&item, left_ns, 8);
	end_item(writer, &item);
}

static void put_key(struct item *item, const struct flow_key *key)
{
	put_bytes(item, key->inside, 16);
	put_bytes(item, key->outside, 16);
	put_number(item, key->inside_port, 2);
	put_number(item, key->outside_port, 2);
	put_number(item, 0, 2); /* the zone goes by its name */
	put_number(item, key->proto, 1);
	put_number(item, key->scope, 1);
}

void state_add_record(struct state_writer *writer,
		      const struct pump_record *record, const char *zone)
{
	struct item item;
	uint32_t i;

	assert(record->runs_count <= PUMP_RECORD_RUNS);
	start_item(&item, STATE_RECORD);
	put_name(&item, zone, ZONE_NAME_SIZE);
	put_key(&item, &record->key);
	put_number(&item, record->releases, 4);
	put_number(&item, record->armed_in_ns, 8);
	put_number(&item, record->runs_count, 4);
	for (i = 0; i < record->runs_count; i++) {
		put_number(&item, record->runs[i].age_ns, 8);
		put_number(&item, record->runs[i].sent_pkts, 4);
		put_number(&item, record->runs[i].heard_pkts, 4);
	}
	end_item(writer, &item);
}

int state_finish(struct state_writer *writer)
{
	uint8_t check[CHECK_BYTES];
	uint64_t length_bytes = writer->used_bytes + CHECK_BYTES;
	uint64_t sum;
	size_t i;

	if (writer->out_of_memory)
		return -ENOMEM;
	for (i = 0; i < 8; i++)
		writer->bytes[LENGTH_AT + i] =
			(uint8_t)(length_bytes >> (8 * i));
	sum = siphash13(check_key, writer->bytes, writer->used_bytes);
	for (i = 0; i < CHECK_BYTES; i++)
		check[i] = (uint8_t)(sum >> (8 * i));
	append(writer, check, sizeof(check));
	return writer->out_of_memory ? -ENOMEM : 0;
}

/* ------ reading */

/* What is left of one item, or of the header. */
struct field {
	const uint8_t *bytes;
	size_t left_bytes;
	bool ran_out;
};

static const uint8_t *take(struct field *field, size_t count_bytes)
{
	const uint8_t *at = field->bytes;

	if (count_bytes > field->left_bytes) {
		field->ran_out = true;
		return NULL;
	}
	field->bytes += count_bytes;
	field->left_bytes -= count_bytes;
	return at;
}

static uint64_t get_number(struct field *field, size_t count_bytes)
{
	const uint8_t *at = take(field, count_bytes);
	uint64_t value = 0;
	size_t i;

	for (i = 0; at != NULL && i < count_bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static void get_bytes(struct field *field, void *ret_bytes, size_t count_bytes)
{
	const uint8_t *at = take(field, count_bytes);

	if (at != NULL)
		memcpy(ret_bytes, at, count_bytes);
}

static void get_name(struct field *field, char *ret_name, size_t field_bytes)
{
	get_bytes(field, ret_name, field_bytes);
	if (!field->ran_out && ret_name[field_bytes - 1] != '\0')
		field->ran_out = true;
}

static void get_record(struct field *field, struct state_item *item)
{
	struct pump_record *record = &item->record;
	uint32_t i;

	get_name(field, item->zone, sizeof(item->zone));
	get_bytes(field, record->key.inside, 16);
	get_bytes(field, record->key.outside, 16);
	record->key.inside_port = (uint16_t)get_number(field, 2);
	record->key.outside_port = (uint16_t)get_number(field, 2);
	get_number(field, 2);
	record->key.proto = (uint8_t)get_number(field, 1);
	record->key.scope = (uint8_t)get_number(field, 1);
	record->releases = (uint32_t)get_number(field, 4);
	record->armed_in_ns = get_number(field, 8);
	record->runs_count = (uint32_t)get_number(field, 4);
	if (record->runs_count > PUMP_RECORD_RUNS ||
	    record->key.scope >= FLOW_SCOPES) {
		field->ran_out = true;
		return;
	}
	for (i = 0; i < record->runs_count; i++) {
		record->runs[i].age_ns = get_number(field, 8);
		record->runs[i].sent_pkts = (uint32_t)get_number(field, 4);
		record->runs[i].heard_pkts = (uint32_t)get_number(field, 4);
	}
}

/* false: an item that is not what its kind and length say. */
static bool get_item(struct field *file, struct state_item *item)
{
	struct field field;

	memset(item, 0, sizeof(*item));
	item->kind = (enum state_kind)get_number(file, 1);
	field.left_bytes = (size_t)get_number(file, 2);
	field.bytes = take(file, field.left_bytes);
	field.ran_out = false;
	if (file->ran_out)
		return false;
	switch (item->kind) {
	case STATE_COUNTER:
		get_name(&field, item->name, sizeof(item->name));
		item->value = get_number(&field, 8);
		break;
	case STATE_EXEMPTION:
		get_bytes(&field, item->address, sizeof(item->address));
		item->value = get_number(&field, 8);
		break;
	case STATE_RECORD:
		get_record(&field, item);
		break;
	case STATE_GUEST:
		get_name(&field, item->name, STATE_UUID_BYTES);
		item->value = get_number(&field, 8);
		break;
	default: /* the kind came from a file */
		return false;
	}
	return !field.ran_out && field.left_bytes == 0;
}

static struct field items_of(const struct state_reader *reader)
{
	return (struct field){
		.bytes = reader->bytes + reader->position,
		.left_bytes =
			reader->size_bytes - CHECK_BYTES - reader->position,
	};
}

static bool items_are_good(const struct state_reader *reader)
{
	struct field file = items_of(reader);
	struct state_item item;

	while (file.left_bytes > 0)
		if (!get_item(&file, &item))
			return false;
	return true;
}

const char *state_open(struct state_reader *reader, const uint8_t *bytes,
		       size_t size_bytes)
{
	struct field header = { .bytes = bytes, .left_bytes = size_bytes };
	struct field check;
	const uint8_t *name;

	memset(reader, 0, sizeof(*reader));
	if (size_bytes < HEADER_BYTES + CHECK_BYTES)
		return "too short";
	name = take(&header, sizeof(magic));
	if (memcmp(name, magic, sizeof(magic)) != 0)
		return "not a state file";
	if (get_number(&header, 4) != STATE_VERSION)
		return "of another version";
	get_number(&header, 4);
	if (get_number(&header, 8) != size_bytes)
		return "cut off, or longer than it was";
	reader->wall_ns = get_number(&header, 8);
	check.bytes = bytes + size_bytes - CHECK_BYTES;
	check.left_bytes = CHECK_BYTES;
	if (get_number(&check, CHECK_BYTES) !=
	    siphash13(check_key, bytes, size_bytes - CHECK_BYTES))
		return "damaged";
	reader->bytes = bytes;
	reader->size_bytes = size_bytes;
	reader->position = HEADER_BYTES;
	return items_are_good(reader) ? NULL : "not well formed";
}

bool state_next(struct state_reader *reader, struct state_item *ret_item)
{
	struct field file = items_of(reader);

	if (file.left_bytes == 0 || !get_item(&file, ret_item))
		return false;
	reader->position = reader->size_bytes - CHECK_BYTES - file.left_bytes;
	return true;
}
