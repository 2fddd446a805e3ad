# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of several rounds, as a table says them."""

import statistics


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def spread(values, digits):
    """Median, least and most."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    middle, least, most = (f"{value:.{digits}f}" for value in (
        statistics.median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least}-{most})"


def ratios(values, stock):
    """Round by round: what was measured side by side."""
    return [value / other for value, other in zip(values, stock)
            if value is not None and other]


def table(head, rows):
    """Lines of Markdown, with columns as wide as what stands in them."""
    widths = [max(len(row[at]) for row in (head, *rows))
              for at in range(len(head))]

    def line(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in
                                 zip(cells, widths)) + " |"

    return "\n".join((line(head),
                      "|" + "|".join("-" * (width + 2) for width in widths) +
                      "|", *map(line, rows)))
