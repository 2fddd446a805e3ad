#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel program and its interfaces: how it is attached, what a kernel
without it says, what becomes of it."""

import os
import re
import signal
import subprocess
import tempfile
import time

import gateway_bed as bed
import lab
import symtapd
import traffic

FAST = "lan0, lan1"
WITHOUT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "without.py")
with open(os.path.join(os.path.dirname(WITHOUT),
                       "../../shaper/bpf/fast_maps.h"),
          encoding="utf-8") as header:
    VERSION = "v" + re.search(r"FAST_VERSION = (\d+)", header.read())[1]
NO_TCX = (WITHOUT, "BPF_LINK_CREATE=EINVAL")


class Case(bed.Case):

    FAST = FAST

    def start_without(self, prefix, **policy):
        self.symtapd.start(prefix=prefix, **policy)

    def check_slow(self):
        """It goes by the queue, and a flood is held there."""
        self.check_whole(self.talk(seconds=0.2).finish())
        self.assertEqual(self.symtapd.settled()["fast_out_pkts"], 0)
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        _, arrived = traffic.flood(traffic.sender(self.net.host, lab.GUARDED),
                                   (lab.OUTSIDE, 9), ear, 0.9)
        self.check_figures(arrived, 0.9)

    def filters(self, device="lan1"):
        return [self.net.gateway.run("tc", "filter", "show", "dev", device, at)
                for at in ("ingress", "egress")]


class Clsact(Case):
    """Linux before 6.6: filters of a clsact qdisc."""

    def tearDown(self):
        super().tearDown()
        for device in ("lan0", "lan1"):
            self.net.gateway.run("tc", "qdisc", "del", "dev", device,
                                 "clsact", check=False)

    def test_does_the_same_and_leaves_none_behind(self):
        self.start_without(NO_TCX)
        self.assertIn("symtap_out", self.filters()[0])
        self.assertIn("symtap_in", self.filters()[1])
        self.check_fast()
        self.symtapd.stop()
        self.assertEqual(self.filters(), ["", ""])

    def test_filters_of_others_stay(self):
        tc = self.net.gateway.run
        tc("tc", "qdisc", "add", "dev", "lan1", "clsact")
        for at in ("ingress", "egress"):
            tc("tc", "filter", "add", "dev", "lan1", at, "prio", "7",
               "bpf", "bytecode", "1,6 0 0 0")
        before = self.filters()
        self.start_without(NO_TCX)
        self.assertNotEqual(self.filters(), before)
        self.symtapd.stop()
        self.assertEqual(self.filters(), before)

    def test_what_was_left_behind_is_replaced(self):
        self.start_without(NO_TCX)
        self.symtapd.stop(signal.SIGKILL)
        self.symtapd.restart(prefix=NO_TCX)
        self.assertEqual([each.count("direct-action")
                          for each in self.filters()], [1, 1])
        self.check_fast()


class Without(Case):
    """What is missing is said, and all goes by the queue."""

    def start_slow(self, prefix, why):
        self.start_without(prefix)
        self.assertIn(why, self.symtapd.log())
        self.check_slow()

    def test_no_bpf(self):
        self.start_slow((WITHOUT, "BPF_MAP_CREATE=ENOSYS",
                         "BPF_PROG_LOAD=ENOSYS"), "CONFIG_BPF_SYSCALL")

    def test_not_allowed(self):
        self.start_slow((WITHOUT, "BPF_MAP_CREATE=EPERM",
                         "BPF_PROG_LOAD=EPERM"), "bpf(2) is not allowed here")

    def test_no_capability(self):
        self.start_slow(("setpriv", "--bounding-set", "-bpf,-sys_admin"),
                        "loading it needs CAP_BPF")

    def test_neither_tcx_nor_clsact(self):
        tc = self.net.gateway.run
        for device in ("lan0", "lan1"):
            tc("tc", "qdisc", "add", "dev", device, "ingress")
            self.addCleanup(tc, "tc", "qdisc", "del", "dev", device, "ingress")
        self.start_slow(NO_TCX, "neither tcx links")


class Late(Case):
    """A kernel that looks through the program for long."""

    SLOW_SECONDS = 20
    SLOW = (WITHOUT, f"BPF_PROG_LOAD={SLOW_SECONDS}")

    def start_slow(self):
        begin = time.monotonic()
        self.symtapd.patient = False
        self.start_without(self.SLOW)
        self.assertLess(time.monotonic() - begin, self.SLOW_SECONDS)
        self.assertTrue(lab.eventually(self.symtapd.is_loading, 5))

    def loader(self):
        """Behind who makes it slow."""
        return processes(self.symtapd)[-1]

    def test_it_judges_meanwhile_and_takes_the_fast_path_then(self):
        self.start_slow()
        self.check_slow()
        self.assertNotIn("attached to", self.symtapd.log())
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.log().count("attached to") == 2,
            2 * self.SLOW_SECONDS, 0.1), self.symtapd.log())
        self.check_fast()

    def test_it_ends_meanwhile(self):
        self.start_slow()
        loader = self.loader()
        begin = time.monotonic()
        self.symtapd.stop()
        self.assertTrue(lab.eventually(
            lambda: not os.path.exists(f"/proc/{loader}"), 5))
        self.assertLess(time.monotonic() - begin, self.SLOW_SECONDS / 2)


class Follow(Case):
    """Interfaces come and go, and so does what is attached to them."""

    DATAPATH = "{{fast: {{interfaces: {}, keys: 16384, pin: none}}}}"

    def attached(self):
        return {row["name"]: row["attached"] for row in
                self.symtapd.ask("status")["fast"]["interfaces"]}

    def wait_attached(self, *names):
        want = dict.fromkeys(names, "tcx")
        lab.eventually(lambda: self.attached() == want, 5, 0.1)
        self.assertEqual(self.attached(), want, self.symtapd.log())

    def programs(self, device):
        """How many are at it, which bpftool may be too old to list."""
        index = self.net.gateway.read(f"/sys/class/net/{device}/ifindex")
        return [link["ifindex"] for link in
                links(processes(self.symtapd)[1])].count(index)

    def make_anew(self):
        """lan1, and the neighbour behind it."""
        self.net.gateway.run("ip", "link", "del", "lan1")
        self.assertTrue(lab.eventually(
            lambda: self.attached().get("lan1") != "tcx", 5, 0.05))
        self.net._guarded(self.net.neighbour, "lan1", lab.NEIGHBOUR,
                          lab.NEIGHBOUR6, lab.NEIGHBOUR_MAC)

    def test_reload_onto_a_new_interface_and_back(self):
        self.start(datapath=self.DATAPATH.format("[lan0]"))
        self.wait_attached("lan0")
        talk = self.talk(seconds=bed.LONG, pkts_per_s=2000)
        self.symtapd.write_policy(datapath=self.DATAPATH.format("[lan1]"))
        answer = self.symtapd.reload()
        self.assertNotIn("unchanged", str(answer))
        self.wait_attached("lan1")
        self.assertEqual((self.programs("lan0"), self.programs("lan1")),
                         (0, 2))
        before = self.symtapd.settled()["fast_out_pkts"]
        self.symtapd.wait_for("fast_out_pkts", before + 500)
        self.symtapd.write_policy(datapath=self.DATAPATH.format("[lan0]"))
        self.symtapd.reload()
        self.wait_attached("lan0")
        self.check_whole(talk.end())
        self.assertEqual(self.symtapd.counters()["waited_pkts"], 0)

    def test_interface_that_is_made_anew(self):
        self.start()
        self.check_fast()
        self.make_anew()
        self.wait_attached("lan0", "lan1")
        self.check_fast()

    def test_interface_that_comes_later(self):
        self.net.gateway.run("ip", "link", "del", "lan1")
        self.symtapd.start()
        self.assertIn("lan1: there is no such interface", self.symtapd.log())
        self.net._guarded(self.net.neighbour, "lan1", lab.NEIGHBOUR,
                          lab.NEIGHBOUR6, lab.NEIGHBOUR_MAC)
        self.wait_attached("lan0", "lan1")
        self.check_fast()

    def test_what_somebody_detached_is_attached_again(self):
        self.start()
        for link in links(processes(self.symtapd)[1]):
            self.net.gateway.run("bpftool", "link", "detach", "id",
                                 link["link_id"])
        self.assertTrue(lab.eventually(
            lambda: "took it away from lan1" in self.symtapd.log(), 5, 0.1))
        self.wait_attached("lan0", "lan1")
        self.check_fast()

    def test_all_guarded_ones(self):
        self.start(datapath=self.DATAPATH.format("auto"))
        self.wait_attached("lan0", "lan1")
        self.check_fast()
        self.make_anew()
        self.wait_attached("lan0", "lan1")

    def test_an_address_of_the_inside_guards_whatever_has_it(self):
        """It is seen within a second, as a new name is."""
        ip = self.net.gateway.run
        ip("ip", "link", "add", "lan2", "type", "veth", "peer", "lan3")
        self.addCleanup(ip, "ip", "link", "del", "lan3")
        self.start(datapath=self.DATAPATH.format("auto"))
        self.wait_attached("lan0", "lan1")
        ip("ip", "address", "add", "10.20.77.1/24", "dev", "lan2")
        self.wait_attached("lan0", "lan1", "lan2")
        ip("ip", "link", "set", "lan2", "name", "lan4")
        self.wait_attached("lan0", "lan1", "lan4")
        ip("ip", "address", "del", "10.20.77.1/24", "dev", "lan4")
        self.wait_attached("lan0", "lan1")

    def rename(self, *pairs):
        """All at once; they stay up, as Linux 6.2 lets them."""
        self.net.gateway.run("ip", "-batch", "-", input="".join(
            f"link set {old} name {new}\n" for old, new in pairs))

    def check_programs(self, *devices):
        self.wait_attached(*devices)
        for device in devices:
            self.assertEqual(self.programs(device), 2, device)
        self.check_fast()

    def test_interface_of_another_name_keeps_the_program(self):
        self.start(datapath=self.DATAPATH.format("auto"))
        self.wait_attached("lan0", "lan1")
        self.rename(("lan1", "lan9"))
        self.addCleanup(self.rename, ("lan9", "lan1"))
        self.check_programs("lan0", "lan9")

    def test_interfaces_that_change_names_keep_the_program(self):
        change = ("lan0", "lan9"), ("lan1", "lan0"), ("lan9", "lan1")
        self.start()
        self.check_programs("lan0", "lan1")
        self.rename(*change)
        self.addCleanup(self.rename, *change)
        self.symtapd.a_second_later()
        self.check_programs("lan0", "lan1")

    def test_all_guarded_ones_where_there_is_no_fast_path(self):
        self.start_without((WITHOUT, "BPF_PROG_LOAD=EPERM"),
                           datapath=self.DATAPATH.format("auto"))
        told, = [line for line in self.symtapd.log().splitlines()
                 if "fast path" in line]
        self.assertIn("bpf(2) is not allowed here", told)
        self.check_slow()

    def test_loader_that_is_killed(self):
        self.start()
        self.check_fast()
        loader, = processes(self.symtapd)[1:]
        os.kill(loader, signal.SIGKILL)
        self.assertTrue(lab.eventually(
            lambda: "all packets come to the queues" in self.symtapd.log(),
            5, 0.1))
        before = self.symtapd.settled()["received_pkts"]
        talk = self.talk(seconds=1).finish()
        self.check_whole(talk)
        self.assertGreater(self.symtapd.settled()["received_pkts"] - before,
                           talk["sent"])


class Pinned(Case):
    """What was leased outlives a daemon that is killed."""

    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="symtap-bpf-")
        self.addCleanup(os.rmdir, self.folder)
        mount(self.folder)
        self.addCleanup(subprocess.run, ["umount", self.folder], check=True)
        self.pin = os.path.join(self.folder, "symtap")
        symtapd.PIN = self.pin
        self.addCleanup(setattr, symtapd, "PIN", "none")

    def test_an_end_leaves_nothing_behind(self):
        self.start()
        self.assertEqual(sorted(os.listdir(self.pin)),
                         [f"memory-{VERSION}", f"slots-{VERSION}"])
        self.assertEqual(os.stat(self.pin).st_mode & 0o777, 0o700)
        self.symtapd.stop()
        self.assertEqual(os.listdir(self.pin), [])

    def test_names_are_for_bpftool(self):
        self.start()
        for name in (f"slots-{VERSION}", f"memory-{VERSION}"):
            told = self.net.gateway.run("bpftool", "map", "show", "pinned",
                                        os.path.join(self.pin, name))
            self.assertRegex(told, "name symtap")
        ids = self.net.gateway.run("bpftool", "prog", "show")
        self.assertIn("name symtap_out", ids)
        self.assertIn("name symtap_in", ids)

    def test_killed_it_goes_on_with_what_was_leased(self):
        self.start(shipped=True)
        talk = self.talk(seconds=bed.LONG, pkts_per_s=500)
        self.symtapd.wait_for("fast_out_pkts", 300)
        self.symtapd.stop(signal.SIGKILL)
        self.symtapd.restart()
        self.assertGreaterEqual(sum(self.taken()), 2, self.symtapd.log())
        restarted = self.symtapd.counters()["fast_out_pkts"]
        self.symtapd.wait_for("fast_out_pkts", restarted + 300)
        talked = talk.end()
        self.assertEqual((talked["arrived"], talked["answered"]),
                         (talked["sent"], talked["sent"]), talked)
        self.assertEqual(self.symtapd.settled()["waited_pkts"], 0)

    def taken(self):
        """Keys of each start that found some."""
        return [int(count) for count in re.findall(
            "([0-9]+) keys taken up from the kernel", self.symtapd.log())]

    def test_who_ends_while_it_starts_takes_nothing_away(self):
        """It had loaded, and has no queue."""
        self.start(shipped=True)
        talk = self.talk(seconds=bed.LONG, pkts_per_s=500)
        self.symtapd.wait_for("fast_out_pkts", 300)
        self.symtapd.stop(signal.SIGKILL)
        with self.net.gateway.entered():
            owner = subprocess.Popen(
                [symtapd.find(bed.BUILD, "bench-gateway-bare"),
                 "1000"], stdout=subprocess.DEVNULL)
        self.lab.processes.append(owner)
        self.assertTrue(lab.eventually(lambda: "1000" in self.net.gateway.run(
            "cat", "/proc/net/netfilter/nfnetlink_queue").split()))
        with self.assertRaises(symtapd.SymtapdError):
            self.symtapd.restart()
        self.assertIn("belongs to another program", self.symtapd.log())
        owner.terminate()
        owner.wait(5)
        before = len(self.taken())
        self.symtapd.restart()
        self.assertGreaterEqual(sum(self.taken()[before:]), 2,
                                self.symtapd.log())
        talk.end()

    def written(self):
        """When the state was, by the wall's clock."""
        try:
            return os.stat(self.symtapd.path("state")).st_mtime
        except FileNotFoundError:
            return 0

    def test_killed_it_holds_who_was_held(self):
        """Anew it would let out four at once."""
        # Nothing is forgotten while it is away, however long a start takes.
        self.start(limiter="{window: 9s, max_delay: 32ms}")
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        begin = time.time()
        # Every two seconds it writes down who is held.
        self.assertTrue(lab.eventually(
            lambda: traffic.flood(source, (lab.OUTSIDE, 9), ear, 0.3) and
            self.written() > begin + 0.3, 10))
        self.symtapd.stop(signal.SIGKILL)
        ear.take()
        self.symtapd.restart()
        _, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 0.5)
        self.assertGreater(len(arrived), 3)
        self.assertGreater(arrived[3].at - arrived[0].at, 0.010)

    def test_other_versions_are_removed_unread(self):
        self.start()
        self.symtapd.stop(signal.SIGKILL)
        for name in ("slots", "memory"):
            os.rename(os.path.join(self.pin, f"{name}-{VERSION}"),
                      os.path.join(self.pin, f"{name}-v77"))
        self.symtapd.restart()
        self.assertIn("-v77 is of another version: removed unread",
                      self.symtapd.log())
        self.assertNotIn("taken up from the kernel", self.symtapd.log())
        self.assertEqual(sorted(os.listdir(self.pin)),
                         [f"memory-{VERSION}", f"slots-{VERSION}"])
        self.check_fast()

    def test_what_is_no_such_map_is_not_read(self):
        self.start()
        self.symtapd.stop(signal.SIGKILL)
        for name in (f"slots-{VERSION}", f"memory-{VERSION}"):
            path = os.path.join(self.pin, name)
            os.unlink(path)
            self.net.gateway.run(
                "bpftool", "map", "create", path, "type", "array", "key", "4",
                "value", "8", "entries", "16", "name", "other")
        self.symtapd.restart()
        self.assertIn("is not read", self.symtapd.log())
        self.check_fast()

    def test_folder_is_for_one(self):
        self.start()
        other = symtapd.Symtapd(self.net.outside, bed.BUILD)
        self.addCleanup(other.close)
        other.start()
        self.assertIn("is used by another symtapd", other.log())
        self.assertEqual(other.stop(), 0)
        self.assertEqual(sorted(os.listdir(self.pin)),
                         [f"memory-{VERSION}", f"slots-{VERSION}"])

    def test_where_there_is_no_such_file_system(self):
        symtapd.PIN = "/tmp/symtap-no-bpf-here"
        self.start()
        self.assertIn("is not in a BPF file system", self.symtapd.log())
        self.assertFalse(os.path.exists(symtapd.PIN))
        self.check_fast()


