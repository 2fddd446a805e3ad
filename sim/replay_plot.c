/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/replay_plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/address.h"
#include "sim/plot.h"
#include "sim/result.h"
#include "sim/series.h"

enum {
	KEYS_MAX = 4, /* of all passes together */
	OFFERED_COLOUR = 0xb0b0b0,
	THRESHOLD_COLOUR = 0x202020,
	NAME_SIZE = 2 * ADDRESS_TEXT_SIZE + 8,
};

static const unsigned int colours[KEYS_MAX] = { 0x1f5fa8, 0xc23b22, 0x2e8540,
						0x8a4fbf };

struct values {
	struct series_key keys[KEYS_MAX];
	size_t count, bins[KEYS_MAX];
	double duration_s;
	char names[KEYS_MAX][NAME_SIZE];
	double s[KEYS_MAX][SERIES_BINS], threshold[SERIES_BINS];
	double offered[KEYS_MAX][SERIES_BINS], let_out[KEYS_MAX][SERIES_BINS];
	double delay[KEYS_MAX][SERIES_BINS];
};

static void name_key(const struct flow_key *key, char ret_name[NAME_SIZE])
{
	char inside[ADDRESS_TEXT_SIZE], outside[ADDRESS_TEXT_SIZE] = "";

	address_print(key->inside, inside);
	if (key->scope != FLOW_SCOPE_HOST)
		address_print(key->outside, outside);
	snprintf(ret_name, NAME_SIZE, "%s%s%s", inside, outside[0] ? " > " : "",
		 outside);
}

static void read_key(struct values *values, size_t i, size_t bins,
		     uint64_t bin_ns)
{
	const struct series_key *key = &values->keys[i];
	double bin_s = (double)bin_ns / 1e9;

	values->bins[i] = bins;
	name_key(&key->key, values->names[i]);
	for (size_t j = 0; j < bins; j++) {
		const struct series_bin *bin = &key->bins[j];

		values->s[i][j] = (double)bin->offered_s;
		values->offered[i][j] = bin->offered_pkts / bin_s;
		values->let_out[i][j] = bin->let_out_pkts / bin_s;
		values->delay[i][j] = (double)bin->delay_max_ns / 1e6;
		values->threshold[j] = (double)values->keys[0].threshold;
	}
}

static void read_values(const struct result *result, struct values *values)
{
	size_t share = result->passes_count ? KEYS_MAX / result->passes_count
					    : 0;

	for (size_t i = 0; i < result->passes_count; i++) {
		struct series *series = result->passes[i].series;
		size_t bins = series_bins(series), first = values->count;
		double s = (double)bins * (double)series_bin_ns(series) / 1e9;

		if (s > values->duration_s)
			values->duration_s = s;
		values->count +=
			series_worst(series, &values->keys[first], share);
		for (size_t j = first; j < values->count; j++)
			read_key(values, j, bins, series_bin_ns(series));
	}
}

static struct plot_curve curve_of(const struct values *values, size_t i,
				  const double *numbers, enum plot_style style)
{
	return (struct plot_curve){
		.name = values->names[i],
		.values = numbers,
		.count = values->bins[i],
		.style = style,
		.colour = colours[i],
	};
}

static int draw(const char *path, const char *title,
		const struct values *values)
{
	struct plot_curve s[KEYS_MAX + 1], rates[2 * KEYS_MAX];
	struct plot_curve delays[KEYS_MAX];
	size_t count = values->count;
	const struct plot_panel panels[] = {
		{ "S = log2((out + 1) / (in + 1)), as offered", s,
		  count ? count + 1 : 0, 3 },
		{ "packets/s, offered (grey) and let out", rates, 2 * count,
		  1 },
		{ "largest delay, ms", delays, count, 1 },
	};

	for (size_t i = 0; i < count; i++) {
		s[i] = curve_of(values, i, values->s[i], PLOT_LINE);
		rates[i] = curve_of(values, i, values->offered[i], PLOT_STEPS);
		rates[i].colour = OFFERED_COLOUR;
		rates[i].name = "";
		rates[count + i] =
			curve_of(values, i, values->let_out[i], PLOT_STEPS);
		delays[i] = curve_of(values, i, values->delay[i], PLOT_STEPS);
	}
	if (count > 0)
		s[count] = (struct plot_curve){ "threshold", values->threshold,
						values->bins[0], PLOT_DASHES,
						THRESHOLD_COLOUR };
	return plot_write(path, &(struct plot){
					.title = title,
					.duration_s = values->duration_s,
					.panels = panels,
					.panels_count = sizeof(panels) /
							sizeof(panels[0]),
				});
}

int replay_plot(const char *path, const struct result *result)
{
	struct values *values = calloc(1, sizeof(*values));
	int error;

	if (!values)
		return -ENOMEM;
	read_values(result, values);
	error = draw(path, result->file, values);
	free(values);
	return error;
}
