/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_REQUEST_STATE_H
#define SHAPER_DAEMON_REQUEST_STATE_H

/*
 * The words of `export` and `import`: which keys are asked for, and one key
 * that is told.  Pure, and as strict as requests.h.
 *
 *	export all | uuid=UUID | address=ADDRESS
 *	import [uuid=UUID] scope=host|pair|flow inside=ADDRESS
 *	       [outside=ADDRESS] [proto=N inside_port=N outside_port=N]
 *	       [zone=NAME] penalty=N wait_ns=N window=AGE_NS/SENT/HEARD[,...]
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/zones.h"
#include "shaper/daemon/state.h"
#include "shaper/pump.h"

enum request_state_by {
	REQUEST_STATE_ALL,
	REQUEST_STATE_UUID,
	REQUEST_STATE_ADDRESS,
};

struct request_state {
	enum request_state_by by;    /* export */
	char uuid[STATE_UUID_BYTES]; /* "": none */
	char zone[ZONE_NAME_SIZE];   /* import; "": the guest's own vif */
	struct pump_record record;   /* import; key.zone is 0 */
};

#define REQUEST_STATE_NS_MAX   UINT64_C(60000000000)
#define REQUEST_STATE_PKTS_MAX (1u << 26)

/* 36 characters: small hexadecimal digits and four dashes. */
bool request_state_is_uuid(const char *text);

/* `words` without the verb.  ret_address: of export.  false: ret_wrong says
 * what is wrong and what would be right. */
bool request_state_export(char *const words[], size_t count,
			  struct request_state *state, uint8_t ret_address[16],
			  const char **ret_wrong);
bool request_state_import(char *const words[], size_t count,
			  struct request_state *state, const char **ret_wrong);

#endif
