/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/xenstore/store_bed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#include <cmocka.h>

#include "xen-hooks/store.h"

uint64_t store_bed_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * S + (uint64_t)time.tv_nsec;
}

/* ------ xenstored */

static void path_in(const struct store_bed *bed, const char *name,
		    char path[108])
{
	snprintf(path, 108, "%s/%s", bed->folder, name);
}

struct xs_handle *store_bed_speak(const struct store_bed *bed, const char *name)
{
	struct xs_handle *xs = NULL;
	uint64_t until_ns = store_bed_now() + 10 * S;
	char path[108];

	path_in(bed, name, path);
	setenv("XENSTORED_PATH", path, 1);
	while (xs == NULL && store_bed_now() < until_ns) {
		xs = xs_open(0);
		if (xs == NULL)
			usleep(5000);
	}
	assert_non_null(xs);
	path_in(bed, "socket", path);
	setenv("XENSTORED_PATH", path, 1);
	return xs;
}

void store_bed_start(struct store_bed *bed)
{
	char path[108];

	path_in(bed, "socket", path);
	unlink(path);
	fflush(NULL);
	bed->xenstored = fork();
	assert_true(bed->xenstored >= 0);
	if (bed->xenstored == 0) {
		setenv("XENSTORED_RUNDIR", bed->folder, 1);
		setenv("XENSTORED_ROOTDIR", bed->folder, 1);
		setenv("XENSTORED_PATH", path, 1);
		setenv("HYPERVISOR_DIR", bed->folder, 1);
		setenv("LD_PRELOAD", SYMTAP_HYPERVISOR, 1);
		execl(SYMTAP_XENSTORED, "xenstored", "-N", (char *)NULL);
		_exit(127);
	}
	bed->dom0 = store_bed_speak(bed, "socket");
}

void store_bed_stop(struct store_bed *bed)
{
	xs_close(bed->dom0);
	kill(bed->xenstored, SIGKILL);
	waitpid(bed->xenstored, NULL, 0);
}

void store_bed_put(struct xs_handle *xs, const char *value, const char *format,
		   ...)
{
	char path[STORE_PATH_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	assert_true(
		xs_write(xs, XBT_NULL, path, value, (unsigned)strlen(value)));
}

void store_bed_domain(const struct store_bed *bed, uint32_t id)
{
	struct xs_permissions guests = { .id = id, .perms = XS_PERM_NONE };
	char path[STORE_PATH_BYTES], text[64];

	assert_true(xs_introduce_domain(bed->dom0, id, 0, 1));
	snprintf(path, sizeof(path), "/local/domain/%u", id);
	store_bed_put(bed->dom0, "", "%s", path);
	snprintf(text, sizeof(text), "guest%u", id);
	store_bed_put(bed->dom0, text, "%s/name", path);
	snprintf(text, sizeof(text), "/vm/00000000-0000-4000-8000-%012u", id);
	store_bed_put(bed->dom0, text, "%s/vm", path);
	snprintf(path, sizeof(path), "/local/domain/%u/device", id);
	store_bed_put(bed->dom0, "", "%s", path);
	assert_true(xs_set_permissions(bed->dom0, XBT_NULL, path, &guests, 1));
}

void store_bed_vif(const struct store_bed *bed, uint32_t id, const char *state)
{
	struct xs_permissions perms[] = {
		{ .id = 0, .perms = XS_PERM_NONE },
		{ .id = id, .perms = XS_PERM_READ },
	};
	char path[STORE_PATH_BYTES], text[64];

	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/0", id);
	store_bed_put(bed->dom0, "", "%s", path);
	assert_true(xs_set_permissions(bed->dom0, XBT_NULL, path, perms, 2));
	snprintf(text, sizeof(text), "00:16:3e:00:%02x:%02x", id >> 8 & 255,
		 id & 255);
	store_bed_put(bed->dom0, text, "%s/mac", path);
	snprintf(text, sizeof(text), "10.9.%u.%u 2001:db8::%u", id >> 8 & 255,
		 id & 255, id);
	store_bed_put(bed->dom0, text, "%s/ip", path);
	store_bed_put(bed->dom0, "xenbr0", "%s/bridge", path);
	store_bed_put(bed->dom0, state, "%s/state", path);
}

void store_bed_key(const struct store_bed *bed, uint32_t id, const char *name,
		   const char *value)
{
	store_bed_put(bed->dom0, value, "/local/domain/0/backend/vif/%u/0/%s",
		      id, name);
}

void store_bed_open(struct store_bed *bed)
{
	snprintf(bed->folder, sizeof(bed->folder), "/tmp/symtap-xs-XXXXXX");
	assert_non_null(mkdtemp(bed->folder));
	store_bed_start(bed);
}

void store_bed_close(struct store_bed *bed)
{
	char command[128];

	store_bed_stop(bed);
	snprintf(command, sizeof(command), "rm -rf %s", bed->folder);
	assert_int_equal(0, system(command));
}
