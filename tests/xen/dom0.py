# SPDX-License-Identifier: GPL-2.0-or-later
"""A Xen host from inside of dom0: its tool stack, a bridge, and who is beyond
it.  Subjects run one after the other in one dom0, so the first starts it."""

import contextlib
import os
import pathlib
import shlex
import subprocess

import lab

JOB = pathlib.Path("/run/job")
# What guests boot from, in memory: each page of the job's is asked for anew.
KERNEL, RAMDISK = (pathlib.Path("/run", name)
                   for name in ("vmlinux", "guest.cpio"))
BRIDGE = "xenbr0"
HOST = "10.0.1.100"
OUTSIDE, OUTSIDE2 = "10.0.1.200", "10.0.1.201"
OUTSIDE_MAC = "00:16:3e:01:00:c8"  # guests remember it between subjects
HOST6, OUTSIDE6 = "fd00:1::100", "fd00:1::200"
QUEUES_MAX = 4
MODULES = ("xenfs", "xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc",
           "xen-netback", "bridge", "veth")
STARTED = pathlib.Path("/run/xen-stack")


def call(*argv):
    done = subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(argv)}: {done.stdout}")
    return done.stdout


def show_frames_to_ip_rules(shown):
    """As br_netfilter does unless it is told not to."""
    call("sysctl", "-qw", *(
        f"net.bridge.bridge-nf-call-{family}tables={int(shown)}"
        for family in ("ip", "ip6", "arp")))


def write(path, text):
    pathlib.Path(path).write_text(text, encoding="utf-8")


def kernel_words():
    """For a guest's, as for ours, which does something else in a panic."""
    words = pathlib.Path("/proc/cmdline").read_text(encoding="ascii").split()
    return " ".join(word for word in words if not word.startswith("panic="))


def unpack_tools():
    """As if they had been installed."""
    packages = os.path.join(os.environ["SYMTAP_BUILD"], "packages")
    call("cp", "-asf", f"{packages}/usr/.", "/usr/")
    call("cp", "-a", f"{packages}/etc/.", "/etc/")
    for path in (KERNEL, RAMDISK):
        call("cp", str(JOB / path.name), str(path))


def start_stack():
    unpack_tools()
    for folder in ("/run/xenstored", "/run/xen", "/var/log/xen",
                   "/var/lib/xen", "/var/lib/xenstored", "/run/lock"):
        os.makedirs(folder, exist_ok=True)
    call("modprobe", "-a", *MODULES)
    # As many as there are processors in dom0, by itself: one.
    write("/sys/module/xen_netback/parameters/max_queues", str(QUEUES_MAX))
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
    call("ip", "link", "add", BRIDGE, "type", "bridge")
    call("ip", "link", "set", BRIDGE, "up")
    for address in (f"{HOST}/24", f"{HOST6}/64"):
        call("ip", "addr", "add", address, "dev", BRIDGE)


class Host:
    """dom0 as a Namespace is, but for being where we are."""

    def __init__(self, world):
        self.lab = world
        os.environ["PATH"] += ":/usr/lib/xen-4.17/bin"
        if not STARTED.exists():
            start_stack()
            STARTED.touch()
        self.outside = world.namespace("outside")
        call("ip", "link", "add", "wan0", "type", "veth", "peer", "name",
             "eth0", "address", OUTSIDE_MAC, "netns", self.outside.name)
        call("ip", "link", "set", "wan0", "master", BRIDGE, "up")
        self.outside.up("eth0")
        self.outside.address("eth0", f"{OUTSIDE}/24", f"{OUTSIDE2}/24",
                             f"{OUTSIDE6}/64")

    @staticmethod
    def close():
        """The namespace takes a while to go; its name is needed again."""
        call("ip", "link", "del", "wan0")

    @contextlib.contextmanager
    def entered(self):
        yield

    @staticmethod
    def argv(*argv):
        return list(argv)

    @staticmethod
    def run(*argv, check=True):
        done = subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{shlex.join(argv)}: {done.stdout}")
        return done.stdout
