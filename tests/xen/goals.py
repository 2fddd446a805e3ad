# SPDX-License-Identifier: GPL-2.0-or-later
"""What a comparison has to reach."""

import figures

# Where the guest waits with packets of which size, so that nothing may be
# dropped; elsewhere what is dropped is counted.
WAITS = {"queue": ("large",), "ring": ("large",), "rate": ("large", "small"),
         "netback": ("large", "small"), "queue, by the bridge": ("large",),
         "netback, by the bridge": ("large", "small"),
         "queue, no fast path": ("large",), "extension VM": ("large",),
         "granted pages": ("large",)}
SELECTIVE = tuple(name for name in WAITS if name != "rate")
# As README has them; the others tell what that spares.
IN_DOM0 = ("queue", "ring", "rate", "netback")
LATER_PKTS_PER_S = 12
SLOTS = 200
INNOCENT_TIMES = 2
WITHIN = 0.05
SPEEDS = ("tcp_1500", "tcp_750", "tcp_300", "small_pkts_per_s")


def _lost(found, name, part):
    """Of each round; where the guest waits, also what was dropped."""
    return [each["lost"] + (each["dropped"] if part in WAITS.get(name, ())
                            else 0)
            for each in figures.parts(found, name, part)]


def lossless(found, names):
    for name in sorted(set(names) & {*WAITS}):
        for part in ("large", "small"):
            for number, lost in enumerate(_lost(found, name, part), 1):
                if lost:
                    yield (f"lossless: {name}, {part} packets: {lost} lost in "
                           f"round {number}, not 0")


def held(found, names):
    for name in set(names) & set(SELECTIVE):
        for part in ("large", "small"):
            for each in figures.parts(found, name, part):
                if each["later_pkts_per_s"] > LATER_PKTS_PER_S:
                    yield (f"held: {name}, {part} packets: "
                           f"{each['later_pkts_per_s']:.1f} a second after "
                           f"the first one, not {LATER_PKTS_PER_S} at most")


def _waiting(found, names):
    """Where its guest waits, with how many slots: who does not, keeps its
    processor busy."""
    for name in sorted(set(names) & set(SELECTIVE)):
        for part in WAITS[name]:
            yield name, part, figures.parts(found, name, part)


def innocent(found, names):
    for name, part, rounds in _waiting(found, names):
        below = [each for each in rounds if each["slots"] < SLOTS]
        if below:
            idle, beside = (figures.median(figures.column(below, key))
                            for key in ("idle_p99", "p99"))
            if beside >= INNOCENT_TIMES * idle:
                yield (f"innocent: {name}, {part} packets: p99 is "
                       f"{beside:.1f} ms, idle {idle:.1f} ms")
            if lost := sum(figures.column(below, "probe_lost")):
                yield f"innocent: {name}, {part} packets: {lost} lost"


def stock(found, names):
    for name in set(names) & set(IN_DOM0):
        for key in SPEEDS:
            ratio = figures.ratios(found, name, figures.stock_of(name), key)
            if ratio and figures.median(ratio) < 1 - WITHIN:
                yield (f"stock: {name}, {key}: "
                       f"{figures.spread(ratio, 2)} of stock's")


def modules(found, _):
    for key in SPEEDS:
        ratio = figures.module_ratios(found, key)
        if ratio and abs(figures.median(ratio) - 1) > WITHIN:
            yield (f"modules: {key} of the patched netback without a guard: "
                   f"{figures.spread(ratio, 2)} of the distribution's")


def plugged(found, _):
    for way, each in found["plug"].items():
        if each["left"]:
            yield (f"plugged: {way}: vifs that went are left in "
                   f"{', '.join(each['left'])}")


def complete(found, _):
    for each in found["failed"]:
        yield (f"measured: {each['row']}, {each['part']}: "
               f"{each['why'].splitlines()[0]}")


def _names(found):
    return [*dict.fromkeys(name for figures in found["rounds"]
                           for name in figures)]


def missed(found):
    """One line for each goal, its name first."""
    names = _names(found)
    return sorted(line for goal in (lossless, held, innocent, stock, modules,
                                    plugged, complete)
                  for line in goal(found, names))


def unasked(found):
    """The same, of those whose condition was not there: a ring that is full
    has no place for anybody, and a ratio is of two."""
    for name, part, rounds in _waiting(found, _names(found)):
        full = [each["slots"] for each in rounds if each["slots"] >= SLOTS]
        if full:
            yield (f"innocent: {name}, {part} packets: {max(full)} slots "
                   f"waited in {len(full)} of {len(rounds)} rounds, not less "
                   f"than {SLOTS}")
    for name in sorted(set(_names(found)) & set(IN_DOM0)):
        if figures.parts(found, name, "free") and not figures.ratios(
                found, name, figures.stock_of(name), "tcp_1500"):
            yield f"stock: {name}: nobody was without us beside it"
