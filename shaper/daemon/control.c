/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/daemon/answers.h"
#include "shaper/daemon/control_socket.h"
#include "shaper/daemon/explain.h"
#include "shaper/daemon/findings.h"
#include "shaper/daemon/inquiry.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/requests.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/travel.h"
#include "shaper/io/clock.h"

struct client {
	struct control *control;
	struct bufferevent *bev; /* NULL: this place is free */
	uint64_t token;          /* of the request under way; 0: none */
	uid_t uid;
	pid_t pid;
	bool ending;  /* close when the answer is taken */
	bool imports; /* told in the log */
};

struct control {
	struct control_config config;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct event_base *base;
	struct evconnlistener *listener;
	uint64_t last_token;
	uid_t uid; /* ours */
	int claim; /* -1: none */
	bool made_folder;
	struct client clients[CONTROL_CLIENTS_MAX];
};

static struct log_limit words_limit = { .subject = "control",
					.burst_lines = 100,
					.lines_per_min = 600 };
static struct log_limit refusals_limit = { .subject = "control",
					   .burst_lines = 3,
					   .lines_per_min = 6 };

static void client_close(struct client *client)
{
	bufferevent_free(client->bev);
	memset(client, 0, sizeof(*client));
}

/* Takes `answer`; NULL means that there was no memory for one. */
static void send_answer(struct client *client, char *answer)
{
	bool sent = answer != NULL &&
		    bufferevent_write(client->bev, answer, strlen(answer)) == 0;

	free(answer);
	client->token = 0;
	if (!sent)
		client_close(client);
}

static struct client *client_of(struct control *control, uint64_t token)
{
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->clients[i].bev != NULL &&
		    control->clients[i].token == token)
			return &control->clients[i];
	return NULL;
}

static void ignore_answer(void *self, uint64_t token,
			  const struct inquiry_answer *answer)
{
	(void)self;
	(void)token;
	(void)answer;
}

/* Some engine would not take an exemption: it must hold nowhere then. */
static void take_back(struct control *control, const struct request *request)
{
	status_exempt(control->config.status, request->address, 0,
		      clock_now_ns());
	inquiry_start(control->config.mailboxes,
		      control->config.mailboxes_count, request, 0,
		      &control->config.status->refused, 0, ignore_answer, NULL,
		      0);
}

static void on_answer(void *self, uint64_t token,
		      const struct inquiry_answer *answer)
{
	struct control *control = self;
	struct client *client = client_of(control, token);
	const struct request *request = &answer->request;

	if (request->verb == REQUEST_EXEMPT && request->exempt_ns > 0 &&
	    (answer->refused > 0 || answer->answered < answer->asked))
		take_back(control, request);
	if (client != NULL)
		send_answer(client,
			    answers_inquiry(answer, control->config.status,
					    clock_now_ns()));
}

/* What changes something is on record with who asked for it. */
static void log_word(const struct client *client, const struct request *request)
{
	char address[EXPLAIN_ADDRESS_BYTES] = "";
	char how_long[32] = "";

	if (request->verb != REQUEST_RELEASE &&
	    request->verb != REQUEST_EXEMPT && request->verb != REQUEST_RELOAD)
		return;
	if (request->verb != REQUEST_RELOAD)
		explain_address(request->address, address);
	if (request->verb == REQUEST_EXEMPT && request->exempt_ns == 0)
		snprintf(how_long, sizeof(how_long), " end");
	else if (request->verb == REQUEST_EXEMPT)
		snprintf(how_long, sizeof(how_long), " for %llu s",
			 (unsigned long long)(request->exempt_ns / 1000000000));
	log_limited(&words_limit, LOG_LEVEL_INFO, 0,
		    "control: uid %u pid %d: %s%s%s%s", (unsigned)client->uid,
		    (int)client->pid, request_verb_name(request->verb),
		    address[0] != '\0' ? " " : "", address, how_long);
}

static void ask_engines(struct client *client, const struct request *request)
{
	struct control *control = client->control;
	uint64_t now_ns = clock_now_ns();
	uint64_t until_ns = 0;
	int error;

	if (request->verb == REQUEST_EXEMPT) {
		if (request->exempt_ns > 0)
			until_ns = now_ns + request->exempt_ns;
		if (!status_exempt(control->config.status, request->address,
				   until_ns, now_ns)) {
			send_answer(client, answers_no("too many exemptions; "
						       "end one first"));
			return;
		}
	}
	error = inquiry_start(control->config.mailboxes,
			      control->config.mailboxes_count, request,
			      until_ns, &control->config.status->refused,
			      status_leased_hosts(control->config.status),
			      on_answer, control, client->token);
	if (error < 0) {
		if (until_ns > 0)
			status_exempt(control->config.status, request->address,
				      0, now_ns);
		send_answer(client, answers_no("busy; ask again"));
	}
}

