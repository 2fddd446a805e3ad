# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: a guest and who is beside or behind its backend, each a
row of the tables."""

import json
import re
import signal
import subprocess
import time

import bed
import dom0
import extension
import figures
import guests
import lab
import netback_test
import symtapd

BEHIND, BESIDE = 9, 1  # guests of an extension VM, and of dom0
JUDGE = 111
AT_WORK_SECONDS = 90  # beside an upload; mostly a few
COUNTERS_SECONDS = 1.2  # they are a tenth of a second old at most
RINGS, RING = "/sys/kernel/debug/xen-netback", "io_ring_q0"
TAP_LOG = "/run/compare-tap.log"
CARRIERS_DROPS = ("refused_pkts", "crowded_pkts")


def shipped(policy):
    """The same, with limiter and guards as they come."""
    return "".join(line for line in policy.splitlines(keepends=True)
                   if not line.startswith(("limiter:", "guards:")))


BACKEND = shipped(extension.BACKEND)
JUDGES = shipped(extension.POLICY).replace("bridge: true", "bridge: false")
# The uplink's namespace lives in a `sleep`, so who takes symtapd's place in the
# extension VM leaves word of which one it is.
AWAY = """\
cat >/run/stand-in <<'END'
#!/bin/sh
echo $$ >/run/stand-in.pid
exec sleep 1000000
END
chmod +x /run/stand-in
[ -e /bin/symtapd.away ] || mv /bin/symtapd /bin/symtapd.away
cp /run/stand-in /bin/symtapd
killall symtapd
until [ -e /run/stand-in.pid ]; do usleep 50000; done
symtapctl -s /run/symtap/control.sock uninstall"""
# With nothing on its mind, as in dom0.
BACK = """\
[ ! -e /bin/symtapd.away ] || mv /bin/symtapd.away /bin/symtapd
[ ! -e /run/stand-in.pid ] || kill $(cat /run/stand-in.pid)
rm -f /run/stand-in.pid /var/lib/symtap/state"""


# In a guest whose device comes anew, for ten minutes or so: a VM that is made
# again takes more than one where time goes by instructions.  A program that is
# started costs such a guest as much as many packets.
KEEPS_ADDRESS = """\
(read -r had </sys/class/net/eth0/ifindex
for _ in $(seq 6000); do
	has=
	read -r has </sys/class/net/eth0/ifindex
	[ -z "$has" ] || [ "$has" = "$had" ] || {{
		ip link set eth0 up
		ip addr add {address}/24 dev eth0 && had=$has
	}}
	usleep 100000
done) >/dev/null 2>&1 &"""


class Setup:
    """Stock: a guest, its backend in dom0, and nothing of ours at work.
    `bare`: br_netfilter leaves frames alone."""

    name = figures.STOCK
    number, options = BESIDE, {}  # of the guest
    vm = None  # with which the guest has to do
    anew_seconds = 0  # for the VM to be made again; 0: it is not

    def __init__(self, world, bare=False):
        self.world, self.bare = world, bare
        if bare:
            self.name = figures.BARE

    def guest(self):
        """The one that start() took.  Nobody asks it whether it is up: while
        it waits its answer does, too."""
        return self.world.pool.all[self.number]

    def start(self):
        """The guest is up, and guarded, when this returns."""
        dom0.show_frames_to_ip_rules(not self.bare)
        self.world.pool.take(self.number, **self.options)

    def stop(self):
        """And is not any more; what waited goes on."""

    def dropped(self):
        """By us, and counted."""
        return 0

    def counters(self):
        """symtapd's; {}: there is none."""
        return {}

    def ring_text(self):
        """What the guest's netback tells of its ring."""
        return dom0.call("sh", "-c", f"cat {RINGS}/{self.guest().vif}/{RING}")

    def slots(self):
        """Requests of the guest that are not answered, taken or not."""
        return guests.unanswered(self.ring_text())

    def kill(self):
        """As a crash does, and start it again as a service manager would.
        False: there is nobody."""
        return False

    def make_anew(self):
        """The VM is destroyed, and made again."""


def has_programs():
    """The kernel has looked through them."""
    said = dom0.call("bpftool", "prog", "show")
    return all(f" {name} " in said for name in ("symtap_in", "symtap_out"))


class Ours(Setup):
    """symtapd in dom0, with one of the ways, as README has it, or `but` for
    what is left of that."""

    def __init__(self, world, way, but=None, bare=False, **datapath):
        super().__init__(world, bare)
        self.name = f"{way.name}, {but}" if but else way.name
        self.way, self.datapath, self.daemon = way, datapath, None

    def start(self):
        super().start()
        self.daemon = symtapd.Symtapd(self.world.host, bed.BUILD)
        self.daemon.start(shipped=True, **self.datapath,
                          **bed.policy_of(self.way))
        self._await(1)

    def _await(self, times):
        """It has begun so many times, and its program is where packets are, or
        there: netback is asked before a program sees a packet."""
        guest = self.guest()
        wanted = [guest.guarded]
        fast = "fast" in self.datapath
        if fast and self.way is not netback_test.NETBACK:
            wanted.append(f"fast path: attached to {guest.vif}")
        if not lab.eventually(lambda: all(
                self.daemon.log().count(line) >= times for line in wanted)
                and (not fast or has_programs()), AT_WORK_SECONDS):
            raise RuntimeError(self.daemon.log())

    def stop(self):
        if not self.daemon:
            return
        if self.daemon.is_running():
            self.daemon.stop()
        self.daemon.ctl("uninstall", check=False)
        self.daemon.close()

    def dropped(self):
        return bed.dropped(self.daemon)

    def counters(self):
        return self.daemon.settled()

    def kill(self):
        self.daemon.stop(signal.SIGKILL)
        self.daemon.restart()
        self._await(2)
        return True


