/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_lacks.h"
#include "shaper/io/fast_links.h"

/* Made of fast.bpf.c by the build; it uses the above. */
#include <fast.skel.h>

enum { VERIFIER_LOG_BYTES = 1 << 20 };

struct fast {
	struct symtap *skeleton;
	struct ring_buffer *ring;
	struct fast_slot *slots;
	struct fastlinks links[FAST_INTERFACES];
	size_t interfaces_count;
	char interfaces[FAST_INTERFACES][IF_NAMESIZE];
	void (*on_event)(void *self, const struct fast_event *event);
	void *on_event_self;
	size_t received;
};

static int on_sample(void *self, void *data, size_t bytes)
{
	struct fast *fast = self;

	if (bytes >= sizeof(struct fast_event)) {
		fast->received++;
		fast->on_event(fast->on_event_self, data);
	}
	return 0;
}

__attribute__((format(printf, 2, 3))) static void
say(char ret_wrong[FAST_TEXT_BYTES], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_wrong, FAST_TEXT_BYTES, format, arguments);
	va_end(arguments);
}

/* What libbpf has to say goes nowhere: ret_wrong says what matters. */
static int say_nothing(enum libbpf_print_level level, const char *format,
		       va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void configure(struct fast *fast, const struct fast_options *options)
{
	struct fast_config *config = &fast->skeleton->bss->fast_config;

	memcpy(&config->k0, options->seed, sizeof(config->k0));
	memcpy(&config->k1, options->seed + 8, sizeof(config->k1));
	config->consent = options->consent;
	config->slots_mask = options->slots - 1;
	config->mark_mask = options->mark_mask;
	config->mark_shift = (uint32_t)__builtin_ctz(options->mark_mask);
}

static size_t slots_bytes(const struct fast *fast)
{
	return ((size_t)fast->skeleton->bss->fast_config.slots_mask + 1) *
	       sizeof(struct fast_slot);
}

/* The memory that the program and the daemon share, and the ring. */
static int share(struct fast *fast, char ret_wrong[FAST_TEXT_BYTES])
{
	void *slots = mmap(NULL, slots_bytes(fast), PROT_READ | PROT_WRITE,
			   MAP_SHARED,
			   bpf_map__fd(fast->skeleton->maps.symtap_slots), 0);

	say(ret_wrong, "there is no memory for what it shares");
	if (slots == MAP_FAILED)
		return -errno;
	fast->slots = slots;
	fast->ring =
		ring_buffer__new(bpf_map__fd(fast->skeleton->maps.symtap_heard),
				 on_sample, fast, NULL);
	return fast->ring == NULL ? -errno : 0;
}

static struct symtap *open_skeleton(char *verifier_log)
{
	LIBBPF_OPTS(bpf_object_open_opts, options,
		    .kernel_log_buf = verifier_log,
		    .kernel_log_size = VERIFIER_LOG_BYTES);

	return symtap__open_opts(&options);
}

static int load_skeleton(struct fast *fast, const struct fast_options *options,
			 char *verifier_log, char ret_wrong[FAST_TEXT_BYTES])
{
	int error;

	fast->skeleton = open_skeleton(verifier_log);
	if (fast->skeleton == NULL) {
		say(ret_wrong, "the kernel program cannot be read");
		return -errno;
	}
	fast->skeleton->rodata->fast_test = options->test;
	error = bpf_map__set_max_entries(fast->skeleton->maps.symtap_slots,
					 options->slots);
	if (error == 0)
		error = symtap__load(fast->skeleton);
	if (error < 0)
		fastlacks_tell(error, verifier_log, ret_wrong);
	return error;
}

static int load(struct fast *fast, const struct fast_options *options,
		char ret_wrong[FAST_TEXT_BYTES])
{
	char *verifier_log = calloc(1, VERIFIER_LOG_BYTES);
	int error;

	if (verifier_log == NULL) {
		say(ret_wrong, "out of memory");
		return -ENOMEM;
	}
	libbpf_set_print(say_nothing);
	error = load_skeleton(fast, options, verifier_log, ret_wrong);
	free(verifier_log);
	if (error < 0)
		return error;
	configure(fast, options);
	return share(fast, ret_wrong);
}

int fast_new(const struct fast_options *options, struct fast **ret_fast,
	     char ret_wrong[FAST_TEXT_BYTES])
{
	struct fast *fast = calloc(1, sizeof(*fast));
	int error;

	if (fast == NULL) {
		say(ret_wrong, "out of memory");
		return -ENOMEM;
	}
	error = load(fast, options, ret_wrong);
	if (error < 0) {
		fast_free(fast);
		return error;
	}
	*ret_fast = fast;
	return 0;
}

void fast_free(struct fast *fast)
{
	if (fast == NULL)
		return;
	for (size_t i = 0; i < fast->interfaces_count; i++)
		fastlinks_detach(&fast->links[i]);
	ring_buffer__free(fast->ring);
	if (fast->slots != NULL)
		munmap(fast->slots, slots_bytes(fast));
	symtap__destroy(fast->skeleton);
	free(fast);
}

/* ------ interfaces */

static bool is_ethernet(const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };
	bool is = false;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) == 0)
		is = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	close(fd);
	return is;
}

