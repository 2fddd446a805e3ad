/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_KEYS_H
#define POLICY_KEYS_H

/*
 * Reads a map into a struct by a table: which keys there are, what they hold,
 * in which range.  Whatever the table does not know is refused.  Any file in
 * YAML is read this way; the table is also the list of keys for the manual.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy_errors;
struct yaml_node;

enum keys_type {
	KEYS_COUNT,       /* whole number, into an unsigned of any width */
	KEYS_OCTAL,       /* the same, written in octal */
	KEYS_TIME,        /* "2ms", into a uint64_t of nanoseconds */
	KEYS_BYTES,       /* "64KiB", into a uint64_t */
	KEYS_COUNT_PER_S, /* "20000/s", as a count */
	KEYS_BYTES_PER_S, /* "100MB/s", into a uint64_t */
	KEYS_LOG2,        /* "2.0", into a uint32_t: 2^value x 65536 */
	KEYS_BOOL,        /* true or false, into a bool */
	KEYS_WORD,        /* one of `words`, into an enum: its place there */
	KEYS_TEXT,        /* into a char[]; no control characters */
	KEYS_MAP,         /* a map of `keys`, into the same struct */
	KEYS_OTHER,       /* whatever `read` makes of it */
};

struct keys_reader {
	struct policy_errors *errors;
	char path[96]; /* of the value being read: "rules[2].match" */
	size_t path_length;
};

/* A table ends with an entry that has no name. */
struct keys_entry {
	const char *name;
	enum keys_type type;
	uint64_t min, max;             /* numbers; both are allowed */
	size_t offset, size;           /* where in the struct; KEYS_FIELD */
	const char *zero_word;         /* "auto": stands for 0 or for "" */
	const char *const *words;      /* KEYS_WORD; ends with NULL */
	const struct keys_entry *keys; /* KEYS_MAP; KEYS_OTHER: of its maps */
	/* KEYS_OTHER: false when an error was added */
	bool (*read)(struct keys_reader *reader, const struct yaml_node *node,
		     void *into);
	bool required;
	const char *help; /* one line, with the default */
};

#define KEYS_FIELD(type, field) \
	.offset = offsetof(type, field), .size = sizeof(((type *)NULL)->field)

/*
 * Read `map` into `into`, in the order of the table.  What is not there stays
 * as it was.  false when an error was added; what could be read was read.
 */
bool keys_read(struct keys_reader *reader, const struct yaml_node *map,
	       const struct keys_entry *entries, void *into);

/*
 * Call `one` for every value of a list, or once for a scalar that stands in
 * its place.  At least one, at most `max`.
 */
bool keys_each(struct keys_reader *reader, const struct yaml_node *node,
	       size_t max,
	       bool (*one)(struct keys_reader *reader,
			   const struct yaml_node *node, void *into),
	       void *into);

/* The text of a scalar; NULL when it is none, or empty: an error was added. */
const char *keys_text(struct keys_reader *reader, const struct yaml_node *node,
		      const char *right);

/* The place of the scalar's text in `words`; false: an error was added. */
bool keys_word(struct keys_reader *reader, const struct yaml_node *node,
	       const char *const *words, size_t *ret_place);

/* What a number may be: "auto, or a whole number from 1 to 64". */
void keys_describe(const struct keys_entry *entry, char *ret_text, size_t size);

/* The path grows by a key or "[index]"; keys_leave takes what they return. */
size_t keys_enter(struct keys_reader *reader, const char *name);
size_t keys_enter_index(struct keys_reader *reader, size_t index);
void keys_leave(struct keys_reader *reader, size_t length);

/* At `node` (NULL: the file), under the path: `wrong` as printf does. */
void keys_error(struct keys_reader *reader, const struct yaml_node *node,
		const char *right, const char *wrong, ...)
	__attribute__((format(printf, 4, 5)));
void keys_warning(struct keys_reader *reader, const struct yaml_node *node,
		  const char *right, const char *wrong, ...)
	__attribute__((format(printf, 4, 5)));
/* At the key of `node`, which is in a map. */
void keys_key_error(struct keys_reader *reader, const struct yaml_node *node,
		    const char *right, const char *wrong, ...)
	__attribute__((format(printf, 4, 5)));

/* At most this much of a hostile text stands in a message: "%.*s". */
enum { KEYS_SHOWN = 48 };

#endif
