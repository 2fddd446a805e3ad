/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/feed.h"

#include <pthread.h>
#include <stdlib.h>

enum { CHUNKS = 8 };

struct chunk {
	size_t count;
	uint64_t read_bytes;
	enum capture_status status; /* PACKET: more may come */
	struct frame frames[FEED_FRAMES];
};

struct feed {
	struct capture *capture;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t made_more, used_some;
	size_t made, used; /* chunks, ever */
	const struct chunk *shown;
	bool stops;
	struct chunk chunks[CHUNKS];
};

static void fill(struct capture *capture, struct chunk *chunk)
{
	struct capture_packet packet;

	chunk->count = 0;
	chunk->status = CAPTURE_PACKET;
	while (chunk->count < FEED_FRAMES) {
		chunk->status = capture_next(capture, &packet);
		if (chunk->status != CAPTURE_PACKET)
			break;
		frame_parse(&packet, &chunk->frames[chunk->count++]);
	}
	chunk->read_bytes = capture_read_bytes(capture);
}

/* Where all are full it waits until half of them are empty: to be woken costs
 * more than to fill one. */
static bool wait_for_room(struct feed *feed)
{
	if (feed->made - feed->used == CHUNKS)
		while (feed->made - feed->used > CHUNKS / 2 && !feed->stops)
			pthread_cond_wait(&feed->used_some, &feed->lock);
	return !feed->stops;
}

static void *read_ahead(void *argument)
{
	struct feed *feed = argument;
	struct chunk *chunk;

	pthread_mutex_lock(&feed->lock);
	while (wait_for_room(feed)) {
		chunk = &feed->chunks[feed->made % CHUNKS];
		pthread_mutex_unlock(&feed->lock);
		fill(feed->capture, chunk);
		pthread_mutex_lock(&feed->lock);
		feed->made++;
		pthread_cond_signal(&feed->made_more);
		if (chunk->status != CAPTURE_PACKET)
			break;
	}
	pthread_mutex_unlock(&feed->lock);
	return NULL;
}

struct feed *feed_new(struct capture *capture)
{
	struct feed *feed = malloc(sizeof(*feed));

	if (!feed)
		return NULL;
	feed->capture = capture;
	feed->made = 0;
	feed->used = 0;
	feed->shown = NULL;
	feed->stops = false;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->made_more, NULL);
	pthread_cond_init(&feed->used_some, NULL);
	if (pthread_create(&feed->thread, NULL, read_ahead, feed) == 0)
		return feed;
	pthread_cond_destroy(&feed->used_some);
	pthread_cond_destroy(&feed->made_more);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
	return NULL;
}

void feed_free(struct feed *feed)
{
	if (!feed)
		return;
	pthread_mutex_lock(&feed->lock);
	feed->stops = true;
	pthread_cond_signal(&feed->used_some);
	pthread_mutex_unlock(&feed->lock);
	pthread_join(feed->thread, NULL);
	pthread_cond_destroy(&feed->used_some);
	pthread_cond_destroy(&feed->made_more);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

size_t feed_next(struct feed *feed, const struct frame **ret_frames)
{
	/* The last one stays: it has the end in it. */
	if (feed->shown && feed->shown->status != CAPTURE_PACKET)
		return 0;
	pthread_mutex_lock(&feed->lock);
	if (feed->shown && feed->made - ++feed->used == CHUNKS / 2)
		pthread_cond_signal(&feed->used_some);
	while (feed->made == feed->used)
		pthread_cond_wait(&feed->made_more, &feed->lock);
	feed->shown = &feed->chunks[feed->used % CHUNKS];
	pthread_mutex_unlock(&feed->lock);
	*ret_frames = feed->shown->frames;
	return feed->shown->count;
}

enum capture_status feed_status(const struct feed *feed)
{
	return feed->shown->status;
}

uint64_t feed_read_bytes(const struct feed *feed)
{
	return feed->shown->read_bytes;
}
