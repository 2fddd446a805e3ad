#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What conforms stays in the kernel; what does not is held as ever."""

import signal
import socket
import time

import gateway_bed as bed
import lab
import symtapd
import traffic

FAST = "lan0, lan1"
FEW = 20  # packets that reach the daemon until it trusts a conversation


class Case(bed.Case):

    @classmethod
    def setUpClass(cls):
        symtapd.FAST = FAST
        super().setUpClass()

    def told(self, before):
        after = self.symtapd.settled()
        return {name: after[name] - before[name] for name in after}


class Fast(Case):

    def test_a_conversation_that_conforms_never_reaches_the_queue(self):
        self.start()
        before = self.symtapd.settled()
        talk = self.talk(seconds=3).finish()
        told = self.told(before)
        self.check_whole(talk)
        self.assertLess(told["received_pkts"], FEW)
        self.assertGreaterEqual(told["fast_out_pkts"] + told["received_pkts"],
                                talk["sent"])
        self.assertEqual((told["waited_pkts"], told["fast_untold_pkts"]),
                         (0, 0))
        print(f"{talk['sent']} sent, {told['received_pkts']} came to the "
              "queue")

    def test_so_does_one_over_ipv6_and_a_ping(self):
        self.start()
        before = self.symtapd.settled()
        self.check_whole(self.talk((lab.NEIGHBOUR6, lab.OUTSIDE6),
                                   seconds=2).finish())
        self.net.host.run("ping", "-q", "-i", "0.01", "-c", "200",
                          lab.OUTSIDE)
        told = self.told(before)
        self.assertLess(told["received_pkts"], 2 * FEW)
        self.assertGreater(told["fast_in_pkts"], 200)

    def test_a_flood_is_held_to_the_check_figures(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        talk = self.talk(seconds=4.5)
        source = traffic.sender(self.net.host, lab.GUARDED)
        _, arrived = traffic.flood(source, (lab.OUTSIDE, 9), ear, 5)
        self.check_figures([each.at for each in arrived], 5)
        self.check_whole(talk.finish())

    def test_when_answers_end_the_next_are_held_in_order(self):
        self.start()
        ear = traffic.Receiver(self.net.outside, lab.OUTSIDE, 9)
        source = traffic.sender(self.net.host, lab.GUARDED)
        begin, sent, arrived = time.monotonic(), 0, []
        before = self.symtapd.counters()["fast_out_pkts"]
        while (past := time.monotonic() - begin) < 6:
            source.sendto(traffic.numbered(sent), (lab.OUTSIDE, 9))
            sent += 1
            came = ear.receive(0.01)
            arrived += came
            if past < 3:
                for each in came:
                    ear.answer(each)
        passed = self.symtapd.settled()["fast_out_pkts"] - before
        self.assertGreater(passed, 200)
        numbers = traffic.numbers(arrived)
        self.assertEqual(numbers, list(range(len(numbers))))
        late = [each.at for each in arrived if each.at > arrived[0].at + 4.5]
        self.assertLess(len(late), 20)

    def test_other_bits_of_the_mark_stay(self):
        gateway = self.net.gateway
        gateway.nft(
            "add table ip marks\n"
            "add chain ip marks early { type filter hook prerouting "
            "priority -500; }\n"
            "add rule ip marks early iifname lan1 meta mark set mark or 5\n"
            "add chain ip marks out { type filter hook postrouting "
            "priority 0; }\n"
            "add counter ip marks kept\n"
            "add rule ip marks out oifname wan0 meta mark and 0xf == 5 "
            "counter name kept\n")
        try:
            self.start()
            talk = self.talk(seconds=1).finish()
            kept = gateway.run("nft", "list", "counters", "table", "ip",
                               "marks")
        finally:
            gateway.nft("delete table ip marks")
        self.check_whole(talk)
        self.assertGreaterEqual(int(kept.split("packets ")[1].split()[0]),
                                talk["sent"])

    def test_tcp_upload_stays_there_too(self):
        self.start()
        before = self.symtapd.settled()
        listener = self.net.outside.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((lab.OUTSIDE, 7))
        listener.listen()
        source = self.net.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        source.connect((lab.OUTSIDE, 7))
        peer, _ = listener.accept()
        self.lab.sockets.append(peer)
        source.setblocking(False)
        peer.setblocking(False)
        came, end = 0, time.monotonic() + 3
        while time.monotonic() < end:
            try:
                source.send(bytes(65536))
            except BlockingIOError:
                pass
            try:
                came += len(peer.recv(1 << 20))
            except BlockingIOError:
                pass
        told = self.told(before)
        self.assertLess(told["out_pkts"] * 20, told["fast_out_pkts"])
        print(f"{came / 3e9 * 8:.1f} Gbit/s; {told['fast_out_pkts']} wire "
              f"packets in the kernel, {told['out_pkts']} by the daemon, "
              f"{told['fast_leases']} leases, {told['fast_given_back']} given back, {told['waited_pkts']} waited")


class Life(Case):
    """Reloaded or killed."""

    def test_reload_loses_nothing(self):
        self.start()
        talk = self.talk(pkts_per_s=5000, seconds=3)
        for count in range(6):
            time.sleep(0.3)
            self.symtapd.write_policy(
                multicast=f"{{packets_per_s: {1000 + count}}}")
            self.symtapd.reload()
        self.check_whole(talk.finish())

    def test_killed_it_lets_everything_go_the_long_way(self):
        self.start()
        talk = self.talk(seconds=4)
        time.sleep(1)
        self.symtapd.stop(signal.SIGKILL)
        time.sleep(1)
        self.symtapd.restart()
        talked = talk.finish()
        self.assertGreater(talked["answered"], talked["sent"] * 0.99)


if __name__ == "__main__":
    bed.main()
