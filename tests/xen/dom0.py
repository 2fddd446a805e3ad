# SPDX-License-Identifier: GPL-2.0-or-later
"""A Xen host from inside of dom0: its tool stack, a bridge, guests."""

import contextlib
import json
import os
import pathlib
import shlex
import socket
import subprocess
import time

import lab

JOB = pathlib.Path("/run/job")
BRIDGE = "xenbr0"
HOST = "10.0.1.100"
OUTSIDE = "10.0.1.200"
COMMAND_PORT = 5000
MODULES = ("xenfs", "xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc",
           "xen-netback", "bridge", "veth")


def call(*argv):
    done = subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(argv)}: {done.stdout}")
    return done.stdout


def write(path, text):
    pathlib.Path(path).write_text(text, encoding="utf-8")


def unpack_tools():
    """As if they had been installed."""
    packages = os.path.join(os.environ["SYMTAP_BUILD"], "packages")
    for folder in ("usr", "etc"):
        call("cp", "-a", f"{packages}/{folder}/.", f"/{folder}/")
    os.environ["PATH"] += ":/usr/lib/xen-4.17/bin"


def start_stack():
    unpack_tools()
    for folder in ("/run/xenstored", "/run/xen", "/var/log/xen",
                   "/var/lib/xen", "/var/lib/xenstored", "/run/lock"):
        os.makedirs(folder, exist_ok=True)
    call("modprobe", "-a", *MODULES)
    call("mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug")
    if not os.path.exists("/proc/xen/capabilities"):
        call("mount", "-t", "xenfs", "xenfs", "/proc/xen")
    call("xenstored", "--pid-file", "/run/xenstored.pid")
    if not lab.eventually(lambda: subprocess.run(
            ["xenstore-exists", "/"], check=False).returncode == 0, 20):
        raise RuntimeError("xenstored does not answer")
    call("xen-init-dom0")
    call("xenconsoled", "--pid-file=/run/xenconsoled.pid", "--log=guest",
         "--log-dir=/var/log/xen")


class Host:
    """dom0 as a Namespace is, but for being where we are."""

    def __init__(self, world):
        self.lab = world
        start_stack()
        call("ip", "link", "add", BRIDGE, "type", "bridge")
        call("ip", "link", "set", BRIDGE, "up")
        call("ip", "addr", "add", f"{HOST}/24", "dev", BRIDGE)
        self.outside = world.namespace("outside")
        call("ip", "link", "add", "wan0", "type", "veth", "peer", "name",
             "eth0", "netns", self.outside.name)
        call("ip", "link", "set", "wan0", "master", BRIDGE, "up")
        self.outside.up("eth0")
        self.outside.address("eth0", f"{OUTSIDE}/24")

    @contextlib.contextmanager
    def entered(self):
        yield

    @staticmethod
    def run(*argv, check=True):
        done = subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{shlex.join(argv)}: {done.stdout}")
        return done.stdout


class Guest:
    """A PV guest with one vif on the bridge."""

    def __init__(self, number):
        self.name = f"guest{number}"
        self.address = f"10.0.1.{number}"
        self.mac = f"00:16:3e:00:00:{number:02x}"
        write(f"/run/{self.name}.cfg", "\n".join((
            f'name = "{self.name}"', 'type = "pv"',
            f'kernel = "{JOB}/vmlinux"', f'ramdisk = "{JOB}/guest.cpio"',
            "memory = 128", "vcpus = 1",
            f'vif = ["mac={self.mac},ip={self.address},bridge={BRIDGE}"]',
            f'extra = "console=hvc0 quiet net.ifnames=0 '
            f'address={self.address}"', "")))
        call("xl", "create", f"/run/{self.name}.cfg")
        self.domain = int(call("xl", "domid", self.name))
        self.vif = f"vif{self.domain}.0"

    def is_up(self):
        try:
            return self.ask("echo up") == "up\n"
        except OSError:
            return False

    def console(self):
        """What it said, and what dom0 has of it."""
        logs = [path.read_text(encoding="utf-8", errors="replace")
                for path in pathlib.Path("/var/log/xen").rglob("*")
                if path.is_file()]
        return "\n".join((*logs, call("xl", "list"), call("ip", "-d", "link"),
                          call("xenstore-ls", "/local/domain/0/backend")))

    def open(self):
        return socket.create_connection((self.address, COMMAND_PORT), 5)

    def begin(self, command):
        """In the background: what finish() reads to its end."""
        opened = self.open()
        opened.sendall(f"{command}\nexit\n".encode())
        return opened

    @staticmethod
    def finish(opened, seconds=60):
        opened.settimeout(seconds)
        said = b""
        with opened:
            while part := opened.recv(65536):
                said += part
        return said.decode(errors="replace")

    def ask(self, command, seconds=60):
        return self.finish(self.begin(command), seconds)

    def flood(self, to, port, size, rate, seconds):
        return self.begin(f"flood {to} {port} {size} {rate} {seconds}")

    def flooded(self, opened):
        return json.loads(self.finish(opened))

    def ring(self):
        """Requests that the backend has consumed and not answered."""
        text = pathlib.Path("/sys/kernel/debug/xen-netback", self.vif,
                            "io_ring_q0").read_text(encoding="utf-8")
        return int(text.split("nr_pending_reqs")[1].split()[0])

    def destroy(self):
        """How long that took."""
        begin = time.monotonic()
        call("xl", "destroy", self.name)
        return time.monotonic() - begin
