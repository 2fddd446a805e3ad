#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""without.py COMMAND=ERRNO ... PROGRAM ARGUMENT ...

Runs a program as if on another kernel: each of these commands of bpf(2), by
name, fails with that error.  A filter of system calls, so it holds for all that
the program does, and can not be got rid of."""

import ctypes
import errno
import os
import platform
import struct
import sys

COMMANDS = {"BPF_MAP_CREATE": 0, "BPF_PROG_LOAD": 5, "BPF_OBJ_PIN": 6,
            "BPF_LINK_CREATE": 28}
BPF_CALL = {"x86_64": 321, "aarch64": 280}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7fff0000, 0x00050000


def program(failures):
    """Of the classic BPF: (number of the call, its first argument) -> what."""
    steps = [(LOAD, 0, 0, 0),
             (EQUAL, 1, 0, BPF_CALL[platform.machine()]),
             (RETURN, 0, 0, ALLOW),
             (LOAD, 0, 0, 16)]
    for command, error in failures:
        steps += [(EQUAL, 0, 1, COMMANDS[command]),
                  (RETURN, 0, 0, FAIL | getattr(errno, error))]
    steps.append((RETURN, 0, 0, ALLOW))
    return steps


def confine(failures):
    steps = program(failures)
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(steps), ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_void_p] * 4
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, header, None, None) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def main():
    words = sys.argv[1:]
    failures = []
    while words and words[0].startswith("BPF_"):
        failures.append(words.pop(0).split("="))
    confine(failures)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