class Driver(Setup):
    """The guest's backend is a VM, whose netback is Debian's, without symtapd.
    """

    name = "driver domain"
    number, options = BEHIND, {"vif": "backend=extension"}
    # A minute or two of them until its network is back, and then TCP sends
    # again when it has been silent for as long once more.
    anew_seconds = 300

    @property
    def vm(self):
        return self.world.backend

    def start(self):
        self.world.need_backend()
        super().start()
        self.vm.ask(AWAY)

    def ring_text(self):
        return self.vm.ask(f"cat {RINGS}/{self.guest().vif}/{RING}")

    def _settle(self, _):
        """The VM, made again, is to the guest what it was."""
        self.vm.ask(AWAY)

    def make_anew(self):
        """The guest's vif goes with it, and somebody has to plug another."""
        guest = self.guest()
        guest.ask(KEEPS_ADDRESS.format(address=guest.address))
        line = guest.options.vif_line(guest.number, 0).strip('"')
        self.vm.destroy()
        self.vm.create_again(lambda: dom0.call(
            "xl", "network-detach", guest.name, "0"))
        dom0.call("xl", "network-attach", guest.name, *line.split(","))
        self._settle(guest)


class Extension(Driver):
    """The same, and symtapd in it."""

    name = "extension VM"

    def start(self):
        super().start()
        self.vm.ask(BACK)
        self._await("status", rf"fast path at {self.guest().vif} ")

    def _settle(self, guest):
        """It guards the guest, with a fast path or until it has one."""
        self._await("vifs", rf" {guest.vif} +active ")

    def _await(self, words, pattern):
        """What symtapd in there answers."""
        if not lab.eventually(
                lambda: re.search(pattern, self.vm.symtapctl(words)), 120,
                0.2):
            raise RuntimeError(self.vm.log())

    def stop(self):
        if self.vm:
            self.vm.ask(AWAY)

    def dropped(self):
        return dropped_in(self.vm)

    def counters(self):
        return counters_in(self.vm)

    def kill(self):
        self.vm.kill()
        return True


class Granted(Setup):
    """The backend is dom0; headers go over granted pages to a VM that has no
    device in use, and verdicts come back."""

    name = "granted pages"
    anew_seconds = 50

    def __init__(self, world):
        super().__init__(world)
        self.carrier = None

    @property
    def vm(self):
        return self.world.judge

    def _carry(self):
        """symtap-tap, as a service manager would for the VM that is there."""
        with open(TAP_LOG, "w", encoding="utf-8") as log:
            self.carrier = subprocess.Popen(
                [symtapd.find(bed.BUILD, "symtap-tap"), "--judge",
                 f"vchan:{self.vm.domain}"], stderr=log)
        self.world.lab.processes.append(self.carrier)

    @staticmethod
    def _said():
        with open(TAP_LOG, encoding="utf-8") as log:
            return log.read()

    def _await(self):
        if not lab.eventually(lambda: "the judge is there" in self._said(),
                              30):
            raise RuntimeError(self._said() + self.vm.log())

    def start(self):
        self.world.need_judge()
        super().start()
        for words in (
                "add table bridge compare",
                "add chain bridge compare forward "
                "{ type filter hook forward priority 10; }",
                "add rule bridge compare forward ether type { ip, ip6 } "
                "queue flags bypass to 4242"):
            dom0.call("nft", words)
        self._carry()
        self._await()

    def _put_down(self):
        if self.carrier:
            self.carrier.terminate()
            self.carrier.wait(10)

    def stop(self):
        self._put_down()
        self.world.host.run("nft", "delete table bridge compare", check=False)

    def dropped(self):
        return dropped_in(self.vm)

    def kill(self):
        self.vm.kill()
        return True

    def make_anew(self):
        self.vm.destroy()
        self.vm.create_again()
        self._put_down()
        self._carry()
        self._await()


def counters_in(vm):
    time.sleep(COUNTERS_SECONDS)
    return {row["name"]: row["value"] for row in
            json.loads(vm.symtapctl("--json stats"))["ok"]["counters"]}


def dropped_in(vm):
    """What symtapd in there says that it dropped, all of it, or let the kernel
    drop, or who carries packets to it."""
    count = counters_in(vm)
    status = json.loads(vm.symtapctl("--json status"))["ok"]
    refused = (row["packets"] for row in status["kernel_counters"]
               if row["name"] == "refused")
    return (sum(refused) + sum(count[name] for name in bed.DROPS)
            + sum(count.get(name, 0) for name in CARRIERS_DROPS))


BY_THE_BRIDGE = {"bridge": True, "fast": "auto"}


def all_of(world):
    """By the names that are asked for."""
    queue, netback = bed.WAYS[0], netback_test.NETBACK
    return {"stock": Setup(world), "stock-bare": Setup(world, bare=True),
            **{way.name: Ours(world, way, direct=True, **BY_THE_BRIDGE)
               for way in bed.COMPARED},
            netback.name: Ours(world, netback, bare=True),
            "queue-bridged": Ours(world, queue, "by the bridge",
                                  **BY_THE_BRIDGE),
            "netback-bridged": Ours(world, netback, "by the bridge",
                                    **BY_THE_BRIDGE),
            "queue-alone": Ours(world, queue, "no fast path", bridge=True),
            "driver": Driver(world), "extension": Extension(world),
            "granted": Granted(world)}


def reload_netback(world, ours):
    """Debian's module, or the one with a hook; guests with a vif of dom0's go
    before."""
    netback_test.destroy_all()
    world.pool = guests.Pool(boots_each=True)
    if netback_test.is_loaded() == ours:
        return
    if ours:
        netback_test.load()
    else:
        netback_test.tearDownModule()
