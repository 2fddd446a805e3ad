/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symtap-tap: the carrier's end of the tap, with a kernel queue's packets. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "shaper/daemon/log.h"
#include "shaper/daemon/priv.h"
#include "shaper/daemon/tap_frames.h"
#include "shaper/daemon/tap_options.h"
#include "shaper/io/clock.h"
#include "shaper/io/ifnames.h"
#include "shaper/io/tap_queue.h"
#include "xen-hooks/tap_carrier.h"
#include "xen-hooks/tap_socket.h"
#include "xen-hooks/tap_vchan.h"

enum {
	EXIT_WRONG = 2,
	PACKETS_AT_ONCE = 32, /* verdicts have their turn between */
	RETRY_MS = 500,       /* nobody can be reached */
	/* What waits for its verdict, and a burst. */
	QUEUE_SPARE_PKTS = 4096,
	/* All that can be in the queue, where it cannot be shut. */
	LAST_ROUNDS =
		(TAP_WAITING_MAX + QUEUE_SPARE_PKTS) / PACKETS_AT_ONCE + 1,
};

enum { POLL_QUEUE, POLL_APART, POLL_NAMES, POLL_SIGNALS, POLL_JUDGE, POLLS };

struct tap {
	struct tap_options options;
	struct tapcarrier *carrier;
	struct tapqueue *queue;
	struct ifnames *names;
	struct tapwire wire;
	struct pollfd polls[POLLS];
	int listening; /* for a judge on a socket; else -1 */
	int frames;    /* for frames of the judge's; -1: none may leave */
	bool judged, ending;
};

/* ------ what becomes of packets */

static void on_verdict(void *self, uint64_t token, enum tap_verdict verdict,
		       const uint8_t *bytes, size_t count)
{
	struct tap *tap = self;

	tapqueue_verdict(tap->queue, token, verdict != TAP_DROP,
			 verdict == TAP_REPLACE ? bytes : NULL, count);
}

static bool is_device(const struct tap *tap, const char *name)
{
	for (size_t i = 0; i < tap->options.devices_count; i++)
		if (strcmp(tap->options.devices[i], name) == 0)
			return true;
	return false;
}

static void on_frame(void *self, const char *interface, const uint8_t *bytes,
		     size_t count)
{
	const struct tap *tap = self;
	int error;

	if (tap->frames < 0 || !is_device(tap, interface))
		return;
	error = tap_frames_send(tap->frames, interface, bytes, count);
	if (error < 0)
		log_debug(-error, "tap: a frame for %s", interface);
}

static void on_mode(void *self, enum tap_mode mode, bool super_packets)
{
	struct tap *tap = self;
	int error = tapqueue_copy(tap->queue,
				  mode == TAP_INTERCEPT ? TAP_PACKET_BYTES
							: TAP_HEADERS_BYTES,
				  super_packets);

	log_info(-error, "tap: the judge may %s", tap_mode_name(mode));
}

static void name_of(const struct tap *tap, uint32_t ifindex,
		    char ret_name[TAP_NAME_BYTES])
{
	const char *name = ifnames_get(tap->names, ifindex);

	if (ifindex != 0 && name != NULL)
		memcpy(ret_name, name, strnlen(name, TAP_NAME_BYTES - 1));
}

/* false: it is empty, or nobody has room for more. */
static bool read_queue(struct tap *tap, uint64_t now_ns)
{
	struct tapcarrier_packet offered;
	struct tapqueue_packet packet;

	for (int i = 0; i < PACKETS_AT_ONCE; i++) {
		if (!tapcarrier_has_room(tap->carrier) ||
		    tapqueue_next(tap->queue, &packet) <= 0)
			return false;
		offered = (struct tapcarrier_packet){
			.token = packet.id,
			.seen = { .wire_bytes = packet.wire_bytes,
				  .ethertype = packet.ethertype,
				  .vlan = packet.vlan,
				  .wire_pkts = packet.wire_pkts > 1
						       ? packet.wire_pkts
						       : 0,
				  .has_mac = packet.has_mac,
				  .mtu_bytes = ifnames_mtu_bytes(
					  tap->names, packet.in_ifindex) },
			.bytes = packet.bytes,
			.bytes_count = packet.bytes_count,
		};
		memcpy(offered.seen.mac, packet.mac, sizeof(packet.mac));
		name_of(tap, packet.in_ifindex, offered.seen.in);
		name_of(tap, packet.out_ifindex, offered.seen.out);
		tapcarrier_offer(tap->carrier, &offered, now_ns);
	}
	return true;
}

