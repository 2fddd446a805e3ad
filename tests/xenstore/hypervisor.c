/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into Debian's own xenstored, this stands for the hypervisor, so
 * that the real xenstored, with its permissions, watches, transactions and
 * quotas, runs on any Linux.  Its own socket is dom0's.  A domain that is
 * introduced (xenstore_intro) gets HYPERVISOR_DIR/domN.sock: who connects
 * speaks as domain N, by way of the real shared ring.  A datagram "destroy N"
 * to HYPERVISOR_DIR/ctl ends the domain.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include <xen/io/xs_wire.h>

enum {
	DOMAINS = 1024,
	PORT_VIRQ = 1,
	PORT_FIRST = 1000, /* of domain 0 */
	POLL_MS = 20,
	MESSAGE_BYTES = sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX,
	RESET_ID = 0x7fffffff,
};

struct domain {
	struct xenstore_domain_interface *ring;
	pthread_t thread;
	int wake_fd, listen_fd;
	bool dead;
};

struct message {
	uint8_t bytes[MESSAGE_BYTES];
	size_t count_bytes;
};

static struct domain domains[DOMAINS];
static int port_pipe[2] = { -1, -1 };

static const char *folder(void)
{
	const char *path = getenv("HYPERVISOR_DIR");

	return path ? path : "/nonexistent";
}

static void raise_port(unsigned int port)
{
	if (write(port_pipe[1], &port, sizeof(port)) != sizeof(port))
		_exit(1);
}

static int open_socket(const char *name, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder(),
		 name);
	unlink(address.sun_path);
	if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 8) < 0)) {
		perror(address.sun_path);
		_exit(1);
	}
	return fd;
}

/* ------ a domain's ring, and its socket */

static void ring_put(struct domain *domain, unsigned int port,
		     const uint8_t *bytes, size_t count)
{
	struct xenstore_domain_interface *ring = domain->ring;
	struct pollfd wake = { .fd = domain->wake_fd, .events = POLLIN };

	while (count > 0 && !domain->dead) {
		uint32_t prod = ring->req_prod;
		uint32_t cons =
			__atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE);
		size_t room = XENSTORE_RING_SIZE - (prod - cons);
		size_t part = count < room ? count : room;

		if (room == 0) {
			poll(&wake, 1, POLL_MS);
			continue;
		}
		for (size_t i = 0; i < part; i++)
			ring->req[MASK_XENSTORE_IDX(prod + i)] = (char)bytes[i];
		__atomic_store_n(&ring->req_prod, prod + (uint32_t)part,
				 __ATOMIC_RELEASE);
		bytes += part;
		count -= part;
		raise_port(port);
	}
}

static size_t ring_get(struct domain *domain, unsigned int port, uint8_t *bytes,
		       size_t room)
{
	struct xenstore_domain_interface *ring = domain->ring;
	uint32_t prod = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
	uint32_t cons = ring->rsp_cons;
	size_t count = prod - cons;

	if (count > room)
		count = room;
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)ring->rsp[MASK_XENSTORE_IDX(cons + i)];
	if (count == 0)
		return 0;
	__atomic_store_n(&ring->rsp_cons, cons + (uint32_t)count,
			 __ATOMIC_RELEASE);
	raise_port(port);
	return count;
}

/* One more byte of an answer; true: it is complete. */
static bool message_add(struct message *message, uint8_t byte)
{
	const struct xsd_sockmsg *head = (const void *)message->bytes;

	message->bytes[message->count_bytes++] = byte;
	return message->count_bytes >= sizeof(*head) &&
	       message->count_bytes == sizeof(*head) + head->len;
}

/*
 * What xenstored says to whoever speaks as this domain; nobody: it is dropped.
 * true: a request that reset the domain's watches was answered.
 */
static bool answer(struct domain *domain, unsigned int port,
		   struct message *message, int client)
{
	const struct xsd_sockmsg *head = (const void *)message->bytes;
	uint8_t bytes[XENSTORE_RING_SIZE];
	bool reset = false;
	size_t count;

	while ((count = ring_get(domain, port, bytes, sizeof(bytes))) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (!message_add(message, bytes[i]))
				continue;
			if (head->req_id == RESET_ID)
				reset = true;
			else if (client >= 0 &&
				 send(client, message->bytes,
				      message->count_bytes, MSG_NOSIGNAL) < 0)
				client = -1;
			message->count_bytes = 0;
		}
	}
	return reset;
}

/* The next who speaks as this domain finds no watches of the last one. */
static void reset(struct domain *domain, unsigned int port)
{
	struct {
		struct xsd_sockmsg head;
		char zero;
	} request = { { XS_RESET_WATCHES, RESET_ID, 0, 1 }, 0 };

	ring_put(domain, port, (const uint8_t *)&request,
		 sizeof(request.head) + 1);
}

static void serve(struct domain *domain, unsigned int port, int client)
{
	struct message message = { .count_bytes = 0 };
	uint8_t bytes[XENSTORE_RING_SIZE];
	bool leaving = false;

	while (!domain->dead) {
		struct pollfd fds[] = {
			{ .fd = domain->wake_fd, .events = POLLIN },
			{ .fd = leaving ? -1 : client, .events = POLLIN },
		};
		uint64_t wakes;
		ssize_t count;

		poll(fds, 2, POLL_MS);
		if (fds[0].revents & POLLIN &&
		    read(domain->wake_fd, &wakes, sizeof(wakes)) < 0)
			_exit(1);
		if (answer(domain, port, &message, leaving ? -1 : client))
			return;
		if (leaving || !fds[1].revents)
			continue;
		count = read(client, bytes, sizeof(bytes));
		if (count > 0) {
			ring_put(domain, port, bytes, (size_t)count);
			continue;
		}
		leaving = true;
		reset(domain, port);
	}
}

