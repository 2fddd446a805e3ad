/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "sim/plot.h"
#include "sim/run.h"

enum { SENDERS = 6, OFFERED_COLOUR = 0xb0b0b0, THRESHOLD_COLOUR = 0x202020 };

static const unsigned int colours[SENDERS] = { 0x1f5fa8, 0xc23b22, 0x2e8540,
					       0x8a4fbf, 0xb8860b, 0x008b8b };

struct values {
	double s[SENDERS][LEDGER_BINS], offered[SENDERS][LEDGER_BINS];
	double let_out[SENDERS][LEDGER_BINS], delay[SENDERS][LEDGER_BINS];
	double gap[SENDERS][LEDGER_BINS];
	double threshold[LEDGER_BINS];
};

static void read_values(const struct run *run, uint32_t count,
			struct values *values)
{
	double bin_s = (double)run->scenario->duration_ns / 1e9 / LEDGER_BINS;
	uint32_t ratio_q16 = run->policy ? run->policy->params[0].ratio_q16
					 : 4u << 16;

	for (uint32_t i = 0; i < count; i++) {
		const struct ledger *ledger = &run->result.senders[i].ledger;

		for (uint32_t j = 0; j < LEDGER_BINS; j++) {
			const struct ledger_bin *bin = &ledger->bins[j];

			values->s[i][j] = bin->has_s ? bin->s_max : NAN;
			values->offered[i][j] = bin->offered_pkts / bin_s;
			values->let_out[i][j] = bin->let_out_pkts / bin_s;
			values->delay[i][j] =
				bin->let_out_pkts > 0
					? (double)bin->delay_max_ns / 1e6
					: NAN;
			values->gap[i][j] =
				bin->let_out_pkts > 0
					? (double)bin->gap_max_ns / 1e6
					: NAN;
		}
	}
	for (uint32_t j = 0; j < LEDGER_BINS; j++)
		values->threshold[j] = log2(ratio_q16 / 65536.0);
}

static struct plot_curve curve_of(const struct run *run, uint32_t sender,
				  const double *values, enum plot_style style)
{
	return (struct plot_curve){
		.name = run->scenario->senders[sender].name,
		.values = values,
		.count = LEDGER_BINS,
		.style = style,
		.colour = colours[sender],
	};
}

static int draw(const char *path, const struct run *run,
		const struct values *values, uint32_t count)
{
	struct plot_curve s[SENDERS + 1], rates[2 * SENDERS], delays[SENDERS];
	struct plot_curve gaps[SENDERS];
	const struct plot_panel panels[] = {
		{ "S = log2((out + 1) / (in + 1))", s, count + 1, 3 },
		{ "packets/s, offered (grey) and let out", rates, 2 * count,
		  1 },
		{ "largest delay, ms", delays, count, 1 },
		{ "ms since the packet before", gaps, count, 1 },
	};
	const struct plot plot = {
		.title = run->scenario->about,
		.duration_s = (double)run->scenario->duration_ns / 1e9,
		.panels = panels,
		.panels_count = sizeof(panels) / sizeof(panels[0]),
	};

	for (uint32_t i = 0; i < count; i++) {
		s[i] = curve_of(run, i, values->s[i], PLOT_LINE);
		rates[i] = curve_of(run, i, values->offered[i], PLOT_STEPS);
		rates[i].colour = OFFERED_COLOUR;
		rates[i].name = "";
		rates[count + i] =
			curve_of(run, i, values->let_out[i], PLOT_STEPS);
		delays[i] = curve_of(run, i, values->delay[i], PLOT_STEPS);
		gaps[i] = curve_of(run, i, values->gap[i], PLOT_STEPS);
	}
	s[count] = (struct plot_curve){ "threshold", values->threshold,
					LEDGER_BINS, PLOT_DASHES,
					THRESHOLD_COLOUR };
	return plot_write(path, &plot);
}

int run_plot(const char *path, const struct run *run)
{
	uint32_t count = run->result.senders_count;
	struct values *values = malloc(sizeof(*values));
	int error;

	if (!values)
		return -ENOMEM;
	if (count > SENDERS)
		count = SENDERS;
	read_values(run, count, values);
	error = draw(path, run, values, count);
	free(values);
	return error;
}