def mount(folder):
    subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)


def processes(daemon):
    """symtapd and its loader, by their process ids."""
    first = daemon.process.pid
    path = f"/proc/{first}/task/{first}/children"
    with open(path, encoding="ascii") as file:
        return [first, *map(int, file.read().split())]


def links(process):
    """What the kernel says of the links that a process has open."""
    folder = f"/proc/{process}/fdinfo"
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="ascii") as file:
            told = dict(line.split(":", 1) for line in file if ":" in line)
        if "link_id" in told:
            yield {key: value.strip() for key, value in told.items()}


class Privileges(Case):

    NET_ADMIN, PERFMON, BPF = 1 << 12, 1 << 38, 1 << 39

    @staticmethod
    def status(process, field):
        with open(f"/proc/{process}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return line.split(":")[1].strip()
        raise KeyError(field)

    def test_daemon_has_no_more_than_before_and_loader_no_perfmon(self):
        self.start()
        daemon, loader = processes(self.symtapd)
        self.assertEqual(self.status(loader, "Name"), "symtap-loader")
        for process, want in ((daemon, self.NET_ADMIN),
                              (loader, self.NET_ADMIN | self.BPF)):
            for field in ("CapPrm", "CapEff", "CapBnd"):
                self.assertEqual(int(self.status(process, field), 16), want,
                                 (process, field))
            self.assertEqual(int(self.status(process, "CapInh"), 16), 0)
            self.assertEqual(self.status(process, "Seccomp"), "2")
            self.assertEqual(self.status(process, "NoNewPrivs"), "1")
        self.assertEqual(self.status(daemon, "Uid"),
                         self.status(loader, "Uid"))

    def test_loader_ends_with_the_daemon(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.start()
            _, loader = processes(self.symtapd)
            left = [link["link_id"] for link in links(loader)]
            self.assertEqual(len(left), 4)
            self.symtapd.stop(number)
            self.assertTrue(lab.eventually(
                lambda pid=loader: not os.path.exists(f"/proc/{pid}"), 5))
            for link in left:
                self.assertIn("No such file", self.net.gateway.run(
                    "bpftool", "link", "show", "id", link, check=False))

    def loads(self):
        """The loader of a daemon that begins, stopped while it loads; None: it
        had done so."""
        self.symtapd.begin()
        child = []

        def is_named():
            child[:] = processes(self.symtapd)[1:]
            return child and self.status(child[0], "Name") == "symtap-loader"

        self.assertTrue(lab.eventually(is_named, 5, 0.001), self.symtapd.log())
        os.kill(child[0], signal.SIGSTOP)
        if int(self.status(child[0], "CapEff"), 16) & self.PERFMON:
            return child[0]
        os.kill(child[0], signal.SIGKILL)
        self.symtapd.stop(signal.SIGKILL)
        return None

    def test_loader_ends_with_a_daemon_that_is_ended_while_it_loads(self):
        """Else each that is started again would have one more beside it."""
        self.symtapd.write_policy()
        for number in (signal.SIGTERM, signal.SIGKILL):
            loader = lab.eventually(self.loads, 60)
            self.assertTrue(loader, self.symtapd.log())
            self.symtapd.stop(number)
            self.assertTrue(lab.eventually(
                lambda pid=loader: not os.path.exists(f"/proc/{pid}"), 5))


if __name__ == "__main__":
    bed.main()
