# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks to test in: namespaces of our own, joined by veth, gone at the end.

    with lab.Lab("rules") as world:
        gateway = world.namespace("gateway")
        ...

A Lab cleans up after itself also when a test fails or is interrupted.
"""

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

SKIPPED = 77
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def need_root():
    """These tests need root: without it they are skipped, in CI they fail."""
    if os.geteuid() == 0:
        return
    print("namespaces need root")
    sys.exit(1 if os.environ.get("CI") else SKIPPED)


def interrupt(*_):
    """As if by the keyboard, which ends a run of tests and not one of them."""
    raise KeyboardInterrupt


def eventually(condition, seconds=5.0, every=0.02):
    """Wait for `condition()` to be true; its last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every)


def stolen_seconds():
    """So long a hypervisor gave our processors to others, since boot."""
    with open("/proc/stat", encoding="utf-8") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def dropped_before_a_socket():
    """So many packets came faster than a processor took them, since boot; of
    all namespaces."""
    with open("/proc/net/softnet_stat", encoding="ascii") as rows:
        return sum(int(row.split()[1], 16) for row in rows)


class Namespace:
    def __init__(self, lab, name):
        self.lab = lab
        self.name = f"{lab.prefix}-{name}"
        self._call("ip", "netns", "add", self.name)
        # Nobody else is here; who looks for a duplicate is mute for 2 s.
        for which in ("all", "default"):
            self.write(f"/proc/sys/net/ipv6/conf/{which}/accept_dad", 0)
        self.run("ip", "link", "set", "lo", "up")

    @staticmethod
    def _call(*argv):
        subprocess.run(argv, check=True)

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv, check=True, **options):
        """Run to its end; what it printed."""
        done = subprocess.run(self.argv(*argv), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, **options)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout}")
        return done.stdout

    def start(self, *argv, **options):
        """Start in the background; it is stopped with the lab."""
        process = subprocess.Popen(self.argv(*argv), **options)
        self.lab.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace: what it opens belongs there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            self._enter(there)
            yield
        finally:
            self._enter(home)
            os.close(there)
            os.close(home)

    @staticmethod
    def _enter(descriptor):
        if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def socket(self, *arguments):
        with self.entered():
            opened = socket.socket(*arguments)
        self.lab.sockets.append(opened)
        return opened

    def sysctl(self, **settings):
        """net_ipv4_ip_forward=1; a slash stands for a dot in a name."""
        for key, value in settings.items():
            path = "/proc/sys/" + key.replace("__", "-").replace("_", "/")
            self.write(path, value)

    def is_answered(self, address, *words):
        """All of three echo requests are.  ping waits for the last one as long
        as its interval, so they leave at once and it is two seconds."""
        return ", 0% packet loss" in self.run(
            "ping", "-c", "3", "-l", "3", "-i", "2", *words, address,
            check=False)

    def write(self, path, value):
        """A file below /proc/sys/net or /sys, as this namespace sees it."""
        if not path.startswith("/proc/sys/net/"):
            self.run("sh", "-c", f"echo '{value}' > '{path}'")
            return
        with self.entered(), open(path, "w", encoding="ascii") as file:
            file.write(f"{value}\n")

    def read(self, path):
        return self.run("cat", path).strip()

    def address(self, interface, *addresses):
        for each in addresses:
            quick = ["nodad"] if ":" in each else []
            self.run("ip", "addr", "add", each, "dev", interface, *quick)

    def route(self, *words):
        family = ["-6"] if any(":" in word for word in words) else []
        self.run("ip", *family, "route", "add", *words)

    def up(self, interface):
        self.run("ip", "link", "set", interface, "up")

    def mac(self, interface):
        return self.read(f"/sys/class/net/{interface}/address")

    def forward(self):
        self.write("/proc/sys/net/ipv4/ip_forward", 1)
        self.write("/proc/sys/net/ipv6/conf/all/forwarding", 1)

    def nft(self, text):
        return self.run("nft", "-f", "-", input=text)


