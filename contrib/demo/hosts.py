# SPDX-License-Identifier: GPL-2.0-or-later
"""The good host, the bad host and what is heard of them while they run."""

import subprocess
import threading

import world as w

UPLOAD_KBIT_PER_S = 50000
RATES_PKTS_PER_S = {"flood": 20000, "forged4": 500, "forged6": 500,
                    "scan": 500}


class Role:
    """One process that prints a word and a number a line."""

    def __init__(self, argv, on_line):
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        self.has_spoken = threading.Event()
        self.thread = threading.Thread(target=self.listen, args=(on_line,),
                                       daemon=True)
        self.thread.start()

    def listen(self, on_line):
        for line in self.process.stdout:
            on_line(line.split())
            self.has_spoken.set()

    def stop(self):
        """The words of its complaint, if it had one."""
        ended_itself = self.process.poll()
        if ended_itself is None:
            self.process.kill()
        self.thread.join()
        complaint = self.process.stderr.read().strip()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        return complaint if ended_itself else ""


class Hosts:
    """All roles of one phase, and their figures so far."""

    def __init__(self, world, program):
        self.world = world
        self.program = program
        self.roles = []
        self.sent = dict.fromkeys(RATES_PKTS_PER_S, 0)
        self.received_bytes = 0
        self.rtts_us = []
        self.lost = 0

    def start_good(self, seconds):
        receiver = self.start("internet", ["receive", w.SERVER, seconds],
                              self.on_receive)
        receiver.has_spoken.wait(5)
        ends = [w.GOOD, w.SERVER, seconds, UPLOAD_KBIT_PER_S]
        self.start("college", ["ping", *ends], self.on_ping)
        self.start("college", ["upload", *ends], self.on_receive)

    def start_bad(self, seconds):
        for kind, deed, src, dst, port in (
                ("flood", "flood", w.BAD, w.SERVER, w.FLOOD_PORT),
                ("forged4", "forge", w.GOOD, w.SERVER, w.FORGED_PORT),
                ("forged6", "forge", w.GOOD6, w.SERVER6, w.FORGED_PORT),
                ("scan", "scan", w.BAD, w.SILENT, 1)):
            self.start("college",
                       [deed, "lan0", w.BAD_MAC, w.GATEWAY_MAC, src, dst, port,
                        RATES_PKTS_PER_S[kind], seconds],
                       lambda words, kind=kind: self.on_sent(kind, words))

    def start(self, part, words, on_line):
        argv = [self.program, *map(str, words)]
        role = Role(self.world.inside(part, argv), on_line)
        self.roles.append(role)
        return role

    def on_sent(self, kind, words):
        self.sent[kind] = int(words[1])

    def on_receive(self, words):
        self.received_bytes = int(words[1])

    def on_ping(self, words):
        if words[0] == "rtt":
            self.rtts_us.append(int(words[1]))
        else:
            self.lost += 1

    def stop(self):
        # Who still talks goes before the one it talks to.
        complaints = [role.stop() for role in reversed(self.roles)]
        self.roles = []
        return [complaint for complaint in complaints if complaint]
