/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/vif_slots.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024, SLOTS_MAX = 4096 };

int32_t vifslots_parse(const char *text, size_t length_bytes)
{
	static const char name[] = "nr_pending_reqs ";
	const char *at = memmem(text, length_bytes, name, strlen(name));
	int32_t slots = -1;

	if (at == NULL)
		return -1;
	at += strlen(name);
	for (; at < text + length_bytes && *at >= '0' && *at <= '9'; at++) {
		slots = (slots < 0 ? 0 : slots) * 10 + (*at - '0');
		if (slots > SLOTS_MAX)
			return -1;
	}
	return slots;
}

static int32_t read_queue(const char *interface, unsigned int queue)
{
	char path[96], text[TEXT_BYTES];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/xen-netback/%s/io_ring_q%u", interface,
		 queue);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, text, sizeof(text));
	close(fd);
	return got < 0 ? -1 : vifslots_parse(text, (size_t)got);
}

int32_t vifslots_read(const char *interface, uint16_t queues)
{
	int32_t sum = 0;

	for (unsigned int queue = 0; queue < queues; queue++) {
		int32_t slots = read_queue(interface, queue);

		if (slots < 0)
			return -1;
		sum += slots;
	}
	return sum;
}
