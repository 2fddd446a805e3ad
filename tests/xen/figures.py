# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of several rounds, and how a table says them."""

import statistics

STOCK, BARE = "stock", "stock, no br_netfilter"
# Beside which of the two a row is.
BESIDE = {"netback": BARE}


def stock_of(name):
    return BESIDE.get(name, STOCK)


def parts(found, name, part):
    """What was measured of it, round by round."""
    return [figures[name][part] for figures in found["rounds"]
            if part in figures.get(name, {})]


def column(measured, key):
    return [each[key] for each in measured]


def median(values):
    return statistics.median(values) if values else None


def ratios(found, name, other, key):
    """Of what was measured of a free guest side by side, in the same round."""
    pairs = [(figures[name]["free"][key], figures[other]["free"][key])
             for figures in found["rounds"]
             if all("free" in figures.get(each, {}) for each in (name, other))]
    return [mine / theirs for mine, theirs in pairs if theirs]


def module_ratios(found, key):
    """Of ours without a guard to the distribution's."""
    return [pair["patched"][key] / pair["distribution"][key]
            for pair in found["modules"]
            if len(pair) == 2 and pair["distribution"][key]]


def rounds(counts):
    """Of how many rounds the rows of a table are, by their names."""
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        return "no round"
    usual = statistics.mode(counts.values())
    said = [f"{usual} round{'s' if usual > 1 else ''}"]
    for other in sorted({*counts.values()} - {usual}):
        names = [name for name, count in counts.items() if count == other]
        said.append(f"{', '.join(names)} of {other}")
    return "; ".join(said)


def spread(values, digits):
    """Median, least and most."""
    if not values:
        return "-"
    middle, least, most = (f"{value:.{digits}f}" for value in (
        statistics.median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least}-{most})"


def table(head, rows):
    """Lines of Markdown."""
    def line(cells):
        return "| " + " | ".join(cells) + " |"

    return "\n".join((line(head), "|" + "---|" * len(head),
                      *map(line, rows)))