/* Engines would answer for what they do not see. */
static void ask_of_address(struct client *client, const struct request *request)
{
	const struct policy_vif *vif = policy_vif_at(
		client->control->config.status->policy, request->address);
	char why[160];

	if (vif == NULL || vif->way != POLICY_WAY_NETBACK) {
		ask_engines(client, request);
		return;
	}
	snprintf(why, sizeof(why),
		 "it is judged inside of netback, as a whole vif: `symtapctl "
		 "vifs` says how %s is; xen.guests exempts a guest",
		 vif->interface);
	send_answer(client, answers_no(why));
}

static void on_travel(void *self, uint64_t token, char *line)
{
	struct client *client = client_of(self, token);

	if (client != NULL)
		send_answer(client, line);
	else
		free(line);
}

/* An import is many requests: who does it is told once. */
static void ask_travel(struct client *client, const struct request *request)
{
	struct control *control = client->control;

	if (request->verb == REQUEST_IMPORT && !client->imports)
		log_limited(&words_limit, LOG_LEVEL_INFO, 0,
			    "control: uid %u pid %d: import",
			    (unsigned)client->uid, (int)client->pid);
	client->imports |= request->verb == REQUEST_IMPORT;
	travel_ask(control->config.travel, request, on_travel, control,
		   client->token, clock_now_ns());
}

static void send_findings(struct client *client)
{
	struct findings *findings = calloc(1, sizeof(*findings));

	if (findings == NULL) {
		client_close(client);
		return;
	}
	findings_of_status(client->control->config.status, findings);
	send_answer(client, answers_doctor(findings));
	free(findings);
}

static void handle(struct client *client, const struct request *request)
{
	const struct control_config *config = &client->control->config;

	client->token = ++client->control->last_token;
	log_word(client, request);
	switch (request->verb) {
	case REQUEST_STATUS:
		config->on_read(config->self);
		send_answer(client,
			    answers_status(config->status, clock_now_ns()));
		return;
	case REQUEST_STATS:
		config->on_read(config->self);
		send_answer(client, answers_stats(config->status));
		return;
	case REQUEST_DOCTOR:
		send_findings(client);
		return;
	case REQUEST_TOP:
		ask_engines(client, request);
		return;
	case REQUEST_EXPLAIN:
	case REQUEST_RELEASE:
	case REQUEST_EXEMPT:
		ask_of_address(client, request);
		return;
	case REQUEST_VIFS:
		send_answer(client, answers_vifs(config->status));
		return;
	case REQUEST_EXPORT:
	case REQUEST_IMPORT:
		ask_travel(client, request);
		return;
	case REQUEST_RELOAD:
		config->on_reload(config->self, client->token);
		return;
	case REQUEST_VERBS:
		break;
	}
}

void control_reloaded(struct control *control, uint64_t token, bool ok,
		      const char *text)
{
	struct client *client = client_of(control, token);

	if (token != 0 && client != NULL)
		send_answer(client,
			    ok ? answers_reloaded(text) : answers_no(text));
}

static void handle_line(struct client *client, const char *line,
			size_t length_bytes)
{
	struct request_error error;
	struct request request;

	if (request_parse(line, length_bytes, &request, &error))
		handle(client, &request);
	else
		send_answer(client, answers_bad(error.text));
}

/* More than a line may hold, and no end of it: there is no way back into
 * step. */
static void refuse_line(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);

	bufferevent_disable(client->bev, EV_READ);
	evbuffer_drain(input, evbuffer_get_length(input));
	client->ending = true;
	send_answer(client, answers_bad("longer than 1024 bytes"));
}

/* One request at a time: the rest stays in the bounded buffer, or unread. */
static void read_next(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);
	char line[REQUEST_LINE_BYTES];
	struct evbuffer_ptr end;

	if (client->token != 0 ||
	    evbuffer_get_length(bufferevent_get_output(client->bev)) > 0)
		return;
	end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
	if (end.pos > REQUEST_LINE_BYTES ||
	    (end.pos < 0 && evbuffer_get_length(input) > REQUEST_LINE_BYTES)) {
		refuse_line(client);
		return;
	}
	if (end.pos >= 0) {
		evbuffer_remove(input, line, (size_t)end.pos);
		evbuffer_drain(input, 1);
		handle_line(client, line, (size_t)end.pos);
		return;
	}
	if (client->ending)
		client_close(client);
}

static void on_readable(struct bufferevent *bev, void *self)
{
	(void)bev;
	read_next(self);
}

/* The answer was taken. */
static void on_drained(struct bufferevent *bev, void *self)
{
	(void)bev;
	read_next(self);
}

/* A client may close its end after its last request, and read on. */
static void on_event(struct bufferevent *bev, short what, void *self)
{
	struct client *client = self;

	(void)bev;
	if ((what & BEV_EVENT_EOF) == 0) {
		client_close(client);
		return;
	}
	client->ending = true;
	read_next(client);
}

