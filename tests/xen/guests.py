# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests: made when a test asks for one, and kept for the next that asks for
the same."""

import json
import os
import pathlib
import re
import socket
import subprocess
import time

import dom0
import lab

KEPT = pathlib.Path("/run/guests.json")
# What a vif has that asks for no script, in a backend with our files.
SCRIPT = pathlib.Path(__file__).resolve().parent / "vif-quick"
COMMAND_PORT = 5000
UP_SECONDS = 180


# The number of who is saved before he has one, and what he says then.
UNNAMED, WAITS = 63, "it waits"
IMAGE = pathlib.Path("/run/guest.image")


def address_of(number):
    return f"10.0.1.{number}"


def address6_of(number):
    return f"fd00:1::{number}"


def mac_of(number, handle=0):
    return f"00:16:3e:00:{handle:02x}:{number:02x}"


class Options:
    """What a guest is made of, all of it as JSON carries it.

    queues     of each vif, with a processor each
    vifs       how many, the first with the addresses
    ips        of the first vif's `ip=`, and of its interface; None: its own
               IPv4 address; (): no `ip=`, and its own address all the same
    addressed  each further vif has an `ip=`: those of the numbers behind
    vif        more of each vif's line: "script=..,backend=.."
    lines      more of the configuration: 'uuid = ".."', "driver_domain = 1"
    ramdisk    instead of the usual one, see ramdisk()
    words      more of the kernel's command line
    """

    def __init__(self, *, queues=1, vifs=1, ips=None, addressed=False, vif="",
                 lines=(), memory=96, ramdisk=dom0.RAMDISK,
                 words=""):
        self.__dict__.update(
            queues=queues, vifs=vifs, ips=None if ips is None else list(ips),
            addressed=addressed, vif=vif, lines=list(lines), memory=memory,
            ramdisk=str(ramdisk), words=words)

    def vif_line(self, number, handle):
        ips = [address_of(number)] if self.ips is None else self.ips
        if handle > 0:
            ips = [address_of(number + handle)] if self.addressed else ()
        ip = f",ip={' '.join(ips)}" if ips else ""
        more = f",{self.vif}" if self.vif else ""
        if not re.search("(script|backend)=", self.vif):
            more += f",script={SCRIPT}"
        return (f'"mac={mac_of(number, handle)}{ip},'
                f'bridge={dom0.BRIDGE}{more}"')

    def addresses(self, number):
        return [f"{address_of(number)}/24", f"{address6_of(number)}/64",
                *(f"{ip}/24" for ip in self.ips or ()
                  if ":" not in ip and ip != address_of(number))]

    def can_be_restored(self, number):
        """It starts as others do, and has the addresses of its number."""
        plain = Options()
        return len(self.addresses(number)) == 2 and all(
            vars(self)[name] == vars(plain)[name]
            for name in ("queues", "vifs", "memory", "ramdisk", "words"))

    def configuration(self, number):
        vifs = ", ".join(self.vif_line(number, handle)
                         for handle in range(self.vifs))
        own = ",".join(self.addresses(number))
        return "\n".join((
            f'name = "guest{number}"', 'type = "pv"',
            f'kernel = "{dom0.KERNEL}"', f'ramdisk = "{self.ramdisk}"',
            f"memory = {self.memory}", f"vcpus = {self.queues}",
            f"vif = [{vifs}]", f'extra = "{dom0.kernel_words()} '
            f'address={own} {self.words}"', *self.lines, ""))


def ramdisk(name, script="", folder=None, plain=dom0.RAMDISK):
    """The usual one, or another plain one, with more in it: what `script` does
    before the guest listens (/start), and a folder's files.  Its path."""
    path = f"/run/{name}.cpio"
    more = pathlib.Path(f"/run/{name}.more")
    more.mkdir(exist_ok=True)
    if folder:
        dom0.call("cp", "-a", f"{folder}/.", str(more))
    if script:
        dom0.write(more / "start", script)
    packed = subprocess.run(
        ["sh", "-c", f"cd {more} && find . | /bin/busybox cpio -o -H newc"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    with open(path, "wb") as archive:
        archive.write(pathlib.Path(plain).read_bytes())
        archive.write(packed)
    return path


def image():
    """Of a guest that is to learn who it is: a start takes four times as long
    as to restore it."""
    if not IMAGE.exists():
        name, path = f"guest{UNNAMED}", "/run/unnamed.cfg"
        dom0.write(path, Options(words="waits").configuration(UNNAMED))
        dom0.call("xl", "create", path)
        log = pathlib.Path(f"/var/log/xen/guest-{name}.log")
        if not lab.eventually(lambda: log.exists() and WAITS in log.read_text(
                encoding="utf-8", errors="replace"), UP_SECONDS, 0.2):
            raise RuntimeError(f"{name} does not wait")
        dom0.call("xl", "save", name, str(IMAGE))
    return IMAGE


class Guest:
    """A PV guest on the bridge, whose number is in its name, its address and
    its MAC."""

    def __init__(self, number, domain, options):
        self.number = number
        self.name = f"guest{number}"
        self.address, self.address6 = address_of(number), address6_of(number)
        self.mac = mac_of(number)
        self.domain = domain
        self.options = options
        self.vif = f"vif{domain}.0"
        self.backend = f"/local/domain/0/backend/vif/{domain}/0"

    @property
    def guarded(self):
        """What symtapd says of it."""
        return f"{self.vif} of domain {self.domain} ({self.name}) is guarded"

    def is_up(self):
        try:
            return self.ask("echo up", 5) == "up\n"
        except OSError:
            return False

    def console(self):
        """What it said, and what dom0 has of it."""
        logs = [path.read_text(encoding="utf-8", errors="replace")
                for path in pathlib.Path("/var/log/xen").rglob("*")
                if path.is_file()]
        return "\n".join((*logs, dom0.call("xl", "list"),
                          dom0.call("ip", "-d", "link"), dom0.call(
                              "xenstore-ls", "/local/domain/0/backend")))

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

    def own_drops(self):
        """Its queueing discipline's, fq_codel: when packets wait for long."""
        return int(self.ask("drops eth0"))

    def end_floods(self, *opened):
        """Before their seconds are over."""
        self.ask("killall -9 flood")
        for each in opened:
            self.finish(each)

    def rings(self, handle=0):
        """What netback tells of each queue of a vif."""
        folder = pathlib.Path("/sys/kernel/debug/xen-netback",
                              f"vif{self.domain}.{handle}")
        return [path.read_text(encoding="utf-8")
                for path in folder.glob("io_ring_q*")]

    def ring(self, handle=0):
        """Requests that the backend has consumed and not answered, in all
        queues of a vif."""
        return sum(int(text.split("nr_pending_reqs")[1].split()[0])
                   for text in self.rings(handle))

    def queues(self):
        return len(self.rings())

    def destroy(self):
        """How long that took."""
        begin = time.monotonic()
        dom0.call("xl", "destroy", self.name)
        return time.monotonic() - begin


def unanswered(ring):
    """Requests of a ring, by what netback tells of it, consumed or not."""
    return int(re.search(r"TX: .*\nreq prod \d+ \((\d+)\)", ring)[1])


class Pool:
    """The guests that there are, also those of subjects before."""

    def __init__(self, boots_each=False):
        self.boots_each = boots_each
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        self.all = {int(number): Guest(int(number), one["domain"],
                                       Options(**one["options"]))
                    for number, one in kept.items()}

    def _keep(self):
        KEPT.write_text(json.dumps({
            guest.number: {"domain": guest.domain,
                           "options": vars(guest.options)}
            for guest in self.all.values()}))

    @staticmethod
    def _exists(guest):
        return os.path.exists(f"/sys/class/net/{guest.vif}") or subprocess.run(
            ["xl", "domid", guest.name], check=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0

    def _make(self, number, options):
        path = f"/run/guest{number}.cfg"
        dom0.write(path, options.configuration(number))
        if options.can_be_restored(number) and not self.boots_each:
            dom0.call("xl", "restore", path, str(image()))
        else:
            dom0.call("xl", "create", path)
        domain = int(dom0.call("xl", "domid", f"guest{number}"))
        self.all[number] = Guest(number, domain, options)
        self._keep()

    def take(self, *numbers, **options):
        """Guests of these numbers and options, up.  One that is there and has
        others is made anew."""
        wanted = Options(**options)
        for number in numbers:
            guest = self.all.get(number)
            if guest and self._exists(guest):
                if vars(guest.options) == vars(wanted):
                    continue
                self.destroy(guest)
            self._make(number, wanted)
        taken = [self.all[number] for number in numbers]
        for guest in taken:
            if not lab.eventually(guest.is_up, UP_SECONDS, 0.2):
                raise RuntimeError(f"{guest.name} is not up:\n"
                                   f"{guest.console()}")
        return taken[0] if len(taken) == 1 else taken

    def moved(self, guest, domain):
        """It is the same in another domain."""
        self.all[guest.number] = guest
        guest.domain = domain
        guest.vif = f"vif{domain}.0"
        guest.backend = f"/local/domain/0/backend/vif/{domain}/0"
        self._keep()

    def destroy(self, guest):
        """How long that took.  Its number is free."""
        self.forget(guest)
        return guest.destroy()

    def forget(self, guest):
        """It is gone."""
        del self.all[guest.number]
        self._keep()
