/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_post.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shaper/bpf/fast_maps.h"

struct fastpost {
	_Alignas(64) atomic_uint written;
	unsigned int rung; /* the writer's: up to there */
	_Alignas(64) atomic_uint taken;
	int fd;
	struct fast_event events[FASTPOST_EVENTS];
};

int fastpost_new(struct fastpost **ret_post)
{
	struct fastpost *post = aligned_alloc(64, sizeof(*post));
	int error;

	if (post == NULL)
		return -ENOMEM;
	atomic_init(&post->written, 0);
	atomic_init(&post->taken, 0);
	post->rung = 0;
	post->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (post->fd < 0) {
		error = -errno;
		free(post);
		return error;
	}
	*ret_post = post;
	return 0;
}

void fastpost_free(struct fastpost *post)
{
	if (post == NULL)
		return;
	close(post->fd);
	free(post);
}

bool fastpost_put(struct fastpost *post, const struct fast_event *event)
{
	unsigned int at =
		atomic_load_explicit(&post->written, memory_order_relaxed);

	if (at - atomic_load_explicit(&post->taken, memory_order_acquire) ==
	    FASTPOST_EVENTS)
		return false;
	post->events[at % FASTPOST_EVENTS] = *event;
	atomic_store_explicit(&post->written, at + 1, memory_order_release);
	return true;
}

/* An eventfd that is already readable stays so: nothing to do about errors. */
void fastpost_ring(struct fastpost *post)
{
	unsigned int at =
		atomic_load_explicit(&post->written, memory_order_relaxed);
	uint64_t one = 1;

	if (at == post->rung)
		return;
	post->rung = at;
	if (write(post->fd, &one, sizeof(one)) < 0)
		return;
}

int fastpost_fd(const struct fastpost *post)
{
	return post->fd;
}

void fastpost_silence(struct fastpost *post)
{
	uint64_t rings;

	/* Nothing to read: it was silenced before. */
	if (read(post->fd, &rings, sizeof(rings)) < 0)
		return;
}

size_t fastpost_take(struct fastpost *post,
		     void (*on_event)(void *self,
				      const struct fast_event *event),
		     void *self)
{
	unsigned int at =
		atomic_load_explicit(&post->taken, memory_order_relaxed);
	unsigned int end =
		atomic_load_explicit(&post->written, memory_order_acquire);
	size_t count = end - at;

	for (; at != end; at++) {
		on_event(self, &post->events[at % FASTPOST_EVENTS]);
		atomic_store_explicit(&post->taken, at + 1,
				      memory_order_release);
	}
	return count;
}
