/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_server SOCKET METRICS_ADDRESS: the daemon without a kernel under it.
 * One engine's thread with a real pump, fed by a few hosts of its own; control
 * socket and metrics on the main thread.  For tests and screenshots.
 */
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/control.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/metrics.h"
#include "shaper/daemon/requests.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/status_poll.h"
#include "shaper/daemon/travel.h"
#include "shaper/io/clock.h"
#include "shaper/pump.h"

enum { UDP = 17, SCANNED = 200, FLOOD_PKTS_PER_MS = 2, LATE_MS_MAX = 1000 };

static const char policy_text[] =
	"mode: enforce\n"
	"inside: [10.20.0.0/16, 2001:db8:20::/48]\n"
	"limits: {pairs: 10000, flows: 10000, hosts: 1000}\n"
	"antispoof: {bindings: [{mac: \"52:54:00:00:00:01\", "
	"addresses: 10.20.99.9, interface: vif9.0}]}\n";

struct world {
	struct policy *policy;
	struct zones *zones;
	struct pump *pump;
	struct mailbox *mailbox;
	struct status *status;
	struct event_base *base;
	struct control *control;
	struct metrics *metrics;
	struct status_poll *poll;
	struct travel *travel;
	uint64_t next_id;
	atomic_bool ending;
};

static void die(const char *what)
{
	fprintf(stderr, "control_server: %s\n", what);
	exit(1);
}

/* ------ the engine's thread */

static void offer(struct world *world, const char *src, uint16_t src_port,
		  const char *dst, uint16_t dst_port, uint64_t now_ns)
{
	struct pump_packet packet = { .wire_pkts = 1 };
	struct packet_ends *ends = &packet.meta.ends;
	struct pump_release releases[64];

	request_parse_address(src, ends->src);
	request_parse_address(dst, ends->dst);
	ends->src_port = src_port;
	ends->dst_port = dst_port;
	ends->proto = UDP;
	packet.meta.ethertype = strchr(src, ':') != NULL ? 0x86dd : 0x0800;
	packet.meta.length_bytes = 1000;
	packet.meta.header_bytes = 28;
	packet.id = ++world->next_id;
	pump_offer(world->pump, &packet, 1, now_ns);
	if (packet.verdict == PUMP_WAIT)
		pump_hold(world->pump, &packet, 1, now_ns);
	pump_settle(world->pump);
	while (pump_collect(world->pump, releases, 64) > 0)
		;
}

/* A flood, two good pairs of hosts and a scan, one millisecond of each. */
static void traffic(struct world *world, unsigned int ms, uint64_t now_ns)
{
	char scanned[32];
	int i;

	offer(world, "10.20.0.9", 4000, "198.51.100.1", 443, now_ns);
	offer(world, "198.51.100.1", 443, "10.20.0.9", 4000, now_ns);
	for (i = 0; i < FLOOD_PKTS_PER_MS; i++)
		offer(world, "10.20.0.7", 5001, "192.0.2.7", 53, now_ns);
	if (ms % 8 == 0) {
		offer(world, "2001:db8:20::5", 4000, "2001:db8:99::1", 443,
		      now_ns);
		offer(world, "2001:db8:99::1", 443, "2001:db8:20::5", 4000,
		      now_ns);
	}
	if (ms % 10 == 0) {
		snprintf(scanned, sizeof(scanned), "203.0.113.%u",
			 ms / 10 % SCANNED);
		offer(world, "10.20.3.33", 60000, scanned, 22, now_ns);
	}
}

static void *run_engine(void *self)
{
	struct world *world = self;
	struct mailbox_engine engine = { .pump = world->pump,
					 .zones = world->zones,
					 .policy = world->policy,
					 .shards = 1 };
	struct pollfd work = { .fd = mailbox_work_fd(world->mailbox),
			       .events = POLLIN };
	uint64_t last_ms = 0;

	while (!atomic_load(&world->ending)) {
		uint64_t now_ns;

		poll(&work, 1, 1);
		now_ns = clock_now_ns();
		while (mailbox_run(world->mailbox, &engine, now_ns))
			;
		pump_advance(world->pump, now_ns);
		/* As many a second also where others use the processor. */
		if (now_ns / 1000000 > last_ms + LATE_MS_MAX)
			last_ms = now_ns / 1000000 - 1;
		while (last_ms < now_ns / 1000000)
			traffic(world, (unsigned int)(++last_ms % 1000000),
				now_ns);
	}
	return NULL;
}

/* ------ the main thread */

static void on_mail(evutil_socket_t fd, short what, void *self)
{
	struct world *world = self;

	(void)fd;
	(void)what;
	mailbox_reap(world->mailbox);
}

