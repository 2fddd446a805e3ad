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
 * evhttp tells nobody when a connection ends.  It lets us make the
 * bufferevent, though, and a filter is told when it is freed.
 */
struct connection {
	struct metrics *metrics;
	struct bufferevent *socket;
	struct event *deadline;
	struct connection *next, **link;
};

struct metrics {
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *second; /* each second: accept again if we may */
	const struct status *status;
	struct connection *connections;
	unsigned int count;
	bool closing;
};

static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return address->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static bool has_port(const struct sockaddr_storage *address, const char *listen)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	size_t length = strlen(listen);

	return v4->sin_port != 0 ||
	       (length > 2 && strcmp(listen + length - 2, ":0") == 0);
}

static void connection_ended(void *self)
{
	struct connection *connection = self;
	struct metrics *metrics = connection->metrics;

	*connection->link = connection->next;
	if (connection->next != NULL)
		connection->next->link = connection->link;
	event_free(connection->deadline);
	free(connection);
	metrics->count--;
	if (!metrics->closing)
		evconnlistener_enable(metrics->listener);
	else if (metrics->count == 0)
		free(metrics);
}

/* evhttp notices, and frees the connection. */
static void connection_expired(evutil_socket_t fd, short what, void *self)
{
	struct connection *connection = self;

	(void)fd;
	(void)what;
	shutdown(bufferevent_getfd(connection->socket), SHUT_RDWR);
}

static struct connection *connection_new(struct metrics *metrics,
					 struct event_base *base)
{
	struct timeval at_most = { .tv_sec = METRICS_CONNECTION_S };
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return NULL;
	connection->metrics = metrics;
	connection->deadline =
		evtimer_new(base, connection_expired, connection);
	connection->socket =
		bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (connection->deadline == NULL || connection->socket == NULL ||
	    evtimer_add(connection->deadline, &at_most) < 0) {
		if (connection->deadline != NULL)
			event_free(connection->deadline);
		if (connection->socket != NULL)
			bufferevent_free(connection->socket);
		free(connection);
		return NULL;
	}
	return connection;
}

static void connection_link(struct connection *connection)
{
	struct metrics *metrics = connection->metrics;

	connection->next = metrics->connections;
	connection->link = &metrics->connections;
	if (connection->next != NULL)
		connection->next->link = &connection->next;
	metrics->connections = connection;
	if (++metrics->count >= METRICS_CONNECTIONS_MAX)
		evconnlistener_disable(metrics->listener);
}

/* For each accepted connection.  NULL: evhttp makes a plain one. */
static struct bufferevent *make_bufferevent(struct event_base *base, void *self)
{
	struct connection *connection = connection_new(self, base);
	struct bufferevent *filter;

	if (connection == NULL)
		return NULL;
	connection_link(connection);
	filter = bufferevent_filter_new(connection->socket, NULL, NULL,
					BEV_OPT_CLOSE_ON_FREE, connection_ended,
					connection);
	if (filter == NULL) {
		bufferevent_free(connection->socket);
		connection_ended(connection);
	}
	return filter;
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

	reply(request, "text/plain; version=0.0.4; charset=utf-8",
	      metrics_text(metrics->status, clock_now_ns()));
}

static void serve_status(struct evhttp_request *request, void *self)
{
	struct metrics *metrics = self;

	reply(request, "application/json",
	      answers_page(metrics->status, clock_now_ns()));
}

static void serve_nothing(struct evhttp_request *request, void *self)
{
	(void)self;
	evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

static void accept_again(evutil_socket_t fd, short what, void *self)
{
	struct metrics *metrics = self;

	(void)fd;
	(void)what;
	if (metrics->count < METRICS_CONNECTIONS_MAX)
		evconnlistener_enable(metrics->listener);
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
		const struct status *status, struct metrics **ret_metrics)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct sockaddr_storage address = { 0 };
	int size_bytes = sizeof(address);
	struct metrics *metrics;
	int error;

	if (evutil_parse_sockaddr_port(listen, (struct sockaddr *)&address,
				       &size_bytes) < 0 ||
	    !has_port(&address, listen))
		return -EINVAL;
	if (!is_loopback(&address))
		return -EPERM;
	metrics = calloc(1, sizeof(*metrics));
	if (metrics == NULL)
		return -ENOMEM;
	metrics->status = status;
	error = open_listener(metrics, base, (struct sockaddr *)&address,
			      size_bytes);
	if (error < 0)
		goto fail;
	error = -ENOMEM;
	metrics->second =
		event_new(base, -1, EV_PERSIST, accept_again, metrics);
	if (metrics->second == NULL ||
	    evtimer_add(metrics->second, &second) < 0)
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
	if (metrics->second != NULL)
		event_free(metrics->second);
	evconnlistener_free(metrics->listener);
fail:
	free(metrics);
	return error;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	metrics->closing = true;
	event_free(metrics->second);
	evhttp_free(metrics->http); /* and the listener */
	if (metrics->count == 0)
		free(metrics); /* else with its last connection */
}

uint16_t metrics_port(const struct metrics *metrics)
{
	struct sockaddr_storage address;
	socklen_t size_bytes = sizeof(address);

	if (getsockname(evconnlistener_get_fd(metrics->listener),
			(struct sockaddr *)&address, &size_bytes) < 0)
		return 0;
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}
