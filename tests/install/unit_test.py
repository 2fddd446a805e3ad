#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Follows the README's "At a gateway" word for word on a machine with a
systemd of its own, and looks at what each step did: unit_test.py SOURCE BUILD
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
# Done before the test, or not to be done in one.
NOT_HERE = ("contrib/try ", "git ", "modprobe ")


class Machine:
    """Made by machine.sh; gone with its first process."""

    def __init__(self, source, build):
        self.source = source
        self.work = tempfile.mkdtemp(prefix="symtap-install-")
        os.mkdir(f"{self.work}/root")
        self.cgroup = self.make_cgroup()
        self.process = subprocess.Popen(
            ["sh", "-c", f"echo $$ >{self.cgroup}/cgroup.procs; exec \"$@\"",
             "sh", "setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--mount", "--net", "--uts", "--ipc",
             "--cgroup", "--fork", "--kill-child=KILL", "bash",
             f"{source}/tests/install/machine.sh", f"{self.work}/root", source,
             build],
            stdin=subprocess.DEVNULL, stdout=open(f"{self.work}/log", "wb"),
            stderr=subprocess.STDOUT)
        self.init = None

    @staticmethod
    def make_cgroup():
        """A group of the second version, below our own."""
        mounts = [line.split() for line in open("/proc/mounts")]
        tops = [words[1] for words in mounts if words[2] == "cgroup2"]
        if not tops:
            sys.exit("no cgroup2 is mounted on this host")
        own = [line.split("::")[1].strip() for line in open("/proc/self/cgroup")
               if line.startswith("0::")][0]
        path = f"{tops[0]}{own.rstrip('/')}/symtap-install-{os.getpid()}"
        os.mkdir(path)
        return path

    def boot(self):
        pid = self.process.pid
        wait_for("the machine's first process", lambda: open(
            f"/proc/{pid}/task/{pid}/children").read().split())
        self.init = open(f"/proc/{pid}/task/{pid}/children").read().split()[0]
        wait_for("its systemd", lambda: self.try_run(
            "systemctl is-system-running")[1] in ("running", "degraded"))

    def try_run(self, command):
        if self.process.poll() is not None:
            log = open(f"{self.work}/log").read()
            sys.exit(f"the machine has ended:\n{log}")
        done = subprocess.run(
            ["nsenter", "--all", "--target", self.init, "env", "-i",
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
             "sh", "-c", f"cd {self.source} && {command}"], check=False, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        return done.returncode, (done.stdout + done.stderr).strip()

    def run(self, command):
        status, text = self.try_run(command)
        if status != 0:
            _, journal = self.try_run("journalctl --no-pager | tail -40")
            sys.exit(f"FAILED ({status}): {command}\n{text}\n{journal}")
        return text

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + 10
        while os.path.isdir(self.cgroup) and time.monotonic() < deadline:
            subprocess.run(["find", self.cgroup, "-depth", "-type", "d",
                            "-exec", "rmdir", "{}", ";"], check=False,
                           stderr=subprocess.DEVNULL)
            time.sleep(0.05)
        subprocess.run(["rm", "-r", self.work], check=True)


def wait_for(what, condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f"FAILED: waited {seconds} s for {what}")


def check(fact, value=True):
    if not value:
        sys.exit(f"FAILED: {fact}")
    print(f"ok   {fact}")


def check_equal(fact, want, got):
    if want != got:
        sys.exit(f"FAILED: {fact}: want {want!r}, got {got!r}")
    print(f"ok   {fact}")


def manual(source):
    """The commands of "At a gateway", by sub-heading."""
    text = open(f"{source}/README.md", encoding="utf-8").read()
    chapter = re.split(r"^## ", text.split("\n## At a gateway\n")[1],
                       flags=re.M)[0]
    steps = {}
    for part in re.split(r"^### ", chapter, flags=re.M)[1:]:
        heading = part.splitlines()[0]
        blocks = re.findall(r"^```sh\n(.*?)^```", part, flags=re.M | re.S)
        if blocks:
            steps[heading] = [line for line in "".join(blocks).splitlines()
                              if line and not line.startswith(NOT_HERE)]
    return steps


def manual_of_xen(source):
    """The commands of "Under Xen" that have to do with the unit."""
    text = open(f"{source}/README.md", encoding="utf-8").read()
    chapter = text.split("\n## Under Xen\n")[1].split("\n## ")[0]
    block, = (each for each in re.findall(
        r"^```sh\n(.*?)^```", chapter, flags=re.M | re.S)
        if "systemctl enable" in each)
    return [line for line in block.replace("\\\n", "").splitlines()
            if not line.startswith(NOT_HERE)]


def follow(machine, steps, heading):
    print(f"---- {heading}")
    for command in steps.pop(heading):
        print(f"     {command}")
        machine.run(command)


FILES = ("find / -xdev \\( -path /proc -o -path /sys -o -path "
         "/usr -o -path /tmp -o -path /run/log -o -path /run/systemd -o -path "
         "/var/log -o -path '/etc/*-' -o -path /etc/.pwd.lock \\) -prune -o "
         "-print; find /usr/local /run/symtap* 2>/dev/null; true")
SYSCTLS = ("cd /proc/sys/net && find . -type f ! -path '*conntrack*' "
           "! -name '*stable_secret' -exec grep -H . {} + 2>/dev/null | sort")


def leftovers(machine):
    return (machine.run(FILES),
            machine.run("cat /etc/passwd /etc/group"),
            machine.run("nft list ruleset"), machine.run(SYSCTLS))


def main_pid(machine):
    return machine.run("systemctl show -P MainPID symtapd")


def look_at_process(machine, more=0):
    """What it was allowed to keep."""
    status = dict(line.split(":\t", 1) for line in machine.run(
        f"cat /proc/{main_pid(machine)}/status").splitlines() if ":\t" in line)
    user = machine.run("id -u symtap")
    check_equal("it runs as its own user", [user] * 4, status["Uid"].split())
    for kind in ("Prm", "Eff"):
        check_equal(f"Cap{kind} is CAP_NET_ADMIN and no more", 1 << 12,
                    int(status[f"Cap{kind}"], 16))
    # Not its to change; and of no use to who gets no new privileges.
    check_equal("CapBnd is what the unit says", 1 << 12 | 3 << 38 | more,
                int(status["CapBnd"], 16))
    check_equal("no new privileges", "1", status["NoNewPrivs"])
    check_equal("system calls are filtered", "2", status["Seccomp"])


def is_active(machine):
    return machine.try_run("systemctl is-active symtapd")[1] == "active"


def watchdog(machine):
    """A daemon that hangs is ended and started again."""
    machine.run("mkdir -p /run/systemd/system/symtapd.service.d && printf "
                "'[Service]\\nWatchdogSec=1s\\n' "
                ">/run/systemd/system/symtapd.service.d/test.conf && "
                "systemctl daemon-reload && systemctl restart symtapd")
    before = main_pid(machine)
    time.sleep(3)
    check_equal("a healthy daemon satisfies its watchdog", before,
                main_pid(machine))
    machine.run(f"kill -STOP {before}")
    wait_for("the watchdog to end a daemon that hangs",
             lambda: main_pid(machine) not in ("0", before))
    wait_for("it to be active again", lambda: is_active(machine))
    check("the watchdog restarts a daemon that hangs")
    machine.run("rm -r /run/systemd/system/symtapd.service.d && "
                "systemctl daemon-reload && systemctl restart symtapd")


def crash(machine):
    before = main_pid(machine)
    machine.run(f"kill -KILL {before}")
    wait_for("a new process", lambda: main_pid(machine) not in ("0", before))
    wait_for("it to be active again", lambda: is_active(machine))
    check("a crash is followed by a start")


FAST = """mode: enforce
inside: [10.20.0.0/16]
datapath: {fast: {interfaces: [lan0]}}
"""


def journal(machine, word):
    return machine.run(f"journalctl --no-pager -u symtapd | grep '{word}' "
                       "|| true")


def fast(machine):
    """Its sandbox has room for the kernel program, and for what is pinned."""
    machine.run("systemctl stop symtapd && cp /etc/symtap/symtap.yaml /tmp && "
                f"printf '{FAST}' >/etc/symtap/symtap.yaml && "
                "systemctl start symtapd")
    check("the fast path is attached", "lan0" in journal(machine, "attached"))
    loader = machine.run("pgrep symtap-loader")
    caps = machine.run(f"grep CapEff /proc/{loader}/status").split()[1]
    check_equal("its loader keeps CAP_NET_ADMIN and CAP_BPF",
                1 << 12 | 1 << 39, int(caps, 16))
    look_at_process(machine)
    pinned = "find /run/symtap-bpf -mindepth 2 | wc -l"
    check_equal("two maps are pinned", "2", machine.run(pinned))
    crash(machine)
    check("a new process reads what its predecessor was leased",
          journal(machine, "taken up from the kernel"))
    check("its unit has nothing to complain of",
          not journal(machine, "fast path: /"))
    machine.run("systemctl stop symtapd")
    check_equal("a stop leaves nothing pinned", "0", machine.run(pinned))
    machine.run("mv /tmp/symtap.yaml /etc/symtap/ && systemctl start symtapd")


BRIDGED = """mode: enforce
inside: [10.20.0.0/16]
datapath: {nfqueue: {bridge: true}}
"""


def bridged(machine):
    """Sysctls of the bridge are within its sandbox, and put back."""
    machine.run("systemctl stop symtapd && cp /etc/symtap/symtap.yaml /tmp && "
                "ip link add br0 type bridge && ip link set br0 up && "
                "ip link set lan0 master br0 && ip link set wan0 master br0")
    before = machine.run(SYSCTLS)
    machine.run(f"printf '{BRIDGED}' >/etc/symtap/symtap.yaml && "
                "systemctl start symtapd")
    check("the unit is active on a bridge", is_active(machine))
    look_at_process(machine)
    changed = {line.partition(":")[0] for line in set(
        machine.run(SYSCTLS).splitlines()) ^ set(before.splitlines())}
    check("only sysctls of bridges are changed", all(
        path.startswith("./bridge/") for path in changed))
    # Where nft itself can queue frames there is none to change.
    if 'come by "target"' in machine.run("journalctl --no-pager -u symtapd | "
                                         "grep installed | tail -n 1"):
        check("tagged frames are seen",
              "./bridge/bridge-nf-filter-vlan-tagged" in changed)
    machine.run("systemctl stop symtapd")
    check_equal("a stop puts them back", before, machine.run(SYSCTLS))
    machine.run("ip link del br0 && mv /tmp/symtap.yaml /etc/symtap/ && "
                "systemctl start symtapd")


XEN = """mode: enforce
inside: [192.0.2.0/24]
datapath: {nfqueue: {bridge: true}}
xen: {vifs: follow, announce: true}
"""


def beside_xen(machine, build, commands):
    """What "Under Xen" says: XenStore is root's, and symtapd is not."""
    xenstored = f"{build}/packages/usr/lib/xen-4.17/bin/xenstored"
    machine.run("systemctl disable --now symtapd && "
                "cp /etc/symtap/symtap.yaml /tmp && mkdir /run/xenstored && "
                "ip link add br0 type bridge && ip link set lan0 master br0 && "
                "systemd-run --unit xenstored --service-type=exec "
                f"-E LD_PRELOAD={build}/tests/xenstore/libhypervisor.so "
                f"-E HYPERVISOR_DIR=/run/xenstored {xenstored} -N")
    wait_for("xenstored", lambda: machine.try_run(
        "test -S /run/xenstored/socket")[0] == 0)
    check_equal("XenStore is root's", "600 root",
                machine.run("stat -c '%a %U' /run/xenstored/socket"))
    machine.run(f"printf '{XEN}' >/etc/symtap/symtap.yaml")
    for command in commands:
        print(f"     {command}")
        machine.run(command)
    wait_for("XenStore to be followed", lambda: journal(
        machine, "xenstored answers"))
    check("the unit reaches XenStore")
    check("and has what it takes to announce and for the way `ring`",
          not journal(machine, "announce") and not journal(
              machine, "CAP_NET_RAW"))
    status = machine.run(f"cat /proc/{machine.run('pgrep symtapd-xen')}/status")
    check("who asks it is root without a capability",
          all(f"\n{line}" in status for line in (
              "Uid:\t0\t0\t0\t0", "CapPrm:\t0000000000000000",
              "CapEff:\t0000000000000000")))
    look_at_process(machine, 1 << 7 | 1 << 13)
    machine.run("systemctl stop symtapd xenstored && ip link del br0 && "
                "rm -rf /run/xenstored /var/lib/xenstored && "
                "rm /etc/systemd/system/symtapd.service.d/xen.conf && "
                "rmdir /etc/systemd/system/symtapd.service.d && "
                "mv /tmp/symtap.yaml /etc/symtap/ && "
                "systemctl daemon-reload && systemctl start symtapd")


def mode(machine):
    return machine.run("symtapctl status --json | python3 -c 'import json, sys;"
                       " print(json.load(sys.stdin)[\"ok\"][\"mode\"])'")


def story(machine, steps, source, build):
    before = leftovers(machine)
    follow(machine, steps, "Install")
    check_equal("systemd finds nothing wrong with the unit", "", machine.run(
        "systemd-analyze verify --man=no symtapd.service"))
    follow(machine, steps, "Configure")
    follow(machine, steps, "Shadow first")
    check("the unit is active", is_active(machine))
    look_at_process(machine)
    check_equal("it begins in shadow", "shadow", mode(machine))
    check("its rules are in the kernel",
          "symtap" in machine.run("nft list tables"))

    first = main_pid(machine)
    follow(machine, steps, "Enforce")
    check_equal("the new policy is in force", "enforce", mode(machine))
    check_equal("a reload is no restart", first, main_pid(machine))
    machine.run("cp /etc/symtap/symtap.yaml /tmp/good.yaml && "
                "echo nonsense: 1 >>/etc/symtap/symtap.yaml")
    check("a reload of a bad policy fails",
          machine.try_run("systemctl reload symtapd")[0] != 0)
    check("and changes nothing", is_active(machine)
          and main_pid(machine) == first and mode(machine) == "enforce")
    machine.run("mv /tmp/good.yaml /etc/symtap/symtap.yaml && "
                "systemctl reload symtapd")

    watchdog(machine)
    crash(machine)
    fast(machine)
    first = main_pid(machine)
    follow(machine, steps, "Upgrade")
    check("an upgrade starts the new program",
          is_active(machine) and main_pid(machine) != first)
    check_equal("an upgrade keeps the configuration", "enforce", mode(machine))

    machine.run("systemctl stop symtapd")
    check_equal("a stop leaves no rule", before[2],
                machine.run("nft list ruleset"))
    check_equal("a stop leaves no sysctl", before[3], machine.run(SYSCTLS))
    check("a stop leaves nothing in /run",
          machine.try_run("test -e /run/symtap")[0] != 0)
    machine.run("systemctl start symtapd")
    bridged(machine)
    beside_xen(machine, build, manual_of_xen(source))
    follow(machine, steps, "Remove")
    for what, want, got in zip(("file", "user", "rule", "sysctl"), before,
                               leftovers(machine)):
        changed = sorted(set(want.splitlines()) ^ set(got.splitlines()))
        check_equal(f"no {what} is left", [], changed)
    check_equal("every step of the manual was followed", {}, steps)


def main():
    source, build = (os.path.abspath(path) for path in sys.argv[1:3])
    if os.geteuid() != 0:
        print("needs root: it makes a machine of namespaces")
        sys.exit(SKIPPED)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    steps = manual(source)
    machine = Machine(source, build)
    try:
        machine.boot()
        story(machine, steps, source, build)
    finally:
        machine.end()


if __name__ == "__main__":
    main()
