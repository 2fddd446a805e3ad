# SPDX-License-Identifier: GPL-2.0-or-later
"""XenStore's watches, heard on a socket of one's own: a program of the tool
stack for each value would take longer than what is timed."""

import collections
import re
import socket
import struct
import threading
import time

SOCKET = "/run/xenstored/socket"
HEADER = struct.Struct("<IIII")  # what, request, transaction, bytes behind it
READ, WATCH, WATCH_EVENT, ERROR = 2, 4, 15, 16


class States(threading.Thread):
    """When each `state` below some paths first had each value: at[path][value],
    by the monotonic clock, as soon as XenStore told."""

    def __init__(self, *paths):
        super().__init__(daemon=True)
        self.at = collections.defaultdict(dict)
        self.told = collections.deque()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(SOCKET)
        for path in paths:
            self._ask(WATCH, path, "states")
        self.start()

    def _take(self, count):
        taken = b""
        while len(taken) < count:
            more = self.socket.recv(count - len(taken))
            if not more:
                raise EOFError
            taken += more
        return taken

    def _message(self):
        what, _, _, count = HEADER.unpack(self._take(HEADER.size))
        return what, self._take(count)

    def _ask(self, what, *words):
        """The answer; events that come before it are kept."""
        body = b"".join(word.encode() + b"\0" for word in words)
        self.socket.sendall(HEADER.pack(what, 0, 0, len(body)) + body)
        while True:
            kind, answer = self._message()
            if kind != WATCH_EVENT:
                return None if kind == ERROR else answer.decode().rstrip("\0")
            self._keep(answer)

    def _keep(self, event):
        path = event.split(b"\0")[0].decode()
        if path.endswith("/state"):
            self.told.append((path, time.monotonic()))

    def run(self):
        try:
            while True:
                while self.told:
                    path, now = self.told.popleft()
                    self.at[path].setdefault(self._ask(READ, path), now)
                self._keep(self._message()[1])
        except (EOFError, OSError):
            return

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.socket.close()

    def first(self, pattern, value):
        """The number in each path that matches and had that value: when."""
        found = {re.fullmatch(pattern, path): values
                 for path, values in list(self.at.items())}
        return {int(match[1]): values[value]
                for match, values in found.items()
                if match and value in values}
