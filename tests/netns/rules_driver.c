/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Drives shaper/io/nft_rules.h for the tests beside it:
 *
 *	rules_driver POLICY [SHARDS [SEED [CONNTRACK]]]
 *
 * reads one command a line from standard input and answers each with one line,
 * "ok ..." or "no ERRNO TEXT", after as many lines of results as there are.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowtable/shard.h"
#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/io/nft_rules.h"
#include "shaper/pump.h"

enum { ROWS_MAX = 4096, WORDS_MAX = 12, LOG_GROUP = 0x5359 };

struct driver {
	struct nftrules *rules;
	struct nftrules_refuser *refuser;
	struct policy *policy;
	struct nftrules_config config;
	unsigned long lacks;
};

/* The linker sends what is asked for memory through here. */
static unsigned long asked, lacks_at;

static bool lacks(void)
{
	return lacks_at > 0 && ++asked == lacks_at;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
	return lacks() ? NULL : __real_malloc(bytes);
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
	return lacks() ? NULL : __real_calloc(count, bytes);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct policy *load(const char *path)
{
	static char text[1 << 24];
	struct policy_errors errors;
	char line[POLICY_ERROR_LINE_SIZE];
	struct policy *policy = NULL;
	FILE *file = fopen(path, "re");
	size_t bytes, i;

	if (!file)
		return NULL;
	bytes = fread(text, 1, sizeof(text), file);
	fclose(file);
	if (policy_parse(path, text, bytes, &policy, &errors))
		return policy;
	for (i = 0; i < errors.count; i++) {
		policy_errors_print(&errors, i, line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	return NULL;
}

static void answer(const struct driver *driver, int error)
{
	if (error == 0)
		printf("ok\n");
	else
		printf("no %d %s\n", -error, nftrules_error(driver->rules));
	fflush(stdout);
}

static const char *text_of(const uint8_t addr[16], char text[64])
{
	static const uint8_t V4[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(addr, V4, sizeof(V4)) == 0)
		inet_ntop(AF_INET, addr + 12, text, 64);
	else
		inet_ntop(AF_INET6, addr, text, 64);
	return text;
}

static bool address_of(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (inet_pton(AF_INET6, text, addr) == 1)
		return true;
	addr[10] = addr[11] = 0xff;
	return inet_pton(AF_INET, text, addr + 12) == 1;
}

/* As vifs have them: each port of a binding is its MAC's; odd ones stamp. */
static bool add_owners(struct policy *policy)
{
	struct policy_owner owner;

	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		if (binding->interface[0] == '\0')
			continue;
		memcpy(owner.interface, binding->interface,
		       sizeof(owner.interface));
		memcpy(owner.mac, binding->mac, sizeof(owner.mac));
		owner.stamps = owner.mac[5] % 2 != 0;
		if (!policy_add_owner(policy, &owner))
			return false;
	}
	return policy_prepare(policy);
}

/* Netback judges each of these ports, and the program has none. */
static bool add_judged(struct policy *policy)
{
	struct policy_vif vif = { .way = POLICY_WAY_NETBACK };

	for (size_t i = 0; i < policy->owners_count; i++) {
		memcpy(vif.interface, policy->owners[i].interface,
		       sizeof(vif.interface));
		if (!policy_add_vif(policy, &vif))
			return false;
	}
	return policy_prepare(policy);
}

/* update PATH [owners [judged]]; lack N: in the next one, the N-th time that
 * memory is asked for there is none */
static int update(struct driver *driver, const char *path, bool owners,
		  bool judged)
{
	unsigned long lacks_next = driver->lacks;
	struct policy *policy = load(path);
	int error;

	if (!policy || (owners && !add_owners(policy)) ||
	    (judged && !add_judged(policy)))
		return -EINVAL;
	driver->config.fast = judged;
	driver->config.policy = policy;
	driver->lacks = 0;
	asked = 0;
	lacks_at = lacks_next;
	error = nftrules_update(driver->rules, &driver->config);
	lacks_at = 0;
	printf("asked %lu\n", asked);
	if (error) {
		driver->config.policy = driver->policy;
		policy_free(policy);
		return error;
	}
	policy_free(driver->policy);
	driver->policy = policy;
	return 0;
}

static int counters(struct driver *driver)
{
	static struct nftrules_counter rows[ROWS_MAX];
	size_t count = 0, i;
	int error = nftrules_counters(driver->rules, rows, ROWS_MAX, &count);

	for (i = 0; !error && i < count; i++)
		printf("%llu %s\n", (unsigned long long)rows[i].pkts,
		       rows[i].name);
	return error;
}

static int offenders(struct driver *driver)
{
	static struct nftrules_offender rows[ROWS_MAX];
	char text[64];
	size_t count = 0, i;
	int error = nftrules_offenders(driver->rules, rows, ROWS_MAX, &count);

	for (i = 0; !error && i < count; i++) {
		const uint8_t *mac = rows[i].mac;

		printf("%s %02x:%02x:%02x:%02x:%02x:%02x %s %llu %llu\n",
		       rows[i].interface, mac[0], mac[1], mac[2], mac[3],
		       mac[4], mac[5], text_of(rows[i].addr, text),
		       (unsigned long long)rows[i].pkts,
		       (unsigned long long)(rows[i].seen_ago_ns / 1000000));
	}
	return error;
}

static int refusals(struct driver *driver)
{
	static struct nftrules_refused rows[ROWS_MAX];
	char inside[64], outside[64];
	size_t count = 0, i;
	int error = nftrules_refusals(driver->rules, rows, ROWS_MAX, &count);

	for (i = 0; !error && i < count; i++)
		printf("%s %s %u %s %u %s %u %llu %llu\n",
		       rows[i].spared ? "spared" : "refused", rows[i].interface,
		       rows[i].proto, text_of(rows[i].inside, inside),
		       rows[i].inside_port, text_of(rows[i].outside, outside),
		       rows[i].outside_port, (unsigned long long)rows[i].pkts,
		       (unsigned long long)(rows[i].left_ns / 1000000));
	return error;
}

/* refuse|spare|lift SCOPE INTERFACE MS INSIDE [OUTSIDE [PROTO SPORT DPORT]] */
static int refuse(struct driver *driver, char **words, size_t count)
{
	static const char *const KINDS[] = { "refuse", "spare", "lift" };
	struct pump_refusal refusal = { 0 };
	const char *interface = words[2];
	uint64_t now = now_ns();
	size_t full = 0, i;
	int error;

	for (i = 0; i < 3; i++)
		if (strcmp(words[0], KINDS[i]) == 0)
			refusal.kind = (uint8_t)i;
	for (i = 0; i < FLOW_SCOPES; i++)
		if (strcmp(words[1], flow_scope_name((enum flow_scope)i)) == 0)
			refusal.key.scope = (uint8_t)i;
	refusal.until_ns = now + strtoull(words[3], NULL, 10) * 1000000;
	if (!address_of(words[4], refusal.key.inside) ||
	    (count > 5 && !address_of(words[5], refusal.key.outside)))
		return -EINVAL;
	if (count > 8) {
		refusal.key.proto = (uint8_t)atoi(words[6]);
		refusal.key.inside_port = (uint16_t)atoi(words[7]);
		refusal.key.outside_port = (uint16_t)atoi(words[8]);
	}
	error = nftrules_refuse(driver->refuser, &refusal, &interface, 1, &full,
				now);
	printf("full %zu\n", full);
	return error;
}

/* refuse_many COUNT INTERFACE MS: as many flows at once, and how long it took
 */
static int refuse_many(struct driver *driver, char **words)
{
	size_t count = strtoul(words[1], NULL, 10), full = 0, i;
	struct pump_refusal *list = calloc(count, sizeof(*list));
	const char **interfaces = calloc(count, sizeof(*interfaces));
	uint64_t begin = now_ns();
	int error;

	for (i = 0; i < count; i++) {
		struct flow_key *key = &list[i].key;

		interfaces[i] = words[2];
		list[i].until_ns =
			begin + strtoull(words[3], NULL, 10) * 1000000;
		key->scope = FLOW_SCOPE_FLOW;
		key->proto = 17;
		address_of("10.20.0.7", key->inside);
		address_of("192.0.2.2", key->outside);
		key->inside_port = (uint16_t)i;
		key->outside_port = (uint16_t)(i >> 16);
	}
	begin = now_ns();
	error = nftrules_refuse(driver->refuser, list, interfaces, count, &full,
				begin);
	printf("us %llu full %zu\n",
	       (unsigned long long)((now_ns() - begin) / 1000), full);
	free(list);
	free(interfaces);
	return error;
}

/* watch MS: what happens next, within so long */
static int watch(struct driver *driver, int ms)
{
	static const char *const NAMES[] = { "quiet", "altered", "unsure",
					     "conntrack" };
	struct pollfd fd = { .fd = nftrules_watch_fd(driver->rules),
			     .events = POLLIN };
	uint64_t deadline = now_ns() + (uint64_t)ms * 1000000;
	enum nftrules_event event = NFTRULES_QUIET;
	int error = 0;

	while (!error && event == NFTRULES_QUIET && now_ns() < deadline) {
		poll(&fd, 1, (int)((deadline - now_ns()) / 1000000) + 1);
		error = nftrules_watch(driver->rules, &event);
	}
	printf("%s\n", NAMES[event]);
	return error;
}

static int logs(struct driver *driver, int ms)
{
	struct pollfd fd = { .fd = nftrules_log_fd(driver->rules),
			     .events = POLLIN };
	char src[64], dst[64];
	struct nftrules_log row;
	uint64_t lost = 0;

	poll(&fd, 1, ms);
	while (nftrules_next_log(driver->rules, &row, &lost))
		printf("%d %s %s %u %s %u proto %u flags %u bytes %u %s %s\n",
		       (int)row.priority, row.out ? "out" : "in",
		       text_of(row.src, src), row.src_port,
		       text_of(row.dst, dst), row.dst_port, row.proto,
		       row.tcp_flags, row.length_bytes, row.in_interface,
		       row.out_interface);
	printf("lost %llu\n", (unsigned long long)lost);
	return 0;
}

static int install(struct driver *driver)
{
	int error = nftrules_install(driver->rules, &driver->config);

	if (!error && !driver->refuser)
		error = nftrules_refuser_open(driver->rules, &driver->refuser);
	return error;
}

/* shard ADDRESS: where user space thinks that its host lives */
static int shard(const struct driver *driver, const char *text)
{
	const struct zone zone = { 0 };
	uint8_t addr[16], host[16];

	if (!address_of(text, addr))
		return -EINVAL;
	policy_host_of(driver->policy, addr, &zone, host);
	printf("%u\n", shard_of(host, driver->config.shard_seed,
				driver->config.shards));
	return 0;
}

static int run(struct driver *driver, char **words, size_t count)
{
	int ms = count > 1 ? atoi(words[1]) : 0;

	if (strcmp(words[0], "install") == 0)
		return install(driver);
	if (strcmp(words[0], "lack") == 0 && count > 1) {
		driver->lacks = strtoul(words[1], NULL, 10);
		return 0;
	}
	if (strcmp(words[0], "update") == 0 && count > 1)
		return update(driver, words[1], count > 2, count > 3);
	if (strcmp(words[0], "verify") == 0)
		return nftrules_verify(driver->rules);
	if (strcmp(words[0], "block") == 0)
		return nftrules_leave_blocking(driver->rules);
	if (strcmp(words[0], "remove") == 0)
		return nftrules_remove(driver->rules);
	if (strcmp(words[0], "uninstall") == 0)
		return nftrules_uninstall(driver->rules);
	if (strcmp(words[0], "counters") == 0)
		return counters(driver);
	if (strcmp(words[0], "offenders") == 0)
		return offenders(driver);
	if (strcmp(words[0], "refusals") == 0)
		return refusals(driver);
	if (strcmp(words[0], "refuse_many") == 0 && count == 4)
		return refuse_many(driver, words);
	if (count > 4)
		return refuse(driver, words, count);
	if (strcmp(words[0], "shard") == 0 && count > 1)
		return shard(driver, words[1]);
	if (strcmp(words[0], "watch") == 0)
		return watch(driver, ms);
	if (strcmp(words[0], "logs") == 0)
		return logs(driver, ms);
	if (strcmp(words[0], "method") == 0) {
		printf("%s %s\n", nftrules_method(driver->rules),
		       nftrules_has_room(driver->rules) ? "room" : "no-room");
		return 0;
	}
	return -EINVAL;
}

static enum nftrules_conntrack conntrack_of(const char *word)
{
	if (strcmp(word, "none") == 0)
		return NFTRULES_CONNTRACK_NONE;
	if (strcmp(word, "tracks") == 0)
		return NFTRULES_CONNTRACK_TRACKS;
	if (strcmp(word, "translates") == 0)
		return NFTRULES_CONNTRACK_TRANSLATES;
	return NFTRULES_CONNTRACK_LOOK;
}

int main(int argc, char **argv)
{
	struct driver driver = { 0 };
	char line[512], *words[WORDS_MAX], *rest;
	size_t count;

	if (argc < 2)
		return 2;
	driver.policy = load(argv[1]);
	if (!driver.policy || nftrules_open(&driver.rules) < 0)
		return 1;
	driver.config = (struct nftrules_config){
		.policy = driver.policy,
		.shards = (uint8_t)(argc > 2 ? atoi(argv[2]) : 1),
		.shard_seed = argc > 3 ? (uint32_t)atoi(argv[3]) : 1,
		.conntrack = conntrack_of(argc > 4 ? argv[4] : "look"),
		.log_group = LOG_GROUP,
	};
	while (fgets(line, sizeof(line), stdin)) {
		count = 0;
		for (rest = strtok(line, " \n"); rest && count < WORDS_MAX;
		     rest = strtok(NULL, " \n"))
			words[count++] = rest;
		if (count)
			answer(&driver, run(&driver, words, count));
	}
	nftrules_refuser_close(driver.refuser);
	nftrules_close(driver.rules);
	policy_free(driver.policy);
	return 0;
}
