# SPDX-License-Identifier: GPL-2.0-or-later
"""A vif by XenStore: the store is the real one, the vif is a veth of its
name, on a bridge of dom0."""

import gateway_bed as bed
import lab
import xenstore

GUEST = "10.20.0.2"
STRANGER = "10.20.0.3"
OUTER = "10.20.128.1"
INSIDE_NET = "[10.20.0.0/17]"


class Store:
    """A store beside symtapd, with a guest in it; before a bed.Case."""

    def setUp(self):
        super().setUp()
        self.store = xenstore.Xenstore(self.lab, self.symtapd.build)
        self.store.domain(7, "web")

    def tearDown(self):
        super().tearDown()
        self.store.process.terminate()
        self.store.process.wait()

    def until(self, text, seconds=20, times=1):
        self.assertTrue(lab.eventually(
            lambda: self.symtapd.log().count(text) >= times, seconds, 0.005),
            self.symtapd.log())


class Case(Store, bed.Case):

    @classmethod
    def build(cls):
        cls.net = lab.Bridged(cls.lab, (GUEST, STRANGER), OUTER, "vif7.0",
                              "dom0")
        cls.check_path(cls.net.host, cls.net.outside, (GUEST, OUTER))

    def start(self, **policy):
        self.symtapd.start(**{"bridge": True, "inside": INSIDE_NET,
                              "limits": bed.ROOM, "xen": "{vifs: follow}",
                              **policy})

    def guarded(self, domain=7):
        self.until(f"vif7.0 of domain {domain} (web) is guarded")