static void *run(void *self)
{
	struct domain *domain = self;
	unsigned int port = PORT_FIRST + (unsigned int)(domain - domains);
	struct pollfd listener = { .fd = domain->listen_fd, .events = POLLIN };

	while (!domain->dead) {
		int client;

		if (poll(&listener, 1, POLL_MS) <= 0)
			continue;
		client = accept4(domain->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0)
			continue;
		serve(domain, port, client);
		close(client);
	}
	close(domain->listen_fd);
	return NULL;
}

static void *take_orders(void *self)
{
	int fd = *(int *)self;
	char order[64];

	for (;;) {
		ssize_t count = recv(fd, order, sizeof(order) - 1, 0);
		unsigned int id;

		if (count <= 0)
			continue;
		order[count] = '\0';
		if (sscanf(order, "destroy %u", &id) != 1 || id >= DOMAINS)
			continue;
		domains[id].dead = true;
		raise_port(PORT_VIRQ);
	}
	return NULL;
}

/* ------ what xenstored calls */

xc_interface *xc_interface_open(xentoollog_logger *logger,
				xentoollog_logger *dombuild_logger,
				unsigned int open_flags)
{
	(void)logger;
	(void)dombuild_logger;
	(void)open_flags;
	return (void *)domains;
}

int xc_interface_close(xc_interface *interface)
{
	(void)interface;
	return 0;
}

int xc_domain_getinfo(xc_interface *interface, uint32_t first, unsigned int max,
		      xc_dominfo_t *info)
{
	(void)interface;
	if (max == 0 || first >= DOMAINS || domains[first].dead)
		return 0;
	memset(info, 0, sizeof(*info));
	info->domid = first;
	info->running = 1;
	return 1;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *logger,
				 unsigned int open_flags)
{
	(void)logger;
	(void)open_flags;
	return (void *)domains;
}

int xengnttab_close(xengnttab_handle *handle)
{
	(void)handle;
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *handle, uint32_t count)
{
	(void)handle;
	(void)count;
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t id,
			      uint32_t ref, int prot)
{
	struct domain *domain;
	char name[32];

	(void)handle;
	(void)ref;
	if (id >= DOMAINS) {
		errno = EINVAL;
		return NULL;
	}
	domain = &domains[id];
	snprintf(name, sizeof(name), "dom%u.sock", id);
	domain->dead = false;
	domain->ring = mmap(NULL, sizeof(*domain->ring), prot | PROT_READ,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	domain->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	domain->listen_fd = open_socket(name, SOCK_STREAM);
	if (domain->ring == MAP_FAILED || domain->wake_fd < 0 ||
	    pthread_create(&domain->thread, NULL, run, domain) != 0)
		_exit(1);
	return domain->ring;
}

int xengnttab_unmap(xengnttab_handle *handle, void *ring, uint32_t count)
{
	char path[512];

	(void)handle;
	(void)count;
	for (int id = 0; id < DOMAINS; id++) {
		struct domain *domain = &domains[id];

		if (domain->ring != ring)
			continue;
		domain->dead = true;
		pthread_join(domain->thread, NULL);
		munmap(ring, sizeof(*domain->ring));
		close(domain->wake_fd);
		domain->ring = NULL;
		snprintf(path, sizeof(path), "%s/dom%d.sock", folder(), id);
		unlink(path);
	}
	return 0;
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger,
				 unsigned int open_flags)
{
	static int orders_fd;
	pthread_t thread;

	(void)logger;
	(void)open_flags;
	orders_fd = open_socket("ctl", SOCK_DGRAM);
	if (pipe2(port_pipe, O_CLOEXEC) < 0 ||
	    pthread_create(&thread, NULL, take_orders, &orders_fd) != 0)
		_exit(1);
	return (void *)domains;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
				   unsigned int open_flags)
{
	(void)logger;
	(void)fd;
	(void)open_flags;
	return NULL;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
	(void)handle;
	return port_pipe[0];
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *handle,
					      unsigned int virq)
{
	(void)handle;
	(void)virq;
	return PORT_VIRQ;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle,
						     uint32_t id,
						     evtchn_port_t port)
{
	(void)handle;
	(void)port;
	return (xenevtchn_port_or_error_t)(PORT_FIRST + id);
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle;
	(void)port;
	return 0;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle;
	(void)port;
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	uint64_t one = 1;

	(void)handle;
	if (port <= PORT_FIRST || port >= PORT_FIRST + DOMAINS ||
	    domains[port - PORT_FIRST].ring == NULL)
		return 0;
	return write(domains[port - PORT_FIRST].wake_fd, &one, sizeof(one)) < 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	unsigned int port;

	(void)handle;
	if (read(port_pipe[0], &port, sizeof(port)) != sizeof(port))
		return -1;
	return (xenevtchn_port_or_error_t)port;
}

/* Where dom0 finds xenstored's own page and event channel. */
int open(const char *path, int flags, ...)
{
	int (*real)(const char *, int, ...) =
		(int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	va_list arguments;
	int mode = 0, fd;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, int);
		va_end(arguments);
	}
	if (strcmp(path, "/proc/xen/xsd_kva") == 0) {
		fd = memfd_create("xsd_kva", 0);
		return ftruncate(fd, 4096) < 0 ? -1 : fd;
	}
	if (strcmp(path, "/proc/xen/xsd_port") == 0) {
		fd = memfd_create("xsd_port", 0);
		if (write(fd, "2", 1) != 1 || lseek(fd, 0, SEEK_SET) < 0)
			return -1;
		return fd;
	}
	return real(path, flags, mode);
}
