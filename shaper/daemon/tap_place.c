/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/tap_place.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/tap_socket.h"
#include "xen-hooks/tap_vchan.h"
#include "xen-hooks/vif_keys.h"

bool tap_place_read(const char *text, struct tap_place *ret_place)
{
	unsigned long domain;
	char *end;

	if (strncmp(text, "unix:/", 6) == 0) {
		*ret_place = (struct tap_place){ .path = text + 5 };
		return true;
	}
	if (strncmp(text, "vchan:", 6) != 0 || !isdigit(text[6]))
		return false;
	domain = strtoul(text + 6, &end, 10);
	if (*end != '\0' || domain >= VIFKEYS_DOMAINS)
		return false;
	*ret_place = (struct tap_place){ .domain = (uint32_t)domain };
	return true;
}

int tap_place_connect(const struct tap_place *place, struct tapwire *ret_wire)
{
	if (place->path != NULL)
		return tapsocket_connect(place->path, ret_wire);
	return tapvchan_connect(place->domain, ret_wire);
}
