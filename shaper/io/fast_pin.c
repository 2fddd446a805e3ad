/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_pin.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"

enum {
	NAME_BYTES = 32,
	PATH_BYTES = 192,
	SLOTS_MAX = 1 << 24,
	/* Whose daemon was killed notices it, and lets go. */
	WAIT_STEPS = 100,
	WAIT_STEP_NS = 20000000,
};

enum map { SLOTS, MEMORY, MAPS };

static const char *const prefixes[MAPS] = { "slots-v", "memory-v" };

__attribute__((format(printf, 2, 3))) static void
say(char ret_text[FASTPIN_TEXT_BYTES], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_text, FASTPIN_TEXT_BYTES, format, arguments);
	va_end(arguments);
}

static void name_of(enum map map, char ret_name[NAME_BYTES])
{
	snprintf(ret_name, NAME_BYTES, "%s%d", prefixes[map], FAST_VERSION);
}

/* Of one that is not in its place yet. */
static void next_name_of(enum map map, char ret_name[NAME_BYTES])
{
	snprintf(ret_name, NAME_BYTES, "next-%s%d", prefixes[map],
		 FAST_VERSION);
}

void fastpin_init(struct fastpin *pin)
{
	pin->folder = -1;
}

/* ------ the folder */

static bool is_ours(int folder, const struct fastpin_owner *owner,
		    const char *path, char ret_text[FASTPIN_TEXT_BYTES])
{
	struct statfs system;
	struct stat found;

	if (fstatfs(folder, &system) < 0 || fstat(folder, &found) < 0 ||
	    system.f_type != BPF_FS_MAGIC) {
		say(ret_text, "%s is not in a BPF file system", path);
		return false;
	}
	if (found.st_uid != geteuid() &&
	    (owner == NULL || found.st_uid != owner->uid)) {
		say(ret_text, "%s is somebody else's", path);
		return false;
	}
	return true;
}

static bool lock(int folder)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_NS };

	for (int i = 0; i < WAIT_STEPS; i++) {
		if (flock(folder, LOCK_EX | LOCK_NB) == 0)
			return true;
		nanosleep(&step, NULL);
	}
	return false;
}

static int open_folder(const char *path, const struct fastpin_owner *owner,
		       char ret_text[FASTPIN_TEXT_BYTES])
{
	bool is_new = mkdir(path, 0700) == 0;
	int folder =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder < 0) {
		say(ret_text, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (!is_ours(folder, owner, path, ret_text)) {
		close(folder);
		if (is_new)
			rmdir(path);
		return -1;
	}
	if (!lock(folder)) {
		say(ret_text, "%s is used by another symtapd", path);
		close(folder);
		return -1;
	}
	if (fchmod(folder, 0700) < 0 ||
	    (owner != NULL && geteuid() == 0 &&
	     fchown(folder, owner->uid, owner->gid) < 0))
		say(ret_text, "%s keeps its owner", path);
	return folder;
}

/* ------ what was left */

static bool is_of_another_version(const char *name)
{
	char own[NAME_BYTES];

	for (int map = 0; map < MAPS; map++) {
		name_of((enum map)map, own);
		if (strncmp(name, prefixes[map], strlen(prefixes[map])) == 0)
			return strcmp(name, own) != 0;
	}
	return false;
}

static void remove_other_versions(int folder, const char *path,
				  char ret_text[FASTPIN_TEXT_BYTES])
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (names == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(names)) != NULL) {
		if (!is_of_another_version(entry->d_name))
			continue;
		say(ret_text,
		    "%.100s/%.32s is of another version: removed unread", path,
		    entry->d_name);
		unlinkat(folder, entry->d_name, 0);
	}
	closedir(names);
}

static bool get_info(int fd, struct bpf_map_info *ret_info)
{
	uint32_t bytes = sizeof(*ret_info);

	memset(ret_info, 0, sizeof(*ret_info));
	return bpf_obj_get_info_by_fd(fd, ret_info, &bytes) == 0;
}