class Lab:
    """All names begin with symtap-NAME-PID."""

    def __init__(self, name):
        self.prefix = f"symtap-{name}-{os.getpid()}"
        self.processes = []
        self.programs = []  # that one test is done with
        self.sockets = []
        self.namespaces = []
        self.folders = []
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def namespace(self, name):
        made = Namespace(self, name)
        self.namespaces.append(made)
        return made

    def wire(self, left, left_name, right, right_name, left_mac=None,
             right_mac=None):
        """A veth pair between two namespaces, both ends up."""
        ends = ["ip", "-n", left.name, "link", "add", left_name]
        if left_mac:
            ends += ["address", left_mac]
        ends += ["type", "veth", "peer", "name", right_name]
        if right_mac:
            ends += ["address", right_mac]
        subprocess.run([*ends, "netns", right.name], check=True)
        left.up(left_name)
        right.up(right_name)

    def stop_programs(self):
        """Of a test that did not wait for their end."""
        for process in self.programs:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self.programs.clear()

    def close_sockets(self):
        for opened in self.sockets:
            opened.close()
        self.sockets.clear()

    def close(self):
        self.stop_programs()
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
        self.close_sockets()
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace.name], check=False)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        self.folders.clear()
        self.processes.clear()
        self.namespaces.clear()
        atexit.unregister(self.close)


GUARDED = "10.20.0.7"
GUARDED6 = "2001:db8:20::7"
NEIGHBOUR = "10.20.0.8"
NEIGHBOUR6 = "2001:db8:20::8"
OUTSIDE = "192.0.2.2"
OUTSIDE6 = "2001:db8:ff::2"
GUARDED_MAC = "52:54:00:12:34:56"
NEIGHBOUR_MAC = "52:54:00:12:34:57"


class Routed:
    """host, neighbour - (lan0, lan1) gateway (wan0) - outside

    Both guarded hosts have 10.20.0.0/24 addresses of their own interface's
    side; the gateway has 10.20.0.1 on both and host routes to each.
    """

    def __init__(self, lab):
        self.lab = lab
        self.gateway = lab.namespace("gateway")
        self.host = lab.namespace("host")
        self.neighbour = lab.namespace("neighbour")
        self.outside = lab.namespace("outside")
        self._guarded(self.host, "lan0", GUARDED, GUARDED6, GUARDED_MAC)
        self._guarded(self.neighbour, "lan1", NEIGHBOUR, NEIGHBOUR6,
                      NEIGHBOUR_MAC)
        lab.wire(self.gateway, "wan0", self.outside, "eth0")
        self.gateway.address("wan0", "192.0.2.1/24", "2001:db8:ff::1/64")
        self.outside.address("eth0", f"{OUTSIDE}/24", f"{OUTSIDE6}/64")
        self.outside.route("10.20.0.0/16", "via", "192.0.2.1")
        self.outside.route("2001:db8:20::/48", "via", "2001:db8:ff::1")
        self.gateway.forward()

    def _guarded(self, host, interface, ipv4, ipv6, mac):
        self.lab.wire(self.gateway, interface, host, "eth0", right_mac=mac)
        self._address(host, "eth0", interface, ipv4, ipv6)

    def _address(self, host, device, interface, ipv4, ipv6):
        host.address(device, f"{ipv4}/32", f"{ipv6}/128")
        host.route("10.20.0.1", "dev", device)
        host.route("default", "via", "10.20.0.1")
        host.route("2001:db8:20::1", "dev", device)
        host.route("default", "via", "2001:db8:20::1")
        self.gateway.address(interface, "10.20.0.1/32", "2001:db8:20::1/128")
        self.gateway.route(ipv4, "dev", interface)
        self.gateway.route(ipv6, "dev", interface)


class Bridged:
    """host - (port) gateway (wan0) - outside: one network, one bridge."""

    def __init__(self, lab, inside, outer, port="lan0", name="gateway"):
        self.gateway = lab.namespace(name)
        self.host = self.neighbour = lab.namespace("host")
        self.outside = lab.namespace("outside")
        lab.wire(self.gateway, port, self.host, "eth0",
                 right_mac=GUARDED_MAC)
        lab.wire(self.gateway, "wan0", self.outside, "eth0")
        self.gateway.run("ip", "link", "add", "br0", "type", "bridge")
        for each in (port, "wan0"):
            self.add_port(each)
        self.gateway.up("br0")
        self.host.address("eth0", *(f"{each}/16" for each in inside))
        self.outside.address("eth0", f"{outer}/16")

    def add_port(self, name):
        self.gateway.run("ip", "link", "set", name, "master", "br0", "up")
