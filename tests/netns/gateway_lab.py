# SPDX-License-Identifier: GPL-2.0-or-later
"""Three namespaces joined by veth - guarded host, gateway, outside - and a
symtapd in the middle one, for tests that send real packets."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

CLONE_NEWNET = 0x40000000
UDP_SEGMENT = 103
FIRST_QUEUE = 40
_libc = ctypes.CDLL(None, use_errno=True)

POLICY = """\
mode: {mode}
inside: [{inside}, "2001:db8:20::/48"]
{extra}
limits: {{pairs: 20000, flows: 20000, hosts: 1024{limits}}}
datapath: {{nfqueue: {{queues: {queues}, first_queue: 40, fail: {fail}, bridge: {bridge}}}}}
control: {{socket: {folder}/control.sock}}
metrics: {{listen: none}}
state: {{file: {folder}/state}}
"""


class LabError(Exception):
    """Something that the test needs did not work."""


def run(*words, check=True, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60,
                          **options)
    if check and done.returncode != 0:
        raise LabError("%s: %s" % (" ".join(words), (done.stderr or done.stdout).strip()))
    return done.stdout


def until(condition, seconds, what):
    """Wait for a condition; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError("waited %.1f s in vain: %s" % (seconds, what))
        time.sleep(0.01)


