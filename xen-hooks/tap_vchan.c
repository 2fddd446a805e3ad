/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_vchan.h"

#include <errno.h>
#include <libxenvchan.h>
#include <stdio.h>

#include "xen-hooks/store.h"

/* Powers of two, at least the longest message.  Packets in headers: 400 of
 * them; and what answers them takes a tenth of it. */
enum { PACKETS_BYTES = 1 << 17, VERDICTS_BYTES = 1 << 16 };

_Static_assert(VERDICTS_BYTES > 2 * TAPMESSAGE_BYTES_MAX, "fits in a ring");

static bool has_other(void *self)
{
	return libxenvchan_is_open(self) == 1;
}

/* libxenvchan waits for its event channel when it is told to look at it, and
 * so it is told only when there is an event. */
static void wake(void *self)
{
	libxenvchan_wait(self);
}

static int send_all(void *self, const uint8_t *bytes, size_t count)
{
	int sent;

	if (libxenvchan_is_open(self) == 0)
		return -ENOTCONN;
	sent = libxenvchan_send(self, bytes, count);
	if (sent < 0)
		return -ENOTCONN;
	return sent == 0 ? -EAGAIN : 0;
}

static bool has_room(void *self, size_t bytes)
{
	return libxenvchan_buffer_space(self) >= (int)bytes;
}

/* Who asks for the room is told when there is more. */
static size_t unread_bytes(void *self)
{
	const struct libxenvchan *vchan = self;

	return (size_t)((1 << vchan->write.order) -
			libxenvchan_buffer_space(self));
}

static ssize_t receive(void *self, uint8_t *ret_bytes, size_t room)
{
	int got = libxenvchan_read(self, ret_bytes, room);

	if (got < 0 || (got == 0 && libxenvchan_is_open(self) == 0))
		return -ENOTCONN;
	return got;
}

static void close_vchan(void *self)
{
	libxenvchan_close(self);
}

static void fill(struct libxenvchan *vchan, struct tapwire *ret_wire)
{
	vchan->blocking = 0;
	*ret_wire = (struct tapwire){
		.self = vchan,
		.fd = libxenvchan_fd_for_select(vchan),
		.has_other = has_other,
		.wake = wake,
		.send = send_all,
		.has_room = has_room,
		.unread_bytes = unread_bytes,
		.receive = receive,
		.close = close_vchan,
	};
}

/* This domain's number. */
static int own_domain(uint32_t *ret_domain)
{
	struct store *store;
	int error = store_open(&store);

	if (error < 0)
		return error;
	*ret_domain = store_domain(store);
	store_close(store);
	return 0;
}

static void path_of(uint32_t carrier, uint32_t judge,
		    char ret_path[STORE_PATH_BYTES])
{
	snprintf(ret_path, STORE_PATH_BYTES,
		 "/local/domain/%u/data/symtap-tap/%u", carrier, judge);
}

int tapvchan_grant(uint32_t judge_domain, struct tapwire *ret_wire)
{
	char path[STORE_PATH_BYTES];
	struct libxenvchan *vchan;
	uint32_t own = 0;
	int error = own_domain(&own);

	if (error < 0)
		return error;
	path_of(own, judge_domain, path);
	errno = 0;
	vchan = libxenvchan_server_init(NULL, (int)judge_domain, path,
					VERDICTS_BYTES, PACKETS_BYTES);
	if (vchan == NULL)
		return errno ? -errno : -ENODEV;
	fill(vchan, ret_wire);
	return 0;
}

int tapvchan_connect(uint32_t carrier_domain, struct tapwire *ret_wire)
{
	char path[STORE_PATH_BYTES];
	struct libxenvchan *vchan;
	uint32_t own = 0;
	int error = own_domain(&own);

	if (error < 0)
		return error;
	path_of(carrier_domain, own, path);
	vchan = libxenvchan_client_init(NULL, (int)carrier_domain, path);
	if (vchan == NULL)
		return -ENOENT;
	fill(vchan, ret_wire);
	return 0;
}
