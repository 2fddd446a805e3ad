/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shaper/daemon/answers.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/metrics_text.h"
#include "shaper/daemon/status.h"
#include "shaper/io/clock.h"

/*
 * evhttp tells nobody when a connection ends.  It lets us make its bufferevent,
 * though, and when it frees that, its callbacks and their argument are taken
 * away: we keep a reference and look.
 */
struct connection {
	struct bufferevent *bev; /* NULL: this place is free */
	uint64_t since_ns;
};

struct metrics {
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *tick;
	const struct status *status;
	void (*on_read)(void *self);
	void *self;
	struct connection connections[METRICS_CONNECTIONS_MAX];
};

#define CONNECTION_NS (METRICS_CONNECTION_S * 1000000000ull)

static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return address->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* At the same place for both families. */
static bool has_port(const struct sockaddr_storage *address)
{
	return ((const struct sockaddr_in *)address)->sin_port != 0;
}

static bool has_ended(struct bufferevent *bev)
{
	void *owner;

	bufferevent_getcb(bev, NULL, NULL, NULL, &owner);
	return owner == NULL;
}

/* Let go of those that ended, and end those that are too old: evhttp sees
 * their end of file. */
static size_t sweep(struct metrics *metrics, uint64_t now_ns)
{
	size_t used = 0;
	size_t i;

	for (i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
		struct connection *connection = &metrics->connections[i];

		if (connection->bev == NULL)
			continue;
		if (has_ended(connection->bev)) {
			bufferevent_decref(connection->bev);
			connection->bev = NULL;
			continue;
		}
		used++;
		if (now_ns - connection->since_ns > CONNECTION_NS)
			shutdown(bufferevent_getfd(connection->bev), SHUT_RDWR);
	}
	return used;
}

/* As long as there are any. */
static void plan_sweep(struct metrics *metrics)
{
	static const struct timeval soon = { .tv_usec = 250000 };

	if (!evtimer_pending(metrics->tick, NULL))
		evtimer_add(metrics->tick, &soon);
}

static void on_tick(evutil_socket_t fd, short what, void *self)
{
	struct metrics *metrics = self;
	size_t used = sweep(metrics, clock_now_ns());

	(void)fd;
	(void)what;
	if (used < METRICS_CONNECTIONS_MAX)
		evconnlistener_enable(metrics->listener);
	if (used > 0)
		plan_sweep(metrics);
}

/* For each accepted connection.  NULL: evhttp makes one that is not counted,
 * and has its own time-out at least. */
static struct bufferevent *make_bufferevent(struct event_base *base, void *self)
{
	struct metrics *metrics = self;
	uint64_t now_ns = clock_now_ns();
	struct connection *place = metrics->connections;

	if (sweep(metrics, now_ns) >= METRICS_CONNECTIONS_MAX - 1)
		evconnlistener_disable(metrics->listener);
	while (place->bev != NULL)
		if (++place == metrics->connections + METRICS_CONNECTIONS_MAX)
			return NULL;
	place->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (place->bev == NULL)
		return NULL;
	place->since_ns = now_ns;
	bufferevent_incref(place->bev);
	plan_sweep(metrics);
	return place->bev;
}

static void reply(struct evhttp_request *request, const char *type, char *text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();

	if (text == NULL || body == NULL ||
	    evbuffer_add(body, text, strlen(text)) < 0) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	} else {
		evhttp_add_header(headers, "Content-Type", type);
		evhttp_add_header(headers, "Cache-Control", "no-store");
		evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
		evhttp_send_reply(request, HTTP_OK, "OK", body);
	}
	if (body != NULL)
		evbuffer_free(body);
	free(text);
}

static void serve_metrics(struct evhttp_request *request, void *self)
{
	struct metrics *metrics = self;

	metrics->on_read(metrics->self);
	reply(request, "text/plain; version=0.0.4; charset=utf-8",
	      metrics_text(metrics->status, clock_now_ns()));
}

static void serve_status(struct evhttp_request *request, void *self)
{
	struct metrics *metrics = self;

	metrics->on_read(metrics->self);
	reply(request, "application/json",
	      answers_page(metrics->status, clock_now_ns()));
}

static void serve_nothing(struct evhttp_request *request, void *self)
{
	(void)self;
	evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

/* Out of descriptors, most likely: the loop must not spin on a backlog that
 * it cannot take. */
static void accept_failed(struct evconnlistener *listener, void *self)
{
	static struct log_limit limit = { .subject = "metrics",
					  .burst_lines = 1,
					  .lines_per_min = 1 };

	(void)self; /* evhttp's */
	log_limited(&limit, LOG_LEVEL_WARN, errno, "metrics: cannot accept");
	evconnlistener_disable(listener);
}

static void configure(struct metrics *metrics)
{
	struct evhttp *http = metrics->http;

	evhttp_set_bevcb(http, make_bufferevent, metrics);
	evhttp_set_timeout(http, METRICS_IDLE_S);
	evhttp_set_max_headers_size(http, METRICS_HEADERS_BYTES);
	evhttp_set_max_body_size(http, 0);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(http, "/metrics", serve_metrics, metrics);
	evhttp_set_cb(http, "/status.json", serve_status, metrics);
	evhttp_set_gencb(http, serve_nothing, NULL);
}

static int open_listener(struct metrics *metrics, struct event_base *base,
			 const struct sockaddr *address, int size_bytes)
{
	metrics->listener = evconnlistener_new_bind(
		base, NULL, NULL,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
			LEV_OPT_REUSEABLE,
		METRICS_CONNECTIONS_MAX, address, size_bytes);
	if (metrics->listener == NULL)
		return errno != 0 ? -errno : -ENOMEM;
	return 0;
}

int metrics_new(struct event_base *base, const char *listen,
		const struct status *status, void (*on_read)(void *self),
		void *self, struct metrics **ret_metrics)
{
	struct sockaddr_storage address = { 0 };
	int size_bytes = sizeof(address);
	struct metrics *metrics;
	int error;

	if (evutil_parse_sockaddr_port(listen, (struct sockaddr *)&address,
				       &size_bytes) < 0 ||
	    !has_port(&address))
		return -EINVAL;
	if (!is_loopback(&address))
		log_warn(0,
			 "metrics: whoever reaches %s can read who talks to "
			 "whom",
			 listen);
	metrics = calloc(1, sizeof(*metrics));
	if (metrics == NULL)
		return -ENOMEM;
	metrics->status = status;
	metrics->on_read = on_read;
	metrics->self = self;
	error = open_listener(metrics, base, (struct sockaddr *)&address,
			      size_bytes);
	if (error < 0)
		goto fail;
	error = -ENOMEM;
	metrics->tick = evtimer_new(base, on_tick, metrics);
	if (metrics->tick == NULL)
		goto fail_listener;
	metrics->http = evhttp_new(base);
	if (metrics->http == NULL)
		goto fail_listener;
	configure(metrics);
	if (evhttp_bind_listener(metrics->http, metrics->listener) == NULL)
		goto fail_http;
	evconnlistener_set_error_cb(metrics->listener, accept_failed);
	*ret_metrics = metrics;
	return 0;
fail_http:
	evhttp_free(metrics->http);
fail_listener:
	if (metrics->tick != NULL)
		event_free(metrics->tick);
	evconnlistener_free(metrics->listener);
fail:
	free(metrics);
	return error;
}

void metrics_advance(struct metrics *metrics)
{
	if (metrics != NULL)
		on_tick(-1, 0, metrics);
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	event_free(metrics->tick);
	evhttp_free(metrics->http); /* and the listener */
	sweep(metrics, clock_now_ns());
	free(metrics);
}
