# SPDX-License-Identifier: GPL-2.0-or-later
"""The netback with a hook, and its guard, as modules for an unpacked kernel:
what they are built from is Debian's, fetched and unpacked, never installed."""

import hashlib
import pathlib
import shutil

import kernels

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
HOOKS = "xen-hooks/netback"
FOLDERS = (HOOKS, "flowtable", "policy", "shaper")
FILES = ("Makefile", "common.h", "hash.c", "interface.c", "netback.c", "rx.c",
         "xenbus.c")


def inputs(release):
    """Changes when anything does that the modules are made of."""
    digest = hashlib.sha256(release.encode())
    for folder in FOLDERS:
        for path in sorted((SOURCE / folder).glob("**/*")):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()


def unpack_source(folder):
    """Seven files of the archive's eighty thousand: it does not stay."""
    if (folder / FILES[0]).exists():
        return
    packages = folder.with_name("archive")
    kernels.call(str(HERE.parent / "fetch.sh"), str(packages),
                 "linux-source-6.1")
    archive = next(packages.glob("usr/src/linux-source-*.tar.xz"))
    name = archive.name.removesuffix(".tar.xz")
    folder.mkdir(exist_ok=True)
    # All are found half way through; tar then reads no further.
    kernels.call("tar", "-x", "-f", str(archive), "-C", str(folder),
                 "--occurrence=1", "--strip-components=4",
                 *(f"{name}/drivers/net/xen-netback/{file}"
                   for file in FILES))
    shutil.rmtree(packages)


def build(build_tree, kernel):
    """The folder with the modules."""
    folder = build_tree / "netback"
    folder.mkdir(exist_ok=True)
    built, stamp = folder / "built", folder / "stamp"
    wanted = inputs(kernel.release)
    if stamp.exists() and stamp.read_text() == wanted:
        return built
    kernels.call(str(HERE.parent / "fetch.sh"), str(folder / "headers"),
                 f"linux-headers-{kernel.release}",
                 f"linux-headers-{kernel.release.removesuffix('-amd64')}"
                 "-common", "linux-kbuild-6.1")
    unpack_source(folder / "source")
    # In the folder that DKMS would build in.
    version = kernels.call(str(SOURCE / HOOKS / "dkms-tree"), str(folder))
    tree = folder / f"symtap-netback-{version.strip()}"
    kernels.call(str(tree / HOOKS / "build"), str(folder / "source"), str(
        folder / f"headers/usr/src/linux-headers-{kernel.release}"),
        str(built))
    shutil.rmtree(tree)
    stamp.write_text(wanted)
    return built
