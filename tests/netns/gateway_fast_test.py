#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What conforms stays in the kernel; what does not is held as ever."""

import gateway_bed as bed
import lab
import traffic

FAST = ("{nfqueue: {queues: 1}, fast: {interfaces: [lan0, lan1], "
        "keys: 4096}}")


class Fast(bed.Case):

    def start(self, **policy):
        super().start(datapath=FAST, **policy)

    def test_a_conversation_that_conforms_never_reaches_the_queue(self):
        self.start()
        self.check_whole(self.talk(seconds=1).finish())
        before = self.symtapd.settled()
        talk = self.talk(seconds=2).finish()
        after = self.symtapd.settled()
        self.check_whole(talk)
        print(talk, {k: after[k] - before[k] for k in after if after[k] != before[k]})


if __name__ == "__main__":
    bed.main()
