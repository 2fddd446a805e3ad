/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_IMPORT_H
#define SHAPER_CTL_IMPORT_H

/* `symtapctl state import`: a document from standard input to the daemon. */

#include <stdbool.h>

enum import_outcome {
	IMPORT_DONE,
	IMPORT_NO,    /* some key, or all, found no place */
	IMPORT_WRONG, /* the document; nothing was asked for */
	IMPORT_UNREACHABLE,
};

/* Says what was done, or what is wrong.  *ret_error: -errno of UNREACHABLE. */
enum import_outcome import_document(const char *socket_path, bool json,
				    int *ret_error);

#endif
