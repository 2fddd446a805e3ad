/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "policy/units.h"

#define TOKEN "symtap"

struct store {
	struct xs_handle *xs;
	uint32_t domain;              /* our own */
	xs_transaction_t transaction; /* XBT_NULL: none */
	bool lost;
};

/* What XenStore itself answers; everything else is the connection's end. */
static int error_of(struct store *store)
{
	static const int answers[] = { EINVAL, EACCES,    EEXIST, EISDIR,
				       ENOENT, ENOMEM,    ENOSPC, EIO,
				       EBUSY,  EAGAIN,    EROFS,  E2BIG,
				       EPERM,  EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (errno == answers[i])
			return -errno;
	store->lost = true;
	return -ENOTCONN;
}

/* Domain 0 has no such key with some tool stacks. */
static int read_domain(struct store *store)
{
	char text[8];
	ssize_t length = store_read(store, "domid", text, sizeof(text) - 1);
	uint64_t domain;

	if (length == -ENOENT)
		return 0;
	if (length < 0)
		return (int)length;
	text[length] = '\0';
	if (units_parse_count(text, 0, UINT16_MAX, &domain) != UNITS_OK)
		return -EINVAL;
	store->domain = (uint32_t)domain;
	return 0;
}

int store_open(struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	int error;

	if (store == NULL)
		return -ENOMEM;
	errno = 0;
	store->xs = xs_open(0);
	if (store->xs == NULL) {
		error = errno ? -errno : -ENOTCONN;
		free(store);
		return error;
	}
	error = read_domain(store);
	if (error < 0) {
		store_close(store);
		return error;
	}
	*ret_store = store;
	return 0;
}

uint32_t store_domain(const struct store *store)
{
	return store->domain;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	xs_close(store->xs);
	free(store);
}

int store_watch(struct store *store, const char *path)
{
	if (store->lost)
		return -ENOTCONN;
	return xs_watch(store->xs, path, TOKEN) ? 0 : error_of(store);
}

void store_unwatch(struct store *store, const char *path)
{
	if (!store->lost && !xs_unwatch(store->xs, path, TOKEN))
		error_of(store);
}

int store_fd(const struct store *store)
{
	return xs_fileno(store->xs);
}

int store_next(struct store *store, char ret_path[STORE_PATH_BYTES])
{
	char **event;
	size_t length;

	do {
		if (store->lost)
			return -ENOTCONN;
		event = xs_check_watch(store->xs);
		if (event == NULL)
			return errno == EAGAIN ? 0 : error_of(store);
		length = strlen(event[XS_WATCH_PATH]);
		if (length < STORE_PATH_BYTES)
			memcpy(ret_path, event[XS_WATCH_PATH], length + 1);
		free(event);
	} while (length >= STORE_PATH_BYTES);
	return 1;
}

ssize_t store_read(struct store *store, const char *path, void *ret_value,
		   size_t room)
{
	unsigned int length = 0;
	void *value;

	if (store->lost)
		return -ENOTCONN;
	value = xs_read(store->xs, store->transaction, path, &length);
	if (value == NULL)
		return error_of(store);
	if (length <= room)
		memcpy(ret_value, value, length);
	free(value);
	return length <= room ? (ssize_t)length : -EMSGSIZE;
}

int store_write(struct store *store, const char *path, const void *value,
		size_t length_bytes)
{
	if (store->lost)
		return -ENOTCONN;
	return xs_write(store->xs, store->transaction, path, value,
			(unsigned int)length_bytes)
		       ? 0
		       : error_of(store);
}

int store_remove(struct store *store, const char *path)
{
	int error;

	if (store->lost)
		return -ENOTCONN;
	error = xs_rm(store->xs, store->transaction, path) ? 0
							   : error_of(store);
	return error == -ENOENT ? 0 : error;
}

static int permit(struct store *store, const char *path, uint32_t domain,
		  unsigned int count)
{
	struct xs_permissions permissions[] = {
		{ .id = store->domain, .perms = XS_PERM_NONE },
		{ .id = domain, .perms = XS_PERM_READ },
	};

	if (store->lost)
		return -ENOTCONN;
	return xs_set_permissions(store->xs, XBT_NULL, path, permissions, count)
		       ? 0
		       : error_of(store);
}

int store_show(struct store *store, const char *path, uint32_t domain)
{
	return permit(store, path, domain, 2);
}

int store_hide(struct store *store, const char *path)
{
	return permit(store, path, 0, 1);
}

int store_is_ours(struct store *store, const char *path)
{
	struct xs_permissions *list;
	unsigned int count = 0, trusted = 0;

	if (store->lost)
		return -ENOTCONN;
	list = xs_get_permissions(store->xs, XBT_NULL, path, &count);
	if (list == NULL)
		return error_of(store);
	/* The first names the owner, who may do everything, and what all
	 * those may do who are not named. */
	for (unsigned int i = 0; i < count; i++) {
		bool known = list[i].id == 0 || list[i].id == store->domain;

		trusted += i == 0 ? known && !(list[i].perms & XS_PERM_WRITE)
				  : known || !(list[i].perms & XS_PERM_WRITE);
	}
	free(list);
	return count > 0 && trusted == count;
}

int store_begin(struct store *store)
{
	if (store->lost)
		return -ENOTCONN;
	store->transaction = xs_transaction_start(store->xs);
	return store->transaction != XBT_NULL ? 0 : error_of(store);
}

int store_end(struct store *store, bool commit)
{
	xs_transaction_t transaction = store->transaction;

	store->transaction = XBT_NULL;
	if (store->lost)
		return -ENOTCONN;
	return xs_transaction_end(store->xs, transaction, !commit)
		       ? 0
		       : error_of(store);
}

ssize_t store_list(struct store *store, const char *path,
		   void (*on_name)(void *self, const char *name), void *self)
{
	unsigned int count = 0;
	char **names;

	if (store->lost)
		return -ENOTCONN;
	names = xs_directory(store->xs, XBT_NULL, path, &count);
	if (names == NULL)
		return error_of(store);
	for (unsigned int i = 0; i < count && i < STORE_LIST_MAX; i++)
		on_name(self, names[i]);
	free(names);
	return count;
}
