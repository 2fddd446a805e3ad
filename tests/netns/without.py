#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""without.py COMMAND=ERRNO|SECONDS ... PROGRAM ARGUMENT ...

Runs a program as if on another kernel: each of these commands of bpf(2), by
name, fails with that error, or takes so many seconds if it has a program of
ours, not one by which the library finds out what there is.  A filter of system
calls, so it holds for all that the program does, and can not be got rid of."""

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
import sys
import time

COMMANDS = {"BPF_MAP_CREATE": 0, "BPF_PROG_LOAD": 5, "BPF_OBJ_PIN": 6,
            "BPF_LINK_CREATE": 28}
BPF_CALL = {"x86_64": 321, "aarch64": 280}
SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
MODE_FILTER, NEW_LISTENER = 1, 1 << 3  # of seccomp(2)
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL, ASK = 0x7fff0000, 0x00050000, 0x7fc00000
NOTIF_RECV, NOTIF_SEND = 0xc0502100, 0xc0182101
NOTIF_BYTES, GO_ON = 80, 1
LARGE_STEPS = 100


def program(failures):
    """Of the classic BPF: (number of the call, its first argument) -> what."""
    steps = [(LOAD, 0, 0, 0),
             (EQUAL, 1, 0, BPF_CALL[platform.machine()]),
             (RETURN, 0, 0, ALLOW),
             (LOAD, 0, 0, 16)]
    for command, error in failures:
        steps += [(EQUAL, 0, 1, COMMANDS[command]),
                  (RETURN, 0, 0, ASK if error.isdigit() else
                   FAIL | getattr(errno, error))]
    steps.append((RETURN, 0, 0, ALLOW))
    return steps


def confine(failures, flags):
    """The listener, if it is asked for."""
    steps = program(failures)
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(steps), ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    listener = libc.syscall(SECCOMP_CALL[platform.machine()], MODE_FILTER,
                            flags, header)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def is_large(process, attributes):
    """The program that is loaded."""
    with open(f"/proc/{process}/mem", "rb") as memory:
        memory.seek(attributes)
        return struct.unpack("=II", memory.read(8))[1] > LARGE_STEPS


def answer(listener, seconds):
    """All may go on, the large after so long; until nobody asks any more."""
    while True:
        asked = bytearray(NOTIF_BYTES)
        fcntl.ioctl(listener, NOTIF_RECV, asked)
        number, process, attributes = struct.unpack_from("=QI28xQ", asked)
        try:
            if is_large(process, attributes):
                time.sleep(seconds)
            fcntl.ioctl(listener, NOTIF_SEND,
                        struct.pack("=QqiI", number, 0, 0, GO_ON))
        except (FileNotFoundError, ProcessLookupError):
            pass  # who asked is gone


def confine_slowly(failures, seconds):
    """A process beside us answers; we stay who we are."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _, listeners, _, _ = socket.recv_fds(theirs, 1, 1)
        try:
            answer(listeners[0], seconds)
        finally:
            os._exit(0)
    theirs.close()
    listener = confine(failures, NEW_LISTENER)
    socket.send_fds(ours, [b"."], [listener])
    os.close(listener)


def main():
    words = sys.argv[1:]
    failures = []
    while words and words[0].startswith("BPF_"):
        failures.append(words.pop(0).split("="))
    seconds = [int(value) for _, value in failures if value.isdigit()]
    if seconds:
        confine_slowly(failures, seconds[0])
    else:
        confine(failures, 0)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
