#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Process 1 of the guest: runs the job's tests, one after the other, tells
the console, leaves results and logs in /run/job, and switches off."""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import matrix

JOB = pathlib.Path("/run/job")
POWER_OFF = 0x4321fedc
LIBC = ctypes.CDLL(None, use_errno=True)


def tell(text):
    print(matrix.TOLD + text, flush=True)


def argv_of(job, name):
    """Python without what is installed beside it: that takes a second."""
    where, path, *words = matrix.TESTS[name]
    python = [sys.executable, "-S"] if path.endswith(".py") else []
    return [*python, os.path.join(job[where], path),
            *(word.format(**job) for word in words), *job["tests"][name]]


def is_empty(log):
    return b"\nRan 0 tests" in log.read_bytes()


def run_one(job, name, environment):
    begin = time.monotonic()
    path = JOB / f"{name.replace('/', '-')}.log"
    if name.endswith(matrix.FAST):
        environment = {**environment, "SYMTAP_FAST": "lan0, lan1"}
    with open(path, "wb") as log:
        try:
            status = subprocess.run(argv_of(job, name), env=environment,
                                    cwd=job["source"], stdout=log,
                                    stdin=subprocess.DEVNULL,
                                    stderr=subprocess.STDOUT, check=False,
                                    timeout=job.get("seconds", 900)).returncode
        except subprocess.TimeoutExpired:
            status = "no end in sight"
        except OSError as error:
            status = str(error)
    if is_empty(path):
        status = matrix.NO_TESTS
    said = {0: "ok", 77: "SKIPPED"}.get(status, f"FAILED ({status})")
    tell(f"{said:8} {name} in {time.monotonic() - begin:.1f} s")
    return status


def run_all():
    job = json.loads((JOB / "job").read_text())
    tell(f"up after {pathlib.Path('/proc/uptime').read_text().split()[0]} s, "
         f"{os.uname().release}")
    environment = {"PATH": job["path"], "HOME": "/root", "CI": "1",
                   "LANG": "C.UTF-8",
                   "SYMTAP_BUILD": job["build"], "SYMTAP_SLOW": "1"}
    if job["captures"]:
        environment["SYMTAP_CAPTURES"] = job["captures"]
    os.environ.update(environment)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["modprobe", "-a", *matrix.MODULES], check=True)
    result = {}
    for name in job["tests"]:
        result[name] = run_one(job, name, environment)
        (JOB / "result").write_text(json.dumps(result))


def main():
    child = os.fork()
    if child == 0:
        os.setsid()
        run_all()
        return
    while os.wait()[0] != child:
        pass
    os.sync()
    LIBC.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
