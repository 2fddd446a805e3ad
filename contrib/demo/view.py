# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees: a screen of 80x24, or a line a second in a pipe."""

import math
import shutil
import sys

import world as w

KINDS = (("flood", "UDP flood, 1 kB"),
         ("forged4", "forged sources, IPv4"),
         ("forged6", "forged sources, IPv6"),
         ("scan", "port scan, TCP SYN"))
NAMES = {f"{w.GOOD} > {w.SERVER}": "good", f"{w.BAD} > {w.SERVER}": "flood",
         f"{w.BAD} > {w.SILENT}": "scan"}


def symmetry(out_pkts, in_pkts):
    """S, as everywhere in this project."""
    return math.log2((out_pkts + 1) / (in_pkts + 1))


def percentile(values, percent):
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def in_ms(micros):
    return "no answer" if micros is None else f"{micros / 1000:.2f} ms"


class Live:
    """One per demo; `second` is called once a second with a Sample."""

    def __init__(self):
        self.on_screen = sys.stdout.isatty()
        encoding = (sys.stdout.encoding or "").lower()
        self.bars = " ▁▂▃▄▅▆▇█" if encoding.startswith("utf") else " .:-=+*#@"
        self.history = []
        self.phase = ""
        if self.on_screen:
            sys.stdout.write("\033[?1049h\033[?25l")

    def close(self):
        if self.on_screen:
            sys.stdout.write("\033[?25h\033[?1049l")
            sys.stdout.flush()
            self.on_screen = False

    def second(self, phase, number, seconds, sample, rows):
        self.history.append(sample.let_out["flood"])
        if self.on_screen:
            self.draw(phase, number, seconds, sample, rows)
        else:
            self.tell(phase, number, sample, rows)
        sys.stdout.flush()

    def tell(self, phase, number, sample, rows):
        if phase != self.phase:
            print(f"\n{phase}")
            self.phase = phase
        offered, let_out = sample.offered, sample.let_out
        forged = [counts["forged4"] + counts["forged6"]
                  for counts in (offered, let_out)]
        line = (f"{number:2} s  flood {offered['flood']:6,.0f}"
                f" > {let_out['flood']:6,.0f}/s"
                f"  forged {forged[0]:5,.0f} > {forged[1]:5,.0f}/s"
                f"  scan {offered['scan']:4,.0f} > {let_out['scan']:4,.0f}/s"
                f"  upload {sample.upload_mbit_per_s:5.1f} Mbit/s"
                f"  ping {in_ms(percentile(sample.rtts_us, 50))}")
        for row in rows:
            line += (f"  S {NAMES.get(row.name, row.name)}"
                     f" {row.s_offered:.1f} > {row.s_let_out:.1f}")
        print(line)

    def draw(self, phase, number, seconds, sample, rows):
        columns, lines = shutil.get_terminal_size((80, 24))
        text = [f"symtap demo: {phase}".ljust(60)
                + f"second {number} of {seconds}".rjust(18), ""]
        text.append(f"bad host {w.BAD}".ljust(30)
                    + "   offered/s   let out/s")
        for kind, label in KINDS:
            text.append(f"  {label}".ljust(30)
                        + f"{sample.offered[kind]:12,.0f}"
                        + f"{sample.let_out[kind]:12,.0f}")
        text += ["", f"good host {w.GOOD}",
                 "  TCP upload".ljust(30)
                 + f"{sample.upload_mbit_per_s:12.1f} Mbit/s",
                 "  ping, median".ljust(30)
                 + in_ms(percentile(sample.rtts_us, 50)).rjust(15)
                 + f"   p99 {in_ms(percentile(sample.rtts_us, 99))}"
                 + f"   lost {sample.lost}", ""]
        text += self.table(rows)
        text += ["", "flood packets let out a second, so far (each step of"
                     " the bar doubles twice)", "  " + self.bar(columns - 4)]
        screen = "\n".join(line[:columns] + "\033[K"
                           for line in text[:lines - 1])
        sys.stdout.write("\033[H" + screen + "\033[J")

    def table(self, rows):
        if not rows:
            return ["symtap is not running"]
        text = ["what symtap sees, pairs".ljust(30)
                + "   S offered   S let out    held now"]
        for row in rows:
            text.append(f"  {row.name}".ljust(30) + f"{row.s_offered:12.1f}"
                        f"{row.s_let_out:12.1f}{row.held:12}")
        return text

    def bar(self, width):
        steps = [min(len(self.bars) - 1, round(math.log2(rate + 1) / 2))
                 for rate in self.history[-width:]]
        return "".join(self.bars[step] for step in steps)


def summary(results, uplink_is_shaped):
    """Columns: one a phase, in the order they ran."""
    names = list(results)
    uplink = (f"uplink {w.UPLINK_MBIT_PER_S} Mbit/s" if uplink_is_shaped
              else "uplink not shaped: this kernel has no token bucket")
    text = ["", f"symtap demo, {uplink}", "",
            " " * 30 + "".join(name.rjust(16) for name in names)]

    def line(label, cell):
        text.append(label.ljust(30) + "".join(
            cell(results[name]).rjust(16) for name in names))

    text.append("bad host, packets/s offered > let out")
    for kind, label in KINDS:
        line(f"  {label}", lambda total, kind=kind:
             f"{total.offered[kind]:,.0f} > {total.let_out[kind]:,.0f}")
    line("  forged packets let out", lambda total:
         f"{total.forged_pkts:,} in all")
    text.append("good host")
    line("  TCP upload, Mbit/s",
         lambda total: f"{total.upload_mbit_per_s:.1f}")
    line("  ping p50", lambda total: in_ms(percentile(total.rtts_us, 50)))
    line("  ping p99", lambda total: in_ms(percentile(total.rtts_us, 99)))
    line("  ping lost", lambda total:
         f"{total.lost} of {total.lost + len(total.rtts_us)}")
    if "with symtap" in results:
        text += ["", sentence(results["no attack"], results["with symtap"])]
    return "\n".join(text) + "\n"


def sentence(before, after):
    return (f"With symtap {after.let_out['flood']:,.1f} of "
            f"{after.offered['flood']:,.0f} flood packets a second got out, "
            f"and {after.forged_pkts} forged ones;\nthe good host uploaded at "
            f"{after.upload_mbit_per_s:.1f} Mbit/s instead of "
            f"{before.upload_mbit_per_s:.1f} without an attack.")
