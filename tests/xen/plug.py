# SPDX-License-Identifier: GPL-2.0-or-later
"""Twenty vifs: most come with their guest, the others are plugged into it."""

import pathlib
import re
import statistics
import time

import bed
import dom0
import lab
import store_events
import symtapd

NUMBER, VIFS = 10, 20
# xl takes twice as long for one that is plugged, emulated.
PLUGGED = range(15, VIFS)
WAIT_SECONDS = 120
BACKEND, OURS = "/local/domain/0/backend/vif", "/local/domain/0/symtap/vif"
CONNECTED = "4"
SCRIPT = pathlib.Path("/etc/xen/scripts/vif-plug")
# What vif-bridge does, in the fewest programs: emulated, each that is started
# takes 0.1 s, and bash more.
TEXT = f"""\
#!/bin/busybox sh
[ "$1" = online ] || exit 0
/bin/busybox ip link set "$vif" master {dom0.BRIDGE} up
xenstore-write "$XENBUS_PATH/hotplug-status" connected
"""


class Plugged:
    """A guest and its vifs, watched from before they are there."""

    def __init__(self, pool, daemon):
        dom0.write(SCRIPT, TEXT)
        SCRIPT.chmod(0o755)
        self.pool, self.daemon, self.guest = pool, daemon, None
        self.states = store_events.States(BACKEND, OURS)

    def come(self):
        """How long until the guest is up, and then until all are plugged."""
        begin = time.monotonic()
        self.guest = self.pool.take(NUMBER, memory=128, vifs=PLUGGED[0],
                                    vif=f"script={SCRIPT.name}")
        up = time.monotonic()
        for handle in PLUGGED:
            dom0.call("xl", "network-attach", self.guest.name,
                      *self.guest.options.vif_line(
                          NUMBER, handle).strip('"').split(","))
        return up - begin, time.monotonic() - up

    def _first(self, root, value):
        return self.states.first(rf"{root}/{self.guest.domain}/(\d+)/state",
                                 value)

    def guarded(self):
        """For each vif, how long after it was connected symtapd said so."""
        active = self._first(OURS, "active")
        return {handle: active[handle] - at for handle, at in
                self._first(BACKEND, CONNECTED).items() if handle in active}

    def await_guarded(self):
        """All are; how long each took, by its handle."""
        if not lab.eventually(lambda: len(self.guarded()) == VIFS,
                              WAIT_SECONDS):
            raise RuntimeError(f"{len(self.guarded())} of {VIFS} are guarded\n"
                               f"{self.daemon.log()}")
        return self.guarded()

    def detach(self, handle):
        dom0.call("xl", "network-detach", self.guest.name, str(handle))

    def let_go(self):
        """Of how many symtapd says so."""
        return len(set(re.findall(
            rf"(vif\S+) of domain {self.guest.domain} is let go",
            self.daemon.log())))

    def go(self):
        """How long that takes xl, and how much longer us."""
        took = self.pool.destroy(self.guest)
        begin = time.monotonic()
        if not lab.eventually(lambda: self.let_go() == VIFS, WAIT_SECONDS):
            raise RuntimeError(f"{self.let_go()} of {VIFS} are let go\n"
                               f"{self.daemon.log()}")
        later = time.monotonic() - begin
        lab.eventually(lambda: not self.left(), 10, 0.5)
        return took, later

    def left(self):
        """Where its vifs are still told of: rules, devices, qdiscs, symtapd
        and XenStore."""
        domain = self.guest.domain
        names = re.compile(rf"vif{domain}\.\d|/vif/{domain}/")
        return [where for where, told in (
            ("rules", dom0.call("nft", "list", "ruleset")),
            ("devices", dom0.call("ip", "link")),
            ("qdiscs", dom0.call("tc", "qdisc")),
            ("symtapctl", self.daemon.ctl("vifs")),
            ("XenStore", dom0.call("xenstore-ls", "-f",
                                   "/local/domain/0/symtap")))
                if names.search(told)]

    def close(self):
        self.states.close()


def measure(world, way):
    daemon = symtapd.Symtapd(world.host, bed.BUILD)
    plugged = Plugged(world.pool, daemon)
    try:
        daemon.start(bridge=True, **bed.policy_of(way))
        up_s, plugged_s = plugged.come()
        took = plugged.await_guarded().values()
        destroyed_s, let_go_s = plugged.go()
        return {"vifs": VIFS, "plugged": len(PLUGGED), "up_s": up_s,
                "plugged_s": plugged_s,
                "guarded_s": statistics.median(took),
                "guarded_max_s": max(took), "destroyed_s": destroyed_s,
                "let_go_s": let_go_s, "left": plugged.left()}
    finally:
        plugged.close()
        if daemon.is_running():
            daemon.stop()
        daemon.ctl("uninstall", check=False)
        daemon.close()
