/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_wire.h"

#include <string.h>

int tapinbox_next(struct tapinbox *inbox, const struct tapwire *wire,
		  struct tapmessage *ret_message)
{
	for (;;) {
		long length = tapmessage_read(inbox->bytes + inbox->from,
					      inbox->end - inbox->from,
					      ret_message);
		ssize_t got;

		if (length < 0)
			return (int)length;
		if (length > 0) {
			inbox->from += (size_t)length;
			return 1;
		}
		memmove(inbox->bytes, inbox->bytes + inbox->from,
			inbox->end - inbox->from);
		inbox->end -= inbox->from;
		inbox->from = 0;
		got = wire->receive(wire->self, inbox->bytes + inbox->end,
				    sizeof(inbox->bytes) - inbox->end);
		if (got <= 0)
			return (int)got;
		inbox->end += (size_t)got;
	}
}

int tapwire_say(const struct tapwire *wire, const struct tapmessage *message)
{
	uint8_t bytes[TAPMESSAGE_BYTES_MAX];

	return wire->send(wire->self, bytes, tapmessage_write(message, bytes));
}
