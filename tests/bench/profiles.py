# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the time of a gateway's packets goes, by perf.

Over veth a packet is forwarded in the context of whoever sent it, so the
senders' processes are what is sampled; the daemon's time is counted apart.
"""
import os
import re
import shutil
import subprocess
import time

from gateways import BenchError, run

# Frames of the kernel; a sample counts when one of them is in its stack.
PARTS = {
    "program": re.compile(r"bpf_prog_[0-9a-f]+_(symtap_(out|in)|bench_empty)$"),
    "netfilter": re.compile(r"nf_hook_slow(_list)?$"),
    "to the queue": re.compile(r"nf_queue$"),
    "forwarding": re.compile(r"(ip_rcv|ip_forward|ip_list_rcv)$"),
}


def stacks(path):
    """Each sample's frames, the innermost first."""
    text = run("perf", "script", "-i", path, "-F", "ip,sym")
    for sample in text.split("\n\n"):
        frames = [line.split(None, 1)[-1].strip() for line in sample.splitlines() if line.strip()]
        if frames:
            yield frames


def profile(gateway, words, folder):
    """Percent of the senders' time in each part, and of a core that the daemon takes."""
    if shutil.which("perf") is None:
        raise BenchError("there is no perf; install linux-perf")
    path = os.path.join(folder, "perf.data")
    begin, daemon_ns = time.monotonic(), gateway.cpu_ns() if gateway.consumer else 0
    subprocess.run(["perf", "record", "-q", "-F", "1999", "-g", "-o", path, "--", *words],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=60)
    daemon_ns = gateway.cpu_ns() - daemon_ns if gateway.consumer else 0
    spent_ns = (time.monotonic() - begin) * 1e9
    count, found = 0, dict.fromkeys(PARTS, 0)
    for frames in stacks(path):
        count += 1
        for part, pattern in PARTS.items():
            found[part] += any(pattern.match(frame) for frame in frames)
    os.unlink(path)
    shares = {part: 100.0 * number / max(1, count) for part, number in found.items()}
    shares["daemon"] = 100.0 * daemon_ns / spent_ns
    return shares


def print_profiles(rows):
    """[(title, variant, shares), ...]"""
    columns = list(PARTS) + ["daemon"]
    print("\n% of the senders' time; daemon: of a core")
    print("%-34s%-8s%s" % ("", "", "".join("%14s" % column for column in columns)))
    for title, name, shares in rows:
        print("%-34s%-8s%s" % (title, name,
                               "".join("%14.1f" % shares[column] for column in columns)))