/* But for how many entries, which the policy says. */
static bool are_alike(int left, int own, uint32_t *ret_entries)
{
	struct bpf_map_info was, is;

	if (!get_info(left, &was) || !get_info(own, &is))
		return false;
	*ret_entries = was.max_entries;
	return was.type == is.type && was.key_size == is.key_size &&
	       was.value_size == is.value_size && was.map_flags == is.map_flags;
}

static int open_pin(const char *path, enum map map)
{
	char name[NAME_BYTES], full[PATH_BYTES];

	name_of(map, name);
	snprintf(full, sizeof(full), "%s/%s", path, name);
	return bpf_obj_get(full);
}

static void open_left(const char *path, const struct fast_fds *fds,
		      struct fastpin_left *ret_left,
		      char ret_text[FASTPIN_TEXT_BYTES])
{
	struct fastpin_left left = { open_pin(path, SLOTS),
				     open_pin(path, MEMORY), 0 };
	uint32_t slots = 0, memories = 0;

	if (left.slots >= 0 && left.memory >= 0 &&
	    are_alike(left.slots, fds->slots, &slots) &&
	    are_alike(left.memory, fds->memory, &memories) && slots > 0 &&
	    slots % FAST_ELEMENTS == 0 && slots / FAST_ELEMENTS <= SLOTS_MAX &&
	    memories == 1) {
		left.slots_count = slots / FAST_ELEMENTS;
		*ret_left = left;
		return;
	}
	if (left.slots >= 0 || left.memory >= 0)
		say(ret_text,
		    "what is left in %s is not read: it is not as "
		    "this version makes it",
		    path);
	if (left.slots >= 0)
		close(left.slots);
	if (left.memory >= 0)
		close(left.memory);
}

/* ------ pinning */

static void unpin_next(int folder)
{
	char name[NAME_BYTES];

	for (int map = 0; map < MAPS; map++) {
		next_name_of((enum map)map, name);
		unlinkat(folder, name, 0);
	}
}

static void unpin(int folder)
{
	char name[NAME_BYTES];

	unpin_next(folder);
	for (int map = 0; map < MAPS; map++) {
		name_of((enum map)map, name);
		unlinkat(folder, name, 0);
	}
}

static bool pin_all(const char *path, const struct fast_fds *fds)
{
	const int of[MAPS] = { [SLOTS] = fds->slots, [MEMORY] = fds->memory };
	char name[NAME_BYTES], full[PATH_BYTES];

	for (int map = 0; map < MAPS; map++) {
		next_name_of((enum map)map, name);
		snprintf(full, sizeof(full), "%s/%s", path, name);
		if (bpf_obj_pin(of[map], full) < 0)
			return false;
	}
	return true;
}

void fastpin_take(struct fastpin *pin, const char *folder,
		  const struct fastpin_owner *owner, const struct fast_fds *fds,
		  struct fastpin_left *ret_left,
		  char ret_text[FASTPIN_TEXT_BYTES])
{
	int opened = open_folder(folder, owner, ret_text);

	if (opened < 0)
		return;
	remove_other_versions(opened, folder, ret_text);
	open_left(folder, fds, ret_left, ret_text);
	unpin_next(opened);
	if (!pin_all(folder, fds)) {
		say(ret_text, "%s: %s", folder, strerror(errno));
		unpin(opened);
		close(opened);
		return;
	}
	pin->folder = opened;
	pin->is_next = true;
}

void fastpin_put(struct fastpin *pin)
{
	char next[NAME_BYTES], name[NAME_BYTES];

	if (pin->folder < 0 || !pin->is_next)
		return;
	pin->is_next = false;
	for (int map = 0; map < MAPS; map++) {
		next_name_of((enum map)map, next);
		name_of((enum map)map, name);
		/* Half of it would be read as a whole. */
		if (renameat(pin->folder, next, pin->folder, name) < 0) {
			unpin(pin->folder);
			return;
		}
	}
}

void fastpin_left_close(struct fastpin_left *left)
{
	if (left->slots_count == 0)
		return;
	close(left->slots);
	close(left->memory);
	left->slots_count = 0;
}

void fastpin_remove(struct fastpin *pin)
{
	if (pin->folder < 0)
		return;
	unpin(pin->folder);
	close(pin->folder);
	pin->folder = -1;
}