static void on_second(evutil_socket_t fd, short what, void *self)
{
	struct world *world = self;
	uint64_t now_ns = clock_now_ns();

	(void)fd;
	(void)what;
	log_advance(now_ns);
	control_advance(world->control);
	metrics_advance(world->metrics);
	status_poll_start(world->poll, now_ns);
}

static void on_signal(evutil_socket_t fd, short what, void *self)
{
	struct world *world = self;

	(void)fd;
	(void)what;
	event_base_loopbreak(world->base);
}

static void on_read(void *self)
{
	struct world *world = self;

	status_poll_freshen(world->poll, clock_now_ns());
}

/* Every other reload is refused, to see both. */
static void on_reload(void *self, uint64_t token)
{
	struct world *world = self;
	struct status *status = world->status;

	if ((status->reloads + status->reloads_refused) % 2 == 0) {
		status->reloads++;
		status->reload_error[0] = '\0';
		control_reloaded(world->control, token, true,
				 "symtap.yaml: enforce, 0 rules");
	} else {
		status->reloads_refused++;
		snprintf(status->reload_error, sizeof(status->reload_error),
			 "symtap.yaml: line 3: mode: not enforce or shadow");
		control_reloaded(world->control, token, false,
				 status->reload_error);
	}
}

static void build(struct world *world)
{
	static const struct policy_vif vif = { .interface = "vif9.0",
					       .way = POLICY_WAY_NETBACK };
	static struct policy_errors errors;
	uint64_t now_ns = clock_now_ns();

	if (!policy_parse("control_server", policy_text,
			  sizeof(policy_text) - 1, &world->policy, &errors))
		die("the policy does not parse");
	if (!policy_add_vif(world->policy, &vif))
		die("out of memory");
	world->zones = zones_new();
	zones_id(world->zones, world->policy, "lan0", 0);
	world->pump = pump_new(&(struct pump_config){ .policy = world->policy,
						      .zones = world->zones,
						      .seed = "as good as any",
						      .shards = 1 },
			       now_ns);
	if (world->pump == NULL || mailbox_new(&world->mailbox) < 0)
		die("out of memory");
	world->status = calloc(1, sizeof(*world->status));
	world->status->policy = world->policy;
	world->status->started_ns = world->status->policy_loaded_ns = now_ns;
	world->status->engines_count = 1;
	snprintf(world->status->policy_path, STATUS_TEXT_BYTES, "symtap.yaml");
}

static void listen_on(struct world *world, const char *path,
		      const char *metrics)
{
	struct control_config config = { .path = path,
					 .mode = 0666,
					 .group = "",
					 .status = world->status,
					 .mailboxes = &world->mailbox,
					 .mailboxes_count = 1,
					 .on_read = on_read,
					 .on_reload = on_reload,
					 .self = world };

	world->travel = config.travel = travel_new(&world->mailbox, 1);
	if (world->travel == NULL)
		die("out of memory");
	world->poll = status_poll_new(world->status, &world->mailbox, 1);
	if (control_new(world->base, &config, &world->control) < 0)
		die("cannot listen on the control socket");
	if (metrics_new(world->base, metrics, world->status, on_read, world,
			&world->metrics) < 0)
		die("cannot listen for metrics");
}

static void run_loop(struct world *world)
{
	static const struct timeval second = { .tv_usec = 200000 };
	struct event *events[] = {
		event_new(world->base, mailbox_done_fd(world->mailbox),
			  EV_READ | EV_PERSIST, on_mail, world),
		event_new(world->base, -1, EV_PERSIST, on_second, world),
		evsignal_new(world->base, SIGTERM, on_signal, world),
		evsignal_new(world->base, SIGINT, on_signal, world),
	};
	size_t i;

	event_add(events[0], NULL);
	event_add(events[1], &second);
	event_add(events[2], NULL);
	event_add(events[3], NULL);
	event_base_dispatch(world->base);
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		event_free(events[i]);
}

int main(int argc, char **argv)
{
	static struct world world;
	pthread_t engine;

	if (argc != 3)
		die("usage: control_server SOCKET METRICS_ADDRESS");
	signal(SIGPIPE, SIG_IGN);
	build(&world);
	world.base = event_base_new();
	listen_on(&world, argv[1], argv[2]);
	pthread_create(&engine, NULL, run_engine, &world);
	run_loop(&world);
	atomic_store(&world.ending, true);
	pthread_join(engine, NULL);
	travel_stop(world.travel);
	mailbox_free(world.mailbox);
	travel_free(world.travel);
	control_free(world.control);
	metrics_free(world.metrics);
	status_poll_free(world.poll);
	event_base_free(world.base);
	pump_free(world.pump);
	zones_free(world.zones);
	policy_free(world.policy);
	free(world.status);
	return 0;
}
