/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_STATE_H
#define SHAPER_DAEMON_STATE_H

/*
 * What outlives the process, as bytes: counters, exemptions, windows and
 * penalties.  A file that is damaged, or of another version, is refused whole.
 *
 *	"symtapst", version, length, time of day	header
 *	kind, length, bytes				items, in any number;
 *							records behind a guest
 *							are that guest's
 *	SipHash of all that stands before it		against damage, not
 *							against forgery
 *
 * All integers are little-endian.  A reader never reads past its bytes, and
 * what it hands out is within range; that a record makes sense is for
 * pump_import to say.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/zones.h"
#include "shaper/pump.h"

enum {
	STATE_VERSION = 1,
	STATE_BYTES_MAX = 64 << 20,
	STATE_NAME_BYTES = 48,
	STATE_UUID_BYTES = 37, /* as text, with its NUL */
};

/* ------ writing */

struct state_writer {
	uint8_t *bytes;
	size_t used_bytes, size_bytes;
	bool out_of_memory;
	uint64_t left_out; /* items for which STATE_BYTES_MAX had no room */
};

/* `wall_ns` is the time of day: how long we were away is counted from it. */
void state_begin(struct state_writer *writer, uint64_t wall_ns);
void state_fini(struct state_writer *writer);

void state_add_counter(struct state_writer *writer, const char *name,
		       uint64_t value);
void state_add_exemption(struct state_writer *writer, const uint8_t address[16],
			 uint64_t left_ns);
/* A guest that is away, and how long it is remembered. */
void state_add_guest(struct state_writer *writer, const char *uuid,
		     uint64_t left_ns);
/* `zone` is the name of record->key.zone. */
void state_add_record(struct state_writer *writer,
		      const struct pump_record *record, const char *zone);

/* Complete writer->bytes.  0 or -ENOMEM. */
int state_finish(struct state_writer *writer);

/* state_finish, then replace `path` whole or not at all, a crash of the machine
 * included.  0 or -errno. */
int state_save(struct state_writer *writer, const char *path);
/* The same, but for such crashes: does not wait for the disk. */
int state_save_soon(struct state_writer *writer, const char *path);

/* ------ reading */

enum state_kind {
	STATE_COUNTER = 1,
	STATE_EXEMPTION,
	STATE_RECORD,
	STATE_GUEST,
};

struct state_item {
	enum state_kind kind;
	char name[STATE_NAME_BYTES]; /* counter; guest: its uuid */
	uint64_t value;            /* counter; exemption, guest: left, in ns */
	uint8_t address[16];       /* exemption */
	struct pump_record record; /* key.zone is 0 */
	char zone[ZONE_NAME_SIZE];
};

struct state_reader {
	const uint8_t *bytes;
	size_t size_bytes, position;
	uint64_t wall_ns;
};

/*
 * Check all of `bytes`, which the reader borrows.  Returns NULL when it is
 * good, else what is wrong with it.
 */
const char *state_open(struct state_reader *reader, const uint8_t *bytes,
		       size_t size_bytes);

/* false: that was the last. */
bool state_next(struct state_reader *reader, struct state_item *ret_item);

/*
 * The whole file, to be freed by the caller.  0 or -errno; -ENOENT: none;
 * -EFBIG: more than STATE_BYTES_MAX.
 */
int state_load(const char *path, uint8_t **ret_bytes, size_t *ret_size_bytes);

#endif
