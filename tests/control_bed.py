# SPDX-License-Identifier: GPL-2.0-or-later
"""A control_server for each test or for all of a class, and clients of it."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

SERVER = ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, within_s, what):
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.05)


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(20)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, request):
        self.send(request.encode() + b"\n")
        return self.answer()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ServerCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="control_test.")
        os.chmod(self.folder, 0o755)
        self.path = f"{self.folder}/run/control.sock"
        self.port = free_port()
        self.server = self.start()

    def tearDown(self):
        self.stop(self.server)
        shutil.rmtree(self.folder)

    def start(self):
        server = subprocess.Popen(
            [SERVER, self.path, f"127.0.0.1:{self.port}"],
            stderr=subprocess.PIPE)
        os.set_blocking(server.stderr.fileno(), False)
        wait_for(self.is_up, 10, "the server answers")
        return server

    def is_up(self):
        try:
            with Client(self.path) as client:
                status = client.ask("status").get("ok", {})
                return status.get("offered_packets", 0) > 4000
        except OSError:
            return False

    def stop(self, server):
        if server.poll() is None:
            server.terminate()
        self.assertEqual(server.wait(20), 0, server.stderr.read())
        server.stderr.close()

    def ask(self, request):
        with Client(self.path) as client:
            return client.ask(request)

    def flood(self):
        rows = self.ask("top scope=flow limit=1")["ok"]["rows"]
        self.assertEqual(rows[0]["inside"], "10.20.0.7")
        return rows[0]

    def rss_kib(self):
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file
                        if line.startswith("VmRSS"))

    def fetch(self, path, **options):
        return urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{self.port}{path}",
                                   **options), timeout=20)


class SharedCase(ServerCase):
    """One server for a class, whose tests leave it as they found it: it takes
    more than a second until a server's figures are there."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls()
        ServerCase.setUp(cls.shared)

    @classmethod
    def tearDownClass(cls):
        ServerCase.tearDown(cls.shared)

    def setUp(self):
        for name in ("folder", "path", "port", "server"):
            setattr(self, name, getattr(self.shared, name))

    def tearDown(self):
        self.assertIsNone(self.server.poll())
