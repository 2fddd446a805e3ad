/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes state files, good as far as they go, into the folder it is given. */
#include <stdio.h>

#include "shaper/daemon/state.h"

int main(int argc, char **argv)
{
	struct pump_record record = { .runs_count = 3 };
	uint8_t address[16] = { 1, 2, 3 };
	char path[4096];
	int items;

	if (argc != 2)
		return 2;
	for (items = 0; items < 4; items++) {
		struct state_writer writer;

		state_begin(&writer, 1);
		if (items > 0)
			state_add_counter(&writer, "core.sent_pkts", 7);
		if (items > 1)
			state_add_exemption(&writer, address, 60);
		if (items > 2)
			state_add_record(&writer, &record, "lan0");
		snprintf(path, sizeof(path), "%s/state%d", argv[1], items);
		if (state_save(&writer, path) < 0)
			return 1;
		state_fini(&writer);
	}
	return 0;
}
