/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The demo's hosts, good and bad, as one program: one word, one role. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "contrib/demo/bad.h"
#include "contrib/demo/good.h"

static const char usage[] =
	"usage: symtap-demo-traffic upload|ping LOCAL REMOTE SECONDS "
	"KBIT_PER_S\n"
	"       symtap-demo-traffic receive LOCAL SECONDS\n"
	"       symtap-demo-traffic flood|forge|scan INTERFACE SRC_MAC "
	"DST_MAC\n"
	"                           SRC DST PORT PACKETS_PER_S SECONDS\n"
	"Roles of the symtap demo, for namespaces made for it.\n";

static bool read_number(const char *text, unsigned low, unsigned high,
			unsigned *ret_number)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || number < low || number > high)
		return false;
	*ret_number = (unsigned)number;
	return true;
}

static bool read_mac(const char *text, uint8_t ret_mac[6])
{
	unsigned part[6];
	int used = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1],
		   &part[2], &part[3], &part[4], &part[5], &used) != 6 ||
	    text[used] != '\0')
		return false;
	for (int i = 0; i < 6; i++)
		ret_mac[i] = (uint8_t)part[i];
	return true;
}

static bool read_ends(const char *src, const char *dst, struct frame *frame)
{
	int family = strchr(src, ':') == NULL ? AF_INET : AF_INET6;

	frame->family = family == AF_INET ? 4 : 6;
	return inet_pton(family, src, frame->src) == 1 &&
	       inet_pton(family, dst, frame->dst) == 1;
}

/* argv from the deed on. */
static int bad(enum bad_deed deed, int argc, char **argv)
{
	struct bad_order order = { .deed = deed };
	unsigned port;

	if (argc != 9 || !read_mac(argv[2], order.frame.src_mac) ||
	    !read_mac(argv[3], order.frame.dst_mac) ||
	    !read_ends(argv[4], argv[5], &order.frame) ||
	    !read_number(argv[6], 1, 65535, &port) ||
	    !read_number(argv[7], 1, 200000, &order.rate_pkts_per_s) ||
	    !read_number(argv[8], 1, 600, &order.seconds))
		return -EINVAL;
	order.interface = argv[1];
	order.frame.proto = deed == BAD_SCAN ? 6 : 17;
	order.frame.src_port = 40000;
	order.frame.dst_port = (uint16_t)port;
	order.frame.payload_bytes = 958; /* 1 kB with its headers over IPv4 */
	return bad_run(&order);
}

static int good(int (*role)(const struct good_order *), int argc, char **argv)
{
	struct good_order order = { 0 };

	if (argc != 5 || !read_number(argv[3], 1, 600, &order.seconds) ||
	    !read_number(argv[4], 1, 10000000, &order.rate_kbit_per_s))
		return -EINVAL;
	order.local = argv[1];
	order.remote = argv[2];
	return role(&order);
}

static int receive(int argc, char **argv)
{
	struct good_order order = { 0 };

	if (argc != 3 || !read_number(argv[2], 1, 600, &order.seconds))
		return -EINVAL;
	order.local = argv[1];
	return good_receive(&order);
}

static int run(int argc, char **argv)
{
	if (argc < 1)
		return -EINVAL;
	if (strcmp(argv[0], "upload") == 0)
		return good(good_upload, argc, argv);
	if (strcmp(argv[0], "ping") == 0)
		return good(good_ping, argc, argv);
	if (strcmp(argv[0], "receive") == 0)
		return receive(argc, argv);
	if (strcmp(argv[0], "flood") == 0)
		return bad(BAD_FLOOD, argc, argv);
	if (strcmp(argv[0], "forge") == 0)
		return bad(BAD_FORGE, argc, argv);
	if (strcmp(argv[0], "scan") == 0)
		return bad(BAD_SCAN, argc, argv);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	int result;

	/* Whoever started the demo and is gone must not leave a flood. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	result = run(argc - 1, argv + 1);
	if (result == -EINVAL)
		fputs(usage, stderr);
	else if (result < 0)
		fprintf(stderr, "symtap-demo-traffic: %s: %s\n", argv[1],
			strerror(-result));
	return result == 0 ? 0 : result == -EINVAL ? 2 : 1;
}
