/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/packet.h"

const char *packet_error_name(enum packet_error error)
{
	switch (error) {
	case PACKET_OK:
		return "ok";
	case PACKET_NOT_IP:
		return "not_ip";
	case PACKET_TRUNCATED:
		return "truncated";
	case PACKET_BAD_VERSION:
		return "bad_version";
	case PACKET_BAD_LENGTH:
		return "bad_length";
	case PACKET_TOO_MANY_HEADERS:
		return "too_many_headers";
	case PACKET_BAD_ADDRESS:
		return "bad_address";
	case PACKET_ERRORS:
		break;
	}
	return "?";
}
