/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/link_invariants.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum link_status link_invariants_hold(uint32_t link_type, const uint8_t *bytes,
				      uint32_t captured_bytes,
				      uint32_t wire_bytes,
				      struct packet_meta *ret_meta,
				      enum packet_error *ret_error)
{
	uint8_t *copy = calloc(captured_bytes ? captured_bytes : 1, 1);
	enum packet_error error = PACKET_ERRORS, again = PACKET_ERRORS;
	struct packet_meta meta, meta_again;
	enum link_status status;

	assert(copy);
	if (captured_bytes > 0)
		memcpy(copy, bytes, captured_bytes);
	memset(&meta, 0x55, sizeof(meta));
	memset(&meta_again, 0xaa, sizeof(meta_again));
	status = link_parse(link_type, captured_bytes ? copy : copy + 1,
			    captured_bytes, wire_bytes, &meta, &error);
	assert(status <= LINK_UNKNOWN);
	/* Whatever was in the meta before. */
	assert(status == link_parse(link_type, captured_bytes ? copy : copy + 1,
				    captured_bytes, wire_bytes, &meta_again,
				    &again));
	free(copy);
	if (status != LINK_PARSED)
		return status;
	assert(error == again && error < PACKET_ERRORS);
	assert(memcmp(&meta, &meta_again, sizeof(meta)) == 0);
	assert(meta.length_bytes <= wire_bytes ||
	       meta.length_bytes <= captured_bytes);
	if (error == PACKET_OK)
		assert(meta.ethertype == 0x0800 || meta.ethertype == 0x86dd ||
		       meta.ethertype == 0x0806);
	*ret_meta = meta;
	*ret_error = error;
	return status;
}
