# SPDX-License-Identifier: GPL-2.0-or-later
"""symtap-tap in dom0, the guests' backend, for a judge that is elsewhere."""

import pathlib
import subprocess

import bed
import dom0
import lab
import symtapd

LOG = pathlib.Path("/run/tap.log")


class Case(bed.Case):

    @staticmethod
    def nft(words):
        dom0.call("nft", *words.split())

    def carry(self, *options, without="flags bypass"):
        """`without`: what becomes of packets when symtap-tap itself is not
        there."""
        self.nft("add table bridge tap")
        self.addCleanup(self.nft, "delete table bridge tap")
        self.nft("add chain bridge tap forward "
                 "{ type filter hook forward priority 10; }")
        self.nft("add rule bridge tap forward ether type ip "
                 f"queue {without} to 4242")
        with open(LOG, "w", encoding="utf-8") as log:
            self.carrier = subprocess.Popen(
                [symtapd.find(bed.BUILD, "symtap-tap"), *options], stderr=log)
        self.addCleanup(self.carrier.wait)
        self.addCleanup(self.carrier.terminate)

    @staticmethod
    def said():
        return LOG.read_text(encoding="utf-8")

    def says(self, text, times=1):
        return lab.eventually(lambda: self.said().count(text) >= times, 60)
