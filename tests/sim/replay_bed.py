# SPDX-License-Identifier: GPL-2.0-or-later
"""symtap-sim replay, the first word of the command line, and captures for it:
of several shapes, made when they are first asked for."""

import json
import os
import random
import subprocess
import sys
import tempfile

import capture_file
from capture_file import TCP, UDP, frame

SIM = sys.argv[1]
SECOND, MS = 10**9, 10**6
SCOPES = ("flow", "pair", "host")
START = 1_700_000_000 * SECOND

FOLDER = tempfile.TemporaryDirectory()


def path_of(name):
    return os.path.join(FOLDER.name, name)


def sim(*arguments, status=0, **more):
    done = subprocess.run([SIM, "replay", *arguments], capture_output=True,
                          text=True, **more)
    if done.returncode != status:
        raise AssertionError("%s: exit %d, not %d\n%s" % (
            arguments, done.returncode, status, done.stderr))
    return done


def objects(*arguments, **more):
    lines = sim("--json", "-", *arguments, **more).stdout.splitlines()
    return [json.loads(line) for line in lines]


def policy(name, text):
    with open(path_of(name), "w", encoding="utf-8") as file:
        file.write("mode: shadow\ninside: [10.0.0.0/8]\n" + text)
    return path_of(name)


def key_of(key):
    return {"flow": (key["inside"], key["outside"], key["proto"],
                     key["inside_port"], key["outside_port"]),
            "pair": (key["inside"], key["outside"]),
            "host": (key["inside"],)}[key["scope"]]


# ------ captures of several shapes

def unanswered(rng):
    for burst in range(6):
        for i in range(rng.randrange(3, 200)):
            yield (burst * 3 * SECOND + i * rng.choice((0, MS, 20 * MS)),
                   frame("10.0.0.1", "192.0.2.%d" % (burst % 3 + 1), 1000, 53))


def dense_answered(rng):
    """Thousands of packets a second, each second one answered."""
    now = 0
    for i in range(12000):
        now += rng.randrange(50_000, 400_000)
        yield now, frame("10.0.0.2", "192.0.2.9", 4000, 443, TCP)
        if i % rng.choice((1, 2, 3, 5)) == 0:
            yield now + rng.randrange(1000), frame("192.0.2.9", "10.0.0.2",
                                                   443, 4000, TCP)


def bursts_before_the_answer(rng):
    for i in range(60):
        now = i * 700 * MS
        for _ in range(rng.randrange(1, 30)):
            now += rng.randrange(0, 3 * MS)
            yield now, frame("10.0.0.3", "192.0.2.%d" % (i % 5), 5000 + i % 7,
                             3478)
        for _ in range(rng.randrange(0, 8)):
            now += rng.randrange(0, 60 * MS)
            yield now, frame("192.0.2.%d" % (i % 5), "10.0.0.3", 3478,
                             5000 + i % 7)


def thinned_replies(rng):
    now = 0
    for i in range(4000):
        now += rng.randrange(0, 4 * MS)
        yield now, frame("2001:db8::5", "2001:db8:1::9", 443, 50000, UDP)
        if i % rng.choice((4, 5, 6)) == 0:
            yield now, frame("2001:db8:1::9", "2001:db8::5", 50000, 443, UDP)


def many_keys(rng):
    """Scans and chats of many hosts at once; some hosts of one /64."""
    hosts = ["10.1.0.%d" % i for i in range(1, 9)] + \
        ["2001:db8:7::%x" % i for i in range(1, 5)]
    for _ in range(6000):
        now = rng.randrange(0, 20 * SECOND)
        inside = rng.choice(hosts)
        outside = ("203.0.113.%d" if "." in inside else
                   "2001:db8:ff::%x") % rng.randrange(1, 40)
        port = rng.randrange(1, 4)
        if rng.random() < 0.3:
            yield now, frame(outside, inside, 80, port)
        else:
            yield now, frame(inside, outside, port, 80)


SHAPES = (unanswered, dense_answered, bursts_before_the_answer,
          thinned_replies, many_keys)


def make(shape, seed=1):
    rng = random.Random(seed)
    path = path_of(shape.__name__ + ".pcap")
    packets = sorted(((START + now, data) for now, data in shape(rng)),
                     key=lambda packet: packet[0])
    capture_file.write(path, packets)
    return path
