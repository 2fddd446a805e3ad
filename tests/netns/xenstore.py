# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own xenstored without a hypervisor, and a toolstack's part in it."""

import contextlib
import ctypes
import os
import subprocess
import tempfile

import lab

LIBRARY = ctypes.CDLL("libxenstore.so.4", use_errno=True)
LIBRARY.xs_open.restype = ctypes.c_void_p
LIBRARY.xs_read.restype = ctypes.c_void_p
LIBRARY.xs_transaction_start.restype = ctypes.c_uint32
LIBC = ctypes.CDLL(None)
BACKEND = "/local/domain/0/backend/vif"


NO_TRANSACTION = ctypes.c_uint32(0)


class Speaker:
    """Who speaks with it, by the socket at `path`."""

    transaction = NO_TRANSACTION

    def __init__(self, path):
        os.environ["XENSTORED_PATH"] = path
        self.handle = ctypes.c_void_p(
            lab.eventually(lambda: LIBRARY.xs_open(0)))
        assert self.handle.value, f"nobody answers at {path}"

    @contextlib.contextmanager
    def at_once(self):
        """Nobody sees anything of what is written until all of it is."""
        self.transaction = ctypes.c_uint32(
            LIBRARY.xs_transaction_start(self.handle))
        yield
        transaction, self.transaction = self.transaction, NO_TRANSACTION
        if not LIBRARY.xs_transaction_end(self.handle, transaction, False):
            raise OSError(ctypes.get_errno(), "the transaction")

    def write(self, path, value):
        data = value.encode()
        if not LIBRARY.xs_write(self.handle, self.transaction, path.encode(),
                                data, len(data)):
            raise OSError(ctypes.get_errno(), path)

    def read(self, path):
        """None: there is none."""
        length = ctypes.c_uint()
        value = LIBRARY.xs_read(self.handle, 0, path.encode(),
                                ctypes.byref(length))
        if not value:
            return None
        try:
            return ctypes.string_at(value, length.value).decode()
        finally:
            LIBC.free(ctypes.c_void_p(value))

    def close(self):
        LIBRARY.xs_close(self.handle)


class Xenstore(Speaker):
    """`owner` is a Lab: it stops with it."""

    def __init__(self, owner, build):
        self.folder = tempfile.mkdtemp(prefix="symtap-xs-")
        owner.folders.append(self.folder)
        self.environment = {
            **os.environ, "XENSTORED_RUNDIR": self.folder,
            "XENSTORED_ROOTDIR": self.folder,
            "XENSTORED_PATH": self.path("socket"),
            "HYPERVISOR_DIR": self.folder,
        }
        self.owner, self.build = owner, build
        self._start()

    def _start(self):
        self.process = subprocess.Popen(
            [os.environ["SYMTAP_XENSTORED"], "-N"], stdin=subprocess.DEVNULL,
            env={**self.environment, "LD_PRELOAD": os.path.join(
                self.build, "tests/xenstore/libhypervisor.so")})
        self.owner.processes.append(self.process)
        super().__init__(self.path("socket"))

    def guest(self, domain):
        """It speaks as that domain, the caller's to close."""
        speaker = Speaker(self.path(f"dom{domain}.sock"))
        os.environ["XENSTORED_PATH"] = self.path("socket")
        return speaker

    def restart(self):
        """After its end, with nothing."""
        self.process.wait()
        os.unlink(self.path("socket"))
        self._start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def remove(self, path):
        if not LIBRARY.xs_rm(self.handle, 0, path.encode()):
            raise OSError(ctypes.get_errno(), path)

    def domain(self, number, name):
        LIBRARY.xs_introduce_domain(self.handle, number, ctypes.c_ulong(0), 1)
        home = f"/local/domain/{number}"
        self.write(f"{home}/name", name)
        self.write(f"{home}/vm", f"/vm/00000000-0000-4000-8000-{number:012}")

    def vif(self, domain, mac, *addresses):
        """As xl writes it, connected last."""
        for key, value in (("mac", mac), ("ip", " ".join(addresses)),
                           ("bridge", "br0"), ("state", "4")):
            self.key(domain, key, value)

    def key(self, domain, name, value):
        self.write(f"{BACKEND}/{domain}/0/{name}", value)

    def unplug(self, domain):
        self.remove(f"{BACKEND}/{domain}")
