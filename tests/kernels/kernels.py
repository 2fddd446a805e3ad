# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernels as files: fetched and unpacked, never installed."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

BUSYBOX = "/bin/busybox"
# For what the guest's root is made of.
FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
# Of four hundred megabytes.
KEPT = ("./boot/vmlinuz-*", "./lib/modules/*/modules.*",
        "./lib/modules/*/kernel/net/*", "./lib/modules/*/kernel/lib/*",
        "./lib/modules/*/kernel/crypto/*",
        "./lib/modules/*/kernel/arch/x86/crypto/*",
        "./lib/modules/*/kernel/fs/9p/*", "./lib/modules/*/kernel/fs/netfs/*",
        "./lib/modules/*/kernel/fs/fscache/*",
        "./lib/modules/*/kernel/fs/overlayfs/*",
        "./lib/modules/*/kernel/drivers/virtio/*",
        "./lib/modules/*/kernel/drivers/xen/*",
        "./lib/modules/*/kernel/drivers/net/*.ko")


class Unavailable(Exception):
    """This machine cannot have that kernel, or not boot it."""


def call(*argv, cwd=None):
    """What it printed."""
    try:
        done = subprocess.run(argv, cwd=cwd, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as missing:
        raise Unavailable(f"there is no {argv[0]}") from missing
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def version_key(text):
    return [int(part) for part in re.findall(r"\d+", text)]


def package_of(series):
    """The newest image of "6.1" that the package lists know."""
    pattern = rf"^linux-image-{re.escape(series)}\.[0-9][^-]*(-[0-9]+)?-amd64$"
    lines = call("apt-cache", "search", "--names-only", pattern).splitlines()
    if not lines:
        raise Unavailable(f"no package has a kernel {series}")
    return max((line.split()[0] for line in lines), key=version_key)


def fetch(series, folder):
    """The .deb, in `folder`."""
    try:
        call("apt-get", "download", package_of(series), cwd=folder)
    except Unavailable:
        call("apt-get", "update", "-q")
        call("apt-get", "download", package_of(series), cwd=folder)
    return next(folder.glob("linux-image-*.deb"))


def unpack(package, folder):
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as tar:
        done = subprocess.run(["tar", "-x", "-C", folder, "--wildcards", *KEPT],
                              stdin=tar.stdout, stderr=subprocess.PIPE,
                              text=True, check=False)
    if tar.returncode != 0:
        raise Unavailable(f"{package} cannot be unpacked: {done.stderr}")


class Kernel:
    """An unpacked one."""

    def __init__(self, folder):
        self.folder = folder
        self.image = next(folder.glob("boot/vmlinuz-*"))
        self.release = self.image.name.removeprefix("vmlinuz-")
        self.modules = folder / "lib/modules"

    def needed(self):
        """The first modules and what they need, in the order of loading."""
        lines = (self.modules / self.release / "modules.dep").read_text()
        needs, names = {}, {}
        for line in lines.splitlines():
            path, rest = line.split(":")
            needs[path] = rest.split()
            names[pathlib.Path(path).name.split(".")[0]] = path
        order = []
        for name in FIRST_MODULES:
            if name not in names:
                continue  # built in
            order += [*reversed(needs[names[name]]), names[name]]
        return [self.modules / self.release / path
                for path in dict.fromkeys(order)]


def obtain(series, cache):
    """A Kernel, from `cache` or into it."""
    folder = pathlib.Path(cache) / series
    done = folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        package = fetch(series, folder)
        unpack(package, folder)
        package.unlink()
        kernel = Kernel(folder)
        call("depmod", "-b", folder, kernel.release)
        done.write_text(package.name + "\n")
    return Kernel(folder)


def entry(name, mode, content=b"", number=0, device=(0, 0)):
    """One file of a "newc" archive."""
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device,
              len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    head += name.encode() + b"\0"
    return (head + bytes(-len(head) % 4) + content +
            bytes(-len(content) % 4))


def initramfs(kernel, init, script, path):
    """What the kernel unpacks: `init`, and `script` to go on with."""
    files = [(name, 0o40755, b"") for name in
             ("bin", "dev", "proc", "lower", "upper", "root", "modules")]
    for tool in (BUSYBOX,):
        if not os.access(tool, os.X_OK):
            raise Unavailable(f"there is no {tool}")
        files.append((tool[1:], 0o100755, pathlib.Path(tool).read_bytes()))
    modules = kernel.needed()
    files += [(f"modules/{module.name}", 0o100644, module.read_bytes())
              for module in modules]
    order = "".join(f"{module.name}\n" for module in modules)
    files += [("modules/order", 0o100644, order.encode()),
              ("init", 0o100755, pathlib.Path(init).read_bytes()),
              ("script", 0o100644, str(script).encode())]
    with open(path, "wb") as archive:
        for number, (name, mode, content) in enumerate(files, 1):
            archive.write(entry(name, mode, content, number))
        archive.write(entry("dev/console", 0o20600, number=len(files) + 1,
                            device=(5, 1)))
        archive.write(entry("TRAILER!!!", 0))
