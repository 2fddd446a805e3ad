/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/refusals.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct refusals {
	_Alignas(64) atomic_uint written;
	_Alignas(64) atomic_uint taken;
	int fd;
	struct refusals_entry entries[REFUSALS_MAX];
};

int refusals_new(struct refusals **ret_refusals)
{
	struct refusals *refusals = aligned_alloc(64, sizeof(*refusals));
	int error;

	if (refusals == NULL)
		return -ENOMEM;
	atomic_init(&refusals->written, 0);
	atomic_init(&refusals->taken, 0);
	refusals->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (refusals->fd < 0) {
		error = -errno;
		free(refusals);
		return error;
	}
	*ret_refusals = refusals;
	return 0;
}

void refusals_free(struct refusals *refusals)
{
	if (refusals == NULL)
		return;
	close(refusals->fd);
	free(refusals);
}

bool refusals_push(struct refusals *refusals,
		   const struct refusals_entry *entry)
{
	unsigned int at =
		atomic_load_explicit(&refusals->written, memory_order_relaxed);

	if (at - atomic_load_explicit(&refusals->taken, memory_order_acquire) ==
	    REFUSALS_MAX)
		return false;
	refusals->entries[at % REFUSALS_MAX] = *entry;
	atomic_store_explicit(&refusals->written, at + 1, memory_order_release);
	return true;
}

/* An eventfd that is already readable stays so: nothing to do about errors. */
void refusals_ring(struct refusals *refusals)
{
	uint64_t one = 1;

	if (write(refusals->fd, &one, sizeof(one)) < 0)
		return;
}

int refusals_fd(const struct refusals *refusals)
{
	return refusals->fd;
}

size_t refusals_take(struct refusals *refusals,
		     struct refusals_entry *ret_entries, size_t max)
{
	unsigned int at =
		atomic_load_explicit(&refusals->taken, memory_order_relaxed);
	unsigned int end;
	uint64_t rings;
	size_t count;

	/* Silenced first: what is written from here on rings again. */
	if (read(refusals->fd, &rings, sizeof(rings)) < 0)
		rings = 0;
	end = atomic_load_explicit(&refusals->written, memory_order_acquire);
	for (count = 0; count < max && at != end; count++, at++)
		ret_entries[count] = refusals->entries[at % REFUSALS_MAX];
	atomic_store_explicit(&refusals->taken, at, memory_order_release);
	/* More than asked for: stay readable. */
	if (at != end)
		refusals_ring(refusals);
	return count;
}
