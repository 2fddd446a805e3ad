/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_mail.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

struct vifmail {
	int fd;
	struct vif_report *kept; /* from `first` on */
	size_t first, count, room;
};

struct vifmail *vifmail_new(int fd)
{
	struct vifmail *mail = calloc(1, sizeof(*mail));

	if (mail != NULL)
		mail->fd = fd;
	return mail;
}

void vifmail_free(struct vifmail *mail)
{
	if (mail == NULL)
		return;
	free(mail->kept);
	free(mail);
}

static int receive(struct vifmail *mail, struct vif_report *report)
{
	ssize_t got = recv(mail->fd, report, sizeof(*report), MSG_DONTWAIT);

	if (got == (ssize_t)sizeof(*report))
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static bool make_room(struct vifmail *mail)
{
	size_t room = mail->room ? 2 * mail->room : 64;
	struct vif_report *kept = mail->kept;

	if (mail->count < mail->room)
		return true;
	if (room > VIFMAIL_KEPT_MAX)
		return false;
	kept = realloc(kept, room * sizeof(*kept));
	if (kept == NULL)
		return false;
	mail->kept = kept;
	mail->room = room;
	return true;
}

/* false: the other end is gone, or there is no place for more. */
static bool keep(struct vifmail *mail)
{
	int got;

	do {
		if (!make_room(mail))
			return false;
		got = receive(mail, &mail->kept[mail->count]);
		mail->count += got > 0;
	} while (got > 0);
	return got == 0;
}

bool vifmail_say(struct vifmail *mail, const struct vif_order *order)
{
	struct pollfd ready = { .fd = mail->fd, .events = POLLIN | POLLOUT };

	while (send(mail->fd, order, sizeof(*order),
		    MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return false;
		poll(&ready, 1, -1);
		if (ready.revents & (POLLIN | POLLHUP) && !keep(mail))
			return false;
	}
	return true;
}

bool vifmail_has_kept(const struct vifmail *mail)
{
	return mail->first < mail->count;
}

int vifmail_hear(struct vifmail *mail, struct vif_report *ret_report)
{
	if (vifmail_has_kept(mail)) {
		*ret_report = mail->kept[mail->first++];
		return 1;
	}
	mail->first = mail->count = 0;
	return receive(mail, ret_report);
}