static struct client *free_place(struct control *control, uid_t uid)
{
	bool kept = uid == 0 || uid == control->uid;
	struct client *place = NULL;
	size_t free_places = 0;
	size_t i;

	for (i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i].bev != NULL)
			continue;
		free_places++;
		place = &control->clients[i];
	}
	return free_places > CONTROL_CLIENTS_KEPT || kept ? place : NULL;
}

static void refuse_client(int fd, uid_t uid)
{
	static const char text[] = "{\"no\":\"too many clients\"}\n";

	log_limited(&refusals_limit, LOG_LEVEL_WARN, 0,
		    "control: uid %u: refused, too many clients",
		    (unsigned)uid);
	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug(errno, "control: the refusal was not heard");
	close(fd);
}

static bool client_open(struct client *client, int fd)
{
	static const struct timeval idle = { .tv_sec = CONTROL_IDLE_S };
	static const struct timeval write = { .tv_sec = CONTROL_WRITE_S };

	client->bev = bufferevent_socket_new(client->control->base, fd,
					     BEV_OPT_CLOSE_ON_FREE);
	if (client->bev == NULL)
		return false;
	bufferevent_setcb(client->bev, on_readable, on_drained, on_event,
			  client);
	bufferevent_setwatermark(client->bev, EV_READ, 0,
				 2 * REQUEST_LINE_BYTES);
	bufferevent_set_timeouts(client->bev, &idle, &write);
	return bufferevent_enable(client->bev, EV_READ | EV_WRITE) == 0;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *address, int size_bytes, void *self)
{
	struct control *control = self;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t peer_bytes = sizeof(peer);
	struct client *client;

	(void)listener;
	(void)address;
	(void)size_bytes;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) < 0)
		peer.uid = (uid_t)-1;
	client = free_place(control, peer.uid);
	if (client == NULL) {
		refuse_client(fd, peer.uid);
		return;
	}
	client->control = control;
	client->uid = peer.uid;
	client->pid = peer.pid;
	if (!client_open(client, fd)) {
		if (client->bev != NULL)
			client_close(client);
		else
			close(fd);
	}
}

/* Out of descriptors, most likely: the loop must not spin on a backlog that
 * it cannot take. */
static void accept_failed(struct evconnlistener *listener, void *self)
{
	(void)self;
	log_limited(&refusals_limit, LOG_LEVEL_WARN, errno,
		    "control: cannot accept");
	evconnlistener_disable(listener);
}

void control_advance(struct control *control)
{
	int fd;

	evconnlistener_enable(control->listener);
	while (control->claim >= 0 &&
	       (fd = accept4(control->claim, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

static int claim(struct control *control)
{
	const struct control_config *config = &control->config;
	int error;

	control->claim = -1;
	if (!config->is_only)
		return 0;
	error = control_socket_claim(config->user, &control->claim);
	if (error == 0 && control->claim < 0)
		log_warn(0, "control: somebody has taken our name; a second "
			    "symtapd would not be noticed");
	return error;
}

int control_new(struct event_base *base, const struct control_config *config,
		struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int error, fd;

	if (control == NULL)
		return -ENOMEM;
	control->config = *config;
	snprintf(control->path, sizeof(control->path), "%s", config->path);
	control->config.path = control->path;
	control->base = base;
	control->uid = geteuid();
	error = claim(control);
	if (error < 0)
		goto fail;
	error = control_socket_open(config->path, config->mode, config->group,
				    CONTROL_CLIENTS_MAX, &control->made_folder,
				    &fd);
	if (error < 0)
		goto fail_claim;
	error = -ENOMEM;
	control->listener = evconnlistener_new(
		base, on_accept, control,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, fd);
	if (control->listener == NULL)
		goto fail_socket;
	evconnlistener_set_error_cb(control->listener, accept_failed);
	*ret_control = control;
	return 0;
fail_socket:
	close(fd);
	unlink(config->path);
fail_claim:
	if (control->claim >= 0)
		close(control->claim);
fail:
	free(control);
	return error;
}

int control_give(struct control *control, uid_t uid, gid_t gid)
{
	const struct control_config *config = &control->config;
	bool own_group = config->group == NULL || config->group[0] == '\0';

	if (chown(config->path, uid, own_group ? gid : (gid_t)-1) < 0)
		return -errno;
	control->uid = uid;
	if (!control->made_folder)
		return 0;
	return control_socket_give_folder(config->path, uid, gid);
}

void control_free(struct control *control)
{
	size_t i;

	if (control == NULL)
		return;
	for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->clients[i].bev != NULL)
			client_close(&control->clients[i]);
	evconnlistener_free(control->listener);
	if (unlink(control->config.path) < 0 && errno != ENOENT)
		log_warn(errno, "control: cannot remove %s",
			 control->config.path);
	if (control->claim >= 0)
		close(control->claim);
	free(control);
}