@contextlib.contextmanager
def inside_namespace(path):
    """Sockets and processes made here belong to that network namespace."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        _libc.setns(own, CLONE_NEWNET)
        os.close(own)
        os.close(there)


class Lab:
    """`with Lab() as lab:`; everything is gone afterwards."""

    def __init__(self, options):
        self.options = options
        self.prefix = "nfqt%d-" % os.getpid()
        self.folder = tempfile.mkdtemp(prefix="symtap-nfq-")
        self.daemon = None
        self.sockets = []
        self.processes = []

    # ------ life

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for process in [self.daemon, *self.processes]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for each in self.sockets:
            each.close()
        for side in ("in", "gw", "out"):
            run("ip", "netns", "del", self.ns(side), check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ns(self, side):
        return self.prefix + side

    def path(self, side):
        return "/run/netns/" + self.ns(side)

    def ip(self, side, *words):
        return run("ip", "-n", self.ns(side), *words)

    def exec(self, side, *words, **options):
        return run("ip", "netns", "exec", self.ns(side), *words, **options)

    def up(self):
        for side in ("in", "gw", "out"):
            run("ip", "netns", "add", self.ns(side))
            self.exec(side, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                      "net.ipv6.conf.default.accept_dad=0")
            self.ip(side, "link", "set", "lo", "up")
        for side, name in (("in", "lan0"), ("out", "wan0")):
            run("ip", "link", "add", "eth0", "netns", self.ns(side), "type", "veth",
                "peer", "name", name, "netns", self.ns("gw"))
        for side, device, four, six in (
                ("in", "eth0", "10.20.0.2/16", "2001:db8:20::2/64"),
                ("gw", "lan0", "10.20.0.1/16", "2001:db8:20::1/64"),
                ("gw", "wan0", "10.99.0.1/24", "2001:db8:99::1/64"),
                ("out", "eth0", "10.99.0.2/24", "2001:db8:99::2/64")):
            self.ip(side, "link", "set", device, "up")
            self.ip(side, "addr", "add", four, "dev", device)
            self.ip(side, "addr", "add", six, "dev", device, "nodad")
        self.ip("in", "addr", "add", "2001:db8:20::3/64", "dev", "eth0", "nodad")
        for side, four, six in (("in", "10.20.0.1", "2001:db8:20::1"),
                                ("out", "10.99.0.1", "2001:db8:99::1")):
            self.ip(side, "route", "add", "default", "via", four)
            self.ip(side, "route", "add", "default", "via", six)
        self.exec("gw", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # More guarded hosts, and many addresses outside.
        self.ip("in", "route", "add", "local", "10.20.1.0/24", "dev", "lo")
        self.ip("in", "route", "add", "local", "10.20.2.0/23", "dev", "lo")
        self.ip("out", "route", "add", "local", "10.96.0.0/14", "dev", "lo")
        self.ip("gw", "route", "add", "10.96.0.0/14", "via", "10.99.0.2")
        self.know_neighbours()

    def become_bridge(self):
        """The gateway hands frames on: 10.20.0.0/17 on one side, the rest on the other."""
        self.ip("gw", "link", "add", "br0", "type", "bridge")
        for port in ("lan0", "wan0"):
            self.ip("gw", "addr", "flush", "dev", port)
            self.ip("gw", "link", "set", port, "master", "br0")
        self.ip("gw", "link", "set", "br0", "up")
        self.ip("in", "addr", "add", "10.20.7.1/16", "dev", "eth0")
        self.ip("out", "addr", "add", "10.20.128.1/16", "dev", "eth0")

    def know_neighbours(self):
        """Nothing waits for ARP or neighbour discovery while it is timed."""
        for side, device, addresses, peer, its in (
                ("in", "eth0", ("10.20.0.1", "2001:db8:20::1"), "gw", "lan0"),
                ("gw", "lan0", ("10.20.0.2", "2001:db8:20::2", "2001:db8:20::3"), "in",
                 "eth0"),
                ("gw", "wan0", ("10.99.0.2", "2001:db8:99::2"), "out", "eth0"),
                ("out", "eth0", ("10.99.0.1", "2001:db8:99::1"), "gw", "wan0")):
            link = json.loads(self.ip(peer, "-j", "link", "show", its))[0]["address"]
            for address in addresses:
                self.ip(side, "neigh", "replace", address, "lladdr", link, "dev", device)

    # ------ the daemon

    def write_policy(self, mode="enforce", fail="open", extra="", limits="", queues=1,
                     bridge=False):
        path = os.path.join(self.folder, "symtap.yaml")
        with open(path, "w") as file:
            file.write(POLICY.format(mode=mode, fail=fail, extra=extra, queues=queues,
                                     limits=", " + limits if limits else "", folder=self.folder,
                                     bridge=str(bridge).lower(),
                                     inside="10.20.0.0/17" if bridge else "10.20.0.0/16"))
        return path

    def start(self, wait=True, warm=True, env=None, **policy):
        """Start symtapd; returns when it judges packets."""
        path = self.write_policy(**policy)
        log = open(os.path.join(self.folder, "log"), "a")
        with inside_namespace(self.path("gw")):
            self.daemon = subprocess.Popen([self.options.symtapd, "-c", path], stdout=log,
                                           stderr=log, env=env)
        log.close()
        if wait:
            until(lambda: "symtapd: runs" in self.log() or self.daemon.poll() is not None, 10,
                  "symtapd runs")
            if self.daemon.poll() is not None:
                raise LabError("symtapd ended: " + self.log())
            # Memory that is touched for the first time costs a millisecond.
            if warm:
                finish(self.talk(0.1))
                made = self.socket("in", family=socket.AF_INET6, address="2001:db8:20::3")
                for _ in range(3):
                    made.sendto(b"warm", ("2001:db8:99::2", 19))

    def log(self):
        with open(os.path.join(self.folder, "log")) as file:
            return file.read()

    def forget_log(self):
        with open(os.path.join(self.folder, "log"), "w"):
            pass

    def stop(self, how=signal.SIGTERM):
        self.daemon.send_signal(how)
        self.daemon.wait(20)
        self.forget_log()
        return self.daemon.returncode

    def ask(self, line):
        """One request over the control socket: the answer's "ok" part."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(os.path.join(self.folder, "control.sock"))
            client.sendall(line.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                got = client.recv(1 << 20)
                if not got:
                    break
                answer += got
        answer = json.loads(answer)
        if "ok" not in answer:
            raise LabError("%s: %s" % (line, answer))
        return answer["ok"]

    def counters(self):
        """Every counter that is not 0."""
        return {row["name"]: row["value"] for row in self.ask("stats")["counters"] if row["value"]}

    def counter(self, name, at_least, seconds=5):
        """Counters are up to a second old: wait until this one is there."""
        until(lambda: self.counters().get(name, 0) >= at_least, seconds,
              "%s is at least %d, of %s" % (name, at_least, self.counters()))
        return self.counters()[name]

    # ------ packets

    def socket(self, side, kind=socket.SOCK_DGRAM, family=socket.AF_INET, port=None, address=None,
               proto=0):
        with inside_namespace(self.path(side)):
            made = socket.socket(family, kind | socket.SOCK_CLOEXEC, proto)
        self.sockets.append(made)
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        if port is not None or address is not None:
            made.bind((address or ("" if family == socket.AF_INET else "::"), port or 0))
        return made

    def traffic(self, *words):
        """The benchmark's generator, as a process; .communicate() for its line of JSON."""
        process = subprocess.Popen([self.options.traffic, *words], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def talk(self, seconds, size=100, pairs=16, pkts_per_s=0):
        return self.traffic("talk", self.path("in"), self.path("out"), str(seconds), str(size),
                            str(pairs), str(pkts_per_s))

    def flood(self, seconds, size=100):
        return self.traffic("flood", self.path("in"), str(seconds), str(size))


class Listener:
    """Datagrams to a flood's port outside, timed by a process of its own."""

    def __init__(self, lab, seconds):
        self.process = lab.traffic("listen", lab.path("out"), str(seconds))
        if self.process.stdout.readline() != "ready\n":
            raise LabError("the listener did not start")

    def finish(self):
        """[(seconds, number, bytes)]"""
        out, _ = self.process.communicate(timeout=120)
        rows = [line.split() for line in out.splitlines()]
        return [(float(stamp), int(number), int(size)) for stamp, number, size in rows]


def receive(made, seconds, most=1 << 30):
    """[(arrival, payload, source)] within `seconds`."""
    got = []
    deadline = time.monotonic() + seconds
    while len(got) < most:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        made.settimeout(left)
        try:
            payload, source = made.recvfrom(65536)
        except (TimeoutError, socket.timeout):
            break
        stamp = time.monotonic()
        got.append((stamp, payload, source))
    return got


def finish(process):
    """The JSON that a traffic generator printed."""
    out, _ = process.communicate(timeout=120)
    if process.returncode != 0:
        raise LabError("traffic ended with %d" % process.returncode)
    return json.loads(out)
