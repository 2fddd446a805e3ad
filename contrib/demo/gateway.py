# SPDX-License-Identifier: GPL-2.0-or-later
"""symtapd in the gateway's namespace, asked over its control socket."""

import collections
import json
import os
import shutil
import subprocess
import tempfile
import time

import view
import world as w

Row = collections.namedtuple("Row", "name s_offered s_let_out held")

CONFIGURATION = f"""\
mode: enforce
inside: [10.20.0.0/16, 2001:db8:20::/48]
antispoof:
  interfaces:
    lan0: {{sources: [10.20.0.0/16, 2001:db8:20::/48]}}
  bindings:
    - mac: {w.GOOD_MAC}
      addresses: [{w.GOOD}, {w.GOOD6}]
      interface: lan0
    - mac: {w.BAD_MAC}
      addresses: [{w.BAD}, {w.BAD6}]
      interface: lan0
control: {{socket: SOCKET}}
"""


class Gateway:
    def __init__(self, world, symtapd, symtapctl):
        self.world = world
        self.symtapd = symtapd
        self.symtapctl = symtapctl
        self.folder = None
        self.process = None
