/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct crew {
	void (*piece)(void *self, size_t at);
	void *self;
	size_t count;
	atomic_size_t next;
};

static void *work(void *argument)
{
	struct crew *crew = argument;
	size_t at;

	while ((at = atomic_fetch_add(&crew->next, 1)) < crew->count)
		crew->piece(crew->self, at);
	return NULL;
}

void crew_do(size_t count, size_t threads, void (*piece)(void *self, size_t at),
	     void *self)
{
	struct crew crew = { .piece = piece, .self = self, .count = count };
	pthread_t others[CREW_THREADS_MAX];
	size_t started = 0;

	if (threads == 0) {
		long processors = sysconf(_SC_NPROCESSORS_ONLN);

		threads = processors > 1 ? (size_t)processors : 1;
	}
	if (threads > CREW_THREADS_MAX)
		threads = CREW_THREADS_MAX;
	while (started + 1 < threads && started + 1 < count &&
	       pthread_create(&others[started], NULL, work, &crew) == 0)
		started++;
	work(&crew);
	while (started > 0)
		pthread_join(others[--started], NULL);
}