/* ------ the judge */

static void look_for_judge(struct tap *tap, uint64_t now_ns)
{
	int error;

	if (tapcarrier_is_connected(tap->carrier))
		return;
	if (tap->listening >= 0)
		error = tapsocket_accept(tap->listening, &tap->wire);
	else
		error = tapvchan_grant(tap->options.judge.domain, &tap->wire);
	if (error == 0)
		tapcarrier_connect(tap->carrier, &tap->wire, now_ns);
	else if (error != -EAGAIN)
		log_debug(-error, "tap: no ring for the judge");
}

static void tell(struct tap *tap)
{
	bool judged = tapcarrier_is_judged(tap->carrier);

	if (judged == tap->judged)
		return;
	tap->judged = judged;
	if (judged)
		log_info(0, "tap: the judge is there");
	else
		log_warn(0, "tap: the judge is gone; packets are %s",
			 tap->options.carrier.fail_open ? "passed" : "dropped");
}

static void read_signal(struct tap *tap, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	if (read(tap->polls[POLL_SIGNALS].fd, &info, sizeof(info)) !=
	    (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		tapcarrier_allow(tap->carrier, TAP_OBSERVE, now_ns);
	else if (info.ssi_signo == SIGUSR2)
		tapcarrier_allow(tap->carrier, TAP_INTERCEPT, now_ns);
	else
		tap->ending = true;
}

/* ------ the loop */

static int wait_ms(const struct tap *tap, uint64_t now_ns)
{
	uint64_t next_ns = tapcarrier_next_ns(tap->carrier);

	if (!tapcarrier_is_connected(tap->carrier))
		return RETRY_MS;
	if (next_ns <= now_ns)
		return 0;
	next_ns = (next_ns - now_ns) / 1000000 + 1;
	return next_ns < RETRY_MS ? (int)next_ns : RETRY_MS;
}

static void run(struct tap *tap)
{
	while (!tap->ending) {
		uint64_t now_ns = clock_now_ns();
		bool connected;

		log_advance(now_ns);
		look_for_judge(tap, now_ns);
		tell(tap);
		connected = tapcarrier_is_connected(tap->carrier);
		tap->polls[POLL_JUDGE].fd = connected ? tap->wire.fd
						      : tap->listening;
		tap->polls[POLL_JUDGE].events = tapcarrier_events(tap->carrier);
		/* What finds no room waits in the kernel; that the judge has
		 * read, a verdict, or his next beat, wakes us up. */
		tap->polls[POLL_QUEUE].events =
			tapcarrier_has_room(tap->carrier) ? POLLIN : 0;
		tap->polls[POLL_APART].events = tap->polls[POLL_QUEUE].events;
		if (poll(tap->polls, POLLS, wait_ms(tap, now_ns)) < 0)
			continue;
		now_ns = clock_now_ns();
		if (tap->polls[POLL_SIGNALS].revents != 0)
			read_signal(tap, now_ns);
		if (tap->polls[POLL_NAMES].revents != 0)
			ifnames_update(tap->names);
		/* Verdicts first: they make room. */
		tapcarrier_advance(tap->carrier,
				   connected &&
					   tap->polls[POLL_JUDGE].revents != 0,
				   now_ns);
		if (tap->polls[POLL_APART].revents != 0)
			tapqueue_read_apart(tap->queue);
		if (tap->polls[POLL_QUEUE].revents != 0 ||
		    tap->polls[POLL_APART].revents != 0)
			read_queue(tap, now_ns);
		tapqueue_flush(tap->queue);
	}
}

/* ------ up and down */

static _Noreturn void fatal(int status, int error, const char *text)
{
	log_error(error, "symtap-tap: %s", text);
	exit(status);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void set_up(struct tap *tap)
{
	const struct tapcarrier_owner owner = { on_verdict, on_frame, on_mode,
						tap };
	struct tapcarrier_config *config = &tap->options.carrier;
	int error;

	tap->listening = -1;
	tap->frames = -1;
	if (tap->options.judge.path != NULL) {
		tap->listening = tapsocket_listen(tap->options.judge.path);
		if (tap->listening < 0)
			fatal(EXIT_FAILURE, -tap->listening,
			      "the judge's socket cannot be made");
	}
	if (config->most == TAP_INTERCEPT && tap->options.devices_count > 0) {
		tap->frames = tap_frames_open();
		if (tap->frames < 0)
			fatal(EXIT_FAILURE, -tap->frames,
			      "frames cannot be sent");
	}
	if (getrandom(config->seed, sizeof(config->seed), 0) !=
	    (ssize_t)sizeof(config->seed))
		fatal(EXIT_FAILURE, errno, "there are no random numbers");
	tap->carrier = tapcarrier_new(config, &owner);
	if (tap->carrier == NULL)
		fatal(EXIT_FAILURE, ENOMEM, "no packet can wait");
	error = ifnames_new(&tap->names);
	if (error == 0)
		error = tapqueue_new(tap->options.queue,
				     config->waiting_max + QUEUE_SPARE_PKTS,
				     config->fail_open, &tap->queue);
	if (error < 0)
		fatal(EXIT_FAILURE, -error,
		      "the kernel's queue cannot be had; does another program "
		      "have it?");
	for (size_t i = 0; i < POLLS; i++)
		tap->polls[i].events = POLLIN;
	tap->polls[POLL_QUEUE].fd = tapqueue_fd(tap->queue);
	tap->polls[POLL_APART].fd = tapqueue_apart_fd(tap->queue);
	tap->polls[POLL_NAMES].fd = ifnames_fd(tap->names);
	tap->polls[POLL_SIGNALS].fd = open_signals();
	if (tap->polls[POLL_SIGNALS].fd < 0)
		fatal(EXIT_FAILURE, errno, "signals cannot be read");
}

/* What the kernel still has when the queue goes, it drops. */
static void let_go(struct tap *tap)
{
	uint64_t now_ns = clock_now_ns();
	int error;

	tapcarrier_lose(tap->carrier);
	error = tapqueue_shut(tap->queue);
	if (error < 0)
		log_warn(-error, "tap: the queue cannot be shut");
	for (int i = 0; i < LAST_ROUNDS && read_queue(tap, now_ns); i++)
		;
	tapqueue_flush(tap->queue);
}

static void take_down(struct tap *tap)
{
	static const char *const names[] = {
#define X(name, unit, help) #name,
		TAPCARRIER_COUNTERS(X)
#undef X
	};
	const struct tapcarrier_stats *stats = tapcarrier_stats(tap->carrier);

	let_go(tap);
	for (size_t i = 0; i < TAPCARRIER_COUNTERS_COUNT; i++)
		if (stats->counter[i] > 0)
			log_info(0, "tap: %s %" PRIu64, names[i],
				 stats->counter[i]);
	tapcarrier_free(tap->carrier);
	tapqueue_free(tap->queue);
	ifnames_free(tap->names);
}

int main(int argc, char **argv)
{
	static struct tap tap;
	char wrong[256];
	int error;

	if (!tap_options_read(argc, argv, &tap.options, wrong, sizeof(wrong)))
		fatal(EXIT_WRONG, 0, wrong);
	if (tap.options.help) {
		tap_options_help(stdout);
		return EXIT_SUCCESS;
	}
	if (tap.options.version) {
		puts("symtap-tap " SYMTAP_VERSION);
		return EXIT_SUCCESS;
	}
	log_open(STDERR_FILENO, LOG_LEVEL_INFO,
		 log_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM")));
	/* Who reads the log may go; packets do not. */
	signal(SIGPIPE, SIG_IGN);
	set_up(&tap);
	/* It stays root: a new ring needs root's devices. */
	error = priv_drop(NULL);
	if (error == 0)
		error = priv_confine();
	if (error < 0)
		fatal(EXIT_FAILURE, -error, "privileges cannot be dropped");
	log_info(0, "symtap-tap: carries queue %u", tap.options.queue);
	run(&tap);
	take_down(&tap);
	return EXIT_SUCCESS;
}