static void add_interface(struct fast *fast, uint32_t ifindex, uint16_t zone)
{
	struct fast_config *config = &fast->skeleton->bss->fast_config;

	config->interfaces[fast->interfaces_count++] =
		(struct fast_interface){ ifindex, zone };
	__atomic_store_n(&config->interfaces_count,
			 (uint32_t)fast->interfaces_count, __ATOMIC_RELEASE);
}

int fast_attach(struct fast *fast, const char *interface, uint16_t zone,
		char ret_wrong[FAST_TEXT_BYTES])
{
	const struct symtap *skeleton = fast->skeleton;
	unsigned int ifindex = if_nametoindex(interface);
	char wrong[FASTLINKS_TEXT_BYTES];
	int error;

	if (ifindex == 0 || !is_ethernet(interface) ||
	    fast->interfaces_count == FAST_INTERFACES) {
		say(ret_wrong, "%s: %s", interface,
		    ifindex == 0 ? "there is no such interface"
		    : fast->interfaces_count == FAST_INTERFACES
			    ? "more interfaces than it can have"
			    : "is not Ethernet");
		return -ENODEV;
	}
	error = fastlinks_attach(&fast->links[fast->interfaces_count], ifindex,
				 bpf_program__fd(skeleton->progs.symtap_in),
				 bpf_program__fd(skeleton->progs.symtap_out),
				 wrong);
	if (error < 0) {
		say(ret_wrong, "%s: %.200s", interface, wrong);
		return error;
	}
	snprintf(fast->interfaces[fast->interfaces_count], IF_NAMESIZE, "%s",
		 interface);
	add_interface(fast, ifindex, zone);
	return 0;
}

size_t fast_interfaces(const struct fast *fast)
{
	return fast->interfaces_count;
}

const char *fast_interface(const struct fast *fast, size_t at)
{
	return fast->interfaces[at];
}

void fast_set_consent(struct fast *fast, bool consent)
{
	fast->skeleton->bss->fast_config.consent = consent;
}

void fast_set_zone(struct fast *fast, size_t at, uint16_t zone)
{
	fast->skeleton->bss->fast_config.interfaces[at].zone = zone;
}

bool fast_zone_of(const struct fast *fast, uint32_t ifindex, uint16_t *ret_zone)
{
	const struct fast_config *config = &fast->skeleton->bss->fast_config;

	for (size_t i = 0; i < fast->interfaces_count; i++) {
		if (config->interfaces[i].ifindex != ifindex)
			continue;
		*ret_zone = (uint16_t)config->interfaces[i].zone;
		return true;
	}
	return false;
}

