# SPDX-License-Identifier: GPL-2.0-or-later
"""What every run under emulation has: options, shares, a job, a console, and
results (guest.py is the other end)."""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import kernels
import matrix

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
QEMU = "qemu-system-x86_64"
SKIPPED = 77
LOG_BYTES = 8000
# Million instructions a second: one takes 2^4 ns, ..
MIPS = {62: 4, 125: 3, 250: 2, 500: 1, 1000: 0}
# Emulation takes a third of a start for what no test looks at: ciphers try
# themselves, modules' signatures are checked, and rights of the kernel's pages.
WORDS = ("quiet cryptomgr.notests rodata=off "
         "initcall_blacklist=load_system_certificate_list net.ifnames=0")


def parser(description, seconds):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("tests", nargs="*", metavar="TEST",
                      help="instead of those that a run has of itself")
    made.add_argument("--build", default=SOURCE / "build/release",
                      type=pathlib.Path, help="the build tree to test")
    made.add_argument("--cache", type=pathlib.Path,
                      help="where kernels are kept (BUILD/kernels)")
    made.add_argument("--seconds", type=int, default=seconds,
                      help="the guest is ended after that (%(default)s)")
    made.add_argument("--words", metavar="'-k NAME'",
                      help="for each TEST, which part of it")
    made.add_argument("--keep", metavar="FOLDER", type=pathlib.Path,
                      help="where the guest leaves logs and results")
    made.add_argument("--list", action="store_true",
                      help="name all tests, and run none")
    made.add_argument("--steady", action="store_true",
                      help="time goes by the instructions that were carried "
                      "out: slow, and whatever else this machine does has no "
                      "part in it")
    made.add_argument("--mips", type=int, choices=MIPS, default=min(MIPS),
                      help="with --steady: million instructions a second; "
                      "what takes its time by the clock, as boots do, takes "
                      "as many times longer (%(default)s)")
    made.add_argument("--verbose", action="store_true",
                      help="show what the tests print, and the console")
    return made


def shares(kernel, job):
    """QEMU's words for this machine's files, the kernel's modules, and what
    the guest writes to."""
    def share(tag, path, *options):
        return ["-fsdev", ",".join((f"local,id={tag},path={path}",
                                    "security_model=none,multidevs=remap",
                                    *options)),
                "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]

    return [*share("root", "/", "readonly=on"),
            *share("modules", kernel.modules, "readonly=on"),
            *share("job", job)]


def machine(options, *words):
    """Two processors, no disk, no network."""
    thread = "single" if options.steady else "multi"
    clock = (("-icount", f"shift={MIPS[options.mips]},sleep=off")
             if options.steady else ())
    return [QEMU, "-smp", "2", "-nodefaults", "-no-user-config", "-display",
            "none", "-no-reboot", "-serial", "stdio", "-accel",
            f"tcg,thread={thread},tb-size=512", *clock, *words]


@contextlib.contextmanager
def job_folder(options, name, **job):
    """A folder with the job in it, and nothing left of another."""
    with tempfile.TemporaryDirectory(prefix=f"symtap-{name}-") as folder:
        path = pathlib.Path(options.keep or folder)
        path.mkdir(exist_ok=True)
        for left in (*path.glob("*.log"), path / "result",
                     path / "compare.json"):
            left.unlink(missing_ok=True)
        (path / "job").write_text(json.dumps({
            "source": str(SOURCE), "build": str(options.build.resolve()),
            "path": os.environ["PATH"],
            "captures": os.environ.get("SYMTAP_CAPTURES"), **job}))
        yield path


def kernel_of(options, series):
    kernels.call(QEMU, "--version")
    return kernels.obtain(series, options.cache or options.build / "kernels")


def boot(argv, job, options):
    """What the guest left in `job`, or None.  Its console is repeated, and
    kept in job/console."""
    qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace")
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, lambda *_: qemu.kill())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(options.seconds)
    try:
        with open(job / "console", "w", buffering=1,
                  encoding="utf-8") as console:
            for line in qemu.stdout:
                console.write(line)
                if options.verbose or matrix.TOLD in line:
                    told = line.split(matrix.TOLD)[-1].rstrip()
                    print(f"{time.monotonic() - begin:6.1f} s  {told}",
                          flush=True)
    finally:
        signal.alarm(0)
        if qemu.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                qemu.wait(5)
            qemu.kill()
        qemu.wait()
    print(f"{time.monotonic() - begin:6.1f} s  the guest is gone", flush=True)
    result = job / "result"
    return json.loads(result.read_text()) if result.exists() else None


def show(job, name, status):
    log = job / f"{name.replace('/', '-')}.log"
    print(f"\n--- {name}: {status}")
    if log.exists():
        print(log.read_text(errors="replace")[-LOG_BYTES:])


def report(result, job, wanted, shows_all=False):
    """The exit status; what failed shows its output."""
    if result is None:
        print((job / "console").read_text()[-4000:])
        print("FAILED: the guest ended without a result")
        return 1
    failed = [name for name in wanted if result.get(name) != 0]
    for name in wanted if shows_all else failed:
        show(job, name, result.get(name, "did not run"))
    print(f"{len(wanted) - len(failed)} of {len(wanted)} passed")
    if failed:
        print("FAILED: " + ", ".join(failed))
    return 1 if failed else 0


def main(options, run):
    """Run it as root where there is all that it needs, or say why not."""
    if os.geteuid() != 0:
        print("the guest's root needs root's files")
        return 1 if os.environ.get("CI") else SKIPPED
    try:
        return run(options)
    except kernels.Unavailable as why:
        print(f"it cannot boot here: {why}")
        return 1 if os.environ.get("CI") else SKIPPED
