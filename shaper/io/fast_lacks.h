/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_LACKS_H
#define SHAPER_IO_FAST_LACKS_H

/*
 * Why this kernel did not load the program: asked after it failed, by trying
 * what the program needs one by one.
 */

#include <stddef.h>

enum { FASTLACKS_TEXT_BYTES = 256 };

/* `error`: what loading said, -errno.  `verifier_log`: what the verifier said;
 * "": nothing. */
void fastlacks_tell(int error, const char *verifier_log,
		    char ret_text[FASTLACKS_TEXT_BYTES]);

/* The last line of the verifier's that says why; without its sums. */
void fastlacks_last_line(const char *verifier_log,
			 char ret_line[FASTLACKS_TEXT_BYTES]);

#endif