/* ------ what is shared */

struct fast_slot *fast_slots(const struct fast *fast, uint32_t *ret_count)
{
	*ret_count = fast->skeleton->bss->fast_config.slots_mask + 1;
	return fast->slots;
}

void fast_hash_key(const struct fast *fast, uint64_t *ret_k0, uint64_t *ret_k1)
{
	*ret_k0 = fast->skeleton->bss->fast_config.k0;
	*ret_k1 = fast->skeleton->bss->fast_config.k1;
}

uint32_t fast_mark(const struct fast *fast, uint32_t skb_mark)
{
	const struct fast_config *config = &fast->skeleton->bss->fast_config;

	return (skb_mark & config->mark_mask) >> config->mark_shift;
}

int fast_fd(const struct fast *fast)
{
	return ring_buffer__epoll_fd(fast->ring);
}

size_t fast_receive(struct fast *fast,
		    void (*on_event)(void *self, const struct fast_event *),
		    void *self)
{
	fast->on_event = on_event;
	fast->on_event_self = self;
	fast->received = 0;
	ring_buffer__consume(fast->ring);
	return fast->received;
}

void fast_count(const struct fast *fast, struct fast_counts *ret_counts)
{
	const struct fast_counts *counts = fast->skeleton->bss->fast_counts;
	struct fast_counts sum = { 0 };

	for (size_t i = 0; i < FAST_PROCESSORS; i++) {
		sum.out_passed_pkts += counts[i].out_passed_pkts;
		sum.in_passed_pkts += counts[i].in_passed_pkts;
		sum.steered_pkts += counts[i].steered_pkts;
		sum.given_back += counts[i].given_back;
		sum.told += counts[i].told;
		sum.untold += counts[i].untold;
	}
	*ret_counts = sum;
}

/* ------ tests */

void fast_set_time(struct fast *fast, uint64_t now_ns)
{
	fast->skeleton->bss->fast_test_now_ns = now_ns;
}

void fast_set_test_zone(struct fast *fast, uint16_t zone)
{
	fast->interfaces_count = 0;
	add_interface(fast, 1, zone);
}

void fast_set_test_looks(struct fast *fast, bool looks)
{
	fast->skeleton->bss->fast_test_looks = looks;
}

static int run(struct fast *fast, const struct fast_frame *frame, int times,
	       struct bpf_test_run_opts *options)
{
	const struct symtap *skeleton = fast->skeleton;
	struct __sk_buff context = {
		.mark = frame->mark,
		.ifindex = 1,
		.ingress_ifindex = 1,
		.gso_size = frame->gso_size,
		.gso_segs = frame->gso_segs,
	};
	struct __sk_buff after;
	int error;

	options->data_in = frame->bytes;
	options->data_size_in = frame->count_bytes;
	options->ctx_in = &context;
	options->ctx_size_in = sizeof(context);
	options->ctx_out = &after;
	options->ctx_size_out = sizeof(after);
	options->repeat = times;
	error = bpf_prog_test_run_opts(
		bpf_program__fd(frame->out ? skeleton->progs.symtap_out
					   : skeleton->progs.symtap_in),
		options);
	if (error == 0)
		options->retval = after.mark;
	return error;
}

int fast_run(struct fast *fast, const struct fast_frame *frame,
	     uint32_t *ret_mark)
{
	struct bpf_test_run_opts options = { .sz = sizeof(options) };
	int error = run(fast, frame, 1, &options);

	if (error == 0)
		*ret_mark = options.retval;
	return error;
}

int fast_run_ns(struct fast *fast, const struct fast_frame *frame, int times,
		uint32_t *ret_ns)
{
	struct bpf_test_run_opts options = { .sz = sizeof(options) };
	int error = run(fast, frame, times, &options);

	if (error == 0)
		*ret_ns = options.duration;
	return error;
}
