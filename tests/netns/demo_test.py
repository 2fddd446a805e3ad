#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo keeps its promises, on a terminal and in a pipe, ends by itself and
leaves nothing behind, however it ends: demo_test.py SOURCE BUILD"""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

SKIPPED = 77
ATTACK = {"symtap-demo-tra": 7}  # three good roles, four bad ones
SHORT = ["--quiet", "2", "--before", "3", "--seconds", "8"]


def check(fact, value):
    if not value:
        sys.exit(f"FAILED: {fact}")
    print(f"ok   {fact}")


def descendants(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except OSError:
        return []
    return [each for child in children
            for each in [child, *descendants(child)]]


def name_of(pid):
    """As the kernel knows it: 15 characters."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def namespaces(pid):
    listed = subprocess.run(["ip", "netns", "list"], check=True, text=True,
                            capture_output=True).stdout
    return re.findall(rf"^symtap-demo-{pid}-\w+", listed, flags=re.M)


def nothing_is_left(pid, family):
    paths = [f"/run/symtap-demo-{pid}", *(f"/proc/{each}" for each in family)]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not namespaces(pid) and not any(map(os.path.exists, paths)):
            return True
        time.sleep(0.05)
    return False


class Demo:
    def __init__(self, source, build, words, stdout):
        self.process = subprocess.Popen(
            [f"{source}/contrib/demo/demo.py", "--build", build, *words],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def until(self, programs, seconds=20):
        """Wait until these run below it; returns all that do."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            family = descendants(self.pid)
            names = [name_of(pid) for pid in family]
            if all(names.count(name) >= count
                   for name, count in programs.items()):
                return family
            time.sleep(0.05)
        sys.exit("FAILED: the demo did not get that far")


def on_a_terminal(source, build, figures_path):
    """Returns what was written to a terminal of 80x24."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    demo = Demo(source, build, [*SHORT, "--json", figures_path], theirs)
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            piece = b""
        if not piece:
            break
        written += piece
    os.close(ours)
    text = written.decode()
    if demo.process.wait(10) != 0:
        print(text)
    check("it ends by itself", demo.process.returncode == 0)
    check("nothing is left", nothing_is_left(demo.pid, []))
    return text


# At most 64 in the first second and 12 in each of the seven after it, with
# room for a machine that does other things as well.
TRICKLE = 20
UPLINK_IS_FULL_US = 5000  # its queue is ten times that


def figures(before, attack, guarded):
    check("the flood is a flood", attack["let_out"]["flood"] > 5000)
    check("forged sources do leave without symtap", attack["forged_pkts"] > 100)
    check("no forged packet leaves with symtap", guarded["forged_pkts"] == 0)
    check(f"the flood is a trickle: {guarded['let_out']['flood']:.1f}/s",
          guarded["let_out"]["flood"] < TRICKLE)
    check(f"the scan is a trickle: {guarded['let_out']['scan']:.1f}/s",
          guarded["let_out"]["scan"] < TRICKLE)
    had, left, has = (run["upload_mbit_per_s"]
                      for run in (before, attack, guarded))
    # Nearer to what it had than to what an attack leaves of that.
    check(f"the good host keeps its throughput: {has:.1f} of {had:.1f} Mbit/s"
          f", {left:.1f} without", has > (had + min(left, had / 2)) / 2)
    check("no ping of the good host is lost", guarded["ping_lost"] == 0)
    # Some pings wait for this machine, whoever else is on it.
    without_us = attack["ping_p50_us"]
    if without_us < UPLINK_IS_FULL_US:
        print("the flood was kept from filling the uplink: nobody waits there")
        return
    for name, share in (("p50", 1 / 4), ("p90", 1)):
        with_us = guarded[f"ping_{name}_us"]
        check(f"its latency, {name}: {with_us} us, p50 without {without_us} us",
              with_us < share * without_us)


def screens(text):
    frames = text.split("\033[H")[1:]
    check("there is a frame a second", len(frames) == 2 + 3 + 8)
    for frame in frames:
        lines = re.sub(r"\033\[[?0-9]*[a-zA-Z]", "", frame.split(
            "\033[?1049l")[0]).split("\n")
        if len(lines) > 24 or max(len(line.rstrip()) for line in lines) > 80:
            sys.exit(f"FAILED: a frame is larger than 80x24:\n{frame}")
    check("the terminal is given back", "\033[?1049l" in text
          and "\033[?25h" in text)


def interrupted(source, build):
    cases = ((signal.SIGINT, 130, ATTACK),
             (signal.SIGTERM, 143, {"symtapd": 1}),
             (signal.SIGHUP, 129, {"symtapd": 1, **ATTACK}))
    demos = [Demo(source, build, ["--quiet", "1", "--before", "1"],
                  subprocess.PIPE) for _ in cases]
    for demo, (number, status, programs) in zip(demos, cases):
        family = demo.until(programs)
        demo.process.send_signal(number)
        demo.process.communicate(timeout=15)
        check(f"{signal.Signals(number).name} ends it",
              demo.process.returncode == status)
        check("and leaves nothing", nothing_is_left(demo.pid, family))


def killed(source, build):
    """Nobody cleans up after a SIGKILL but the next demo."""
    demo = Demo(source, build, ["--quiet", "1", "--before", "1"],
                subprocess.PIPE)
    family = demo.until({"symtapd": 1, **ATTACK})
    demo.process.kill()
    demo.process.communicate()
    following = Demo(source, build,
                     ["--quiet", "1", "--before", "1", "--seconds", "1"],
                     subprocess.PIPE)
    text = following.process.communicate()[0].decode()
    check("the next one works", following.process.returncode == 0)
    check("in a pipe it says a line a second",
          len(re.findall(r"^ +\d+ s  flood", text, flags=re.M)) == 3)
    check("and sweeps what one that was killed has left",
          nothing_is_left(demo.pid, family))


def main():
    source, build = (os.path.abspath(path) for path in sys.argv[1:3])
    if os.geteuid() != 0:
        print("needs root: the demo makes network namespaces")
        sys.exit(SKIPPED)
    interrupted(source, build)
    killed(source, build)
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        text = on_a_terminal(source, build, file.name)
        results = json.load(file)
    screens(text)
    figures(results["no attack"], results["attack"], results["with symtap"])


if __name__ == "__main__":
    main()
