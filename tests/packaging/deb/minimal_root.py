# SPDX-License-Identifier: GPL-2.0-or-later
"""A minimal Debian in a directory, to install the packages in: made from the machine's mirrors
(tests/guest/kernels.py), kept in the cache, and given to each test as a layer of its own over it.

A test runs in a mount namespace of its own (own_mounts), so that nothing which is mounted in such a root
is seen, or stays, outside. Devices are nodes in the root's own /dev; the kernel is the machine's."""

import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import sys

import support
import text_files

sys.path.insert(0, os.path.join(support.ROOT, "tests", "guest"))
import kernels  # pylint: disable=wrong-import-position

CACHE = os.environ.get("DEB_ROOTS", os.path.join(support.ROOT, "build", "deb-roots"))
DEBS = os.environ.get("DEBS", os.path.join(support.ROOT, "build", "deb"))
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
         "tty": (5, 0), "fuse": (10, 229), "loop-control": (10, 237),
         **{f"loop{number}": (7, number) for number in range(128)}}
BLOCK = ("loop",)


def own_mounts():
    """Starts this program again in a mount namespace of its own; needs root."""
    if os.geteuid() == 0 and os.environ.get("DMREMAP_OWN_MOUNTS") != "yes":
        os.environ["DMREMAP_OWN_MOUNTS"] = "yes"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def packages(*names):
    """The files of our packages that `make deb` left, all of them without names."""
    found = []
    for name in names or ("*",):
        files = [path for path in glob.glob(os.path.join(DEBS, f"{name}_*.deb")) if "-dbgsym" not in path]
        support.check(files, f"{name} is built: `make deb`")
        found += files
    return found


def base():
    """The directory that all layers lie over."""
    os.makedirs(os.path.join(CACHE, "archives", "partial"), exist_ok=True)
    directory = os.path.join(CACHE, "base")
    with open(os.path.join(CACHE, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(directory):
            fresh = directory + ".new"
            shutil.rmtree(fresh, ignore_errors=True)
            sources = kernels.sources_with_backports().replace("Types: deb\n", "\nTypes: deb\n").lstrip()
            support.run("mmdebstrap", "--quiet", "--mode=root", "--variant=apt",
                        "--include=ca-certificates", kernels._codename("/etc/os-release"), fresh, "-",
                        input=sources, timeout=3600)
            os.rename(fresh, directory)
    return directory


class Root:
    """A layer over the base, at `path`, until the test ends."""

    def __init__(self, t, name="root"):
        self.path = t.path(name)
        # Layers are on the disk, not in memory: a kernel's headers are large.
        layer = os.path.join(CACHE, f"layer-{os.getpid()}-{name}")
        shutil.rmtree(layer, ignore_errors=True)
        t.cleanup.push(shutil.rmtree, layer, True)
        for directory in (self.path, f"{layer}/upper", f"{layer}/work"):
            os.makedirs(directory)
        self._mount(t, "-t", "overlay", "-o", f"lowerdir={base()},upperdir={layer}/upper,"
                    f"workdir={layer}/work", "overlay", self.path)
        for kind, where in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "dev"), ("tmpfs", "run")):
            self._mount(t, "-t", kind, kind, self.file(where))
        self._make_nodes()
        self._mount(t, "--bind", os.path.join(CACHE, "archives"), self.file("var/cache/apt/archives"))
        with contextlib.suppress(OSError):
            shutil.copy("/etc/resolv.conf", self.file("etc/resolv.conf"))
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755)

    @staticmethod
    def _mount(t, *arguments):
        support.run("mount", *arguments)
        t.cleanup.push(support.run, "umount", "--lazy", arguments[-1], expect=None)

    def _make_nodes(self):
        for name, (major, minor) in NODES.items():
            kind = 0o60660 if name.startswith(BLOCK) and name != "loop-control" else 0o20666
            os.mknod(self.file("dev", name), kind, os.makedev(major, minor))
            os.chmod(self.file("dev", name), kind & 0o777)
        os.symlink("/proc/self/fd", self.file("dev/fd"))
        os.makedirs(self.file("dev/shm"))

    def file(self, *parts):
        return os.path.join(self.path, *parts)

    def write(self, name, text, mode=0o644):
        text_files.write(self.file(name), text, mode)

    def read(self, name):
        return text_files.read(self.file(name))

    @staticmethod
    def environment():
        """Of programs in the root: nothing of the test's own."""
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("DMREMAP", "PYTHON"))}
        return {**environment, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
                "DEBIAN_FRONTEND": "noninteractive"}

    def run(self, *command, **options):
        options.setdefault("timeout", 3600)
        return support.run("chroot", self.path, *command, env=self.environment(), **options)

    def apt(self, *arguments, **options):
        return self.run("apt-get", "-q", "-y", "-o", "APT::Sandbox::User=root", "--no-install-recommends",
                        *arguments, **options)

    def install(self, debs, *arguments, **options):
        """Package files of the host, with what they depend on."""
        os.makedirs(self.file("root/debs"), exist_ok=True)
        inside = []
        for deb in debs:
            shutil.copy(deb, self.file("root/debs"))
            inside.append("/root/debs/" + os.path.basename(deb))
        return self.apt("install", *arguments, *inside, **options)

    def files(self):
        """All paths but those of package management, logs and caches."""
        out = set()
        ignored = ("proc", "sys", "dev", "run", "root", "tmp", "var/cache", "var/log", "var/lib/dpkg", "var/lib/apt",
                   "var/lib/systemd/deb-systemd-helper-enabled")
        for where, directories, names in os.walk(self.path):
            inside = os.path.relpath(where, self.path)
            directories[:] = [name for name in directories
                              if os.path.normpath(os.path.join(inside, name)) not in ignored]
            out |= {os.path.normpath(os.path.join(inside, name)) for name in [*names, *directories]}
        return out


def with_version(t, deb, version, change=None):
    """The same package as another version; its path. `change` is called with the directory of its files."""
    tree = t.path("repacked")
    shutil.rmtree(tree, ignore_errors=True)
    support.run("dpkg-deb", "-R", deb, tree)
    path = os.path.join(tree, "DEBIAN", "control")
    text = text_files.read(path)
    old = subprocess.run(["dpkg-deb", "-f", deb, "Version"], capture_output=True, text=True,
                         check=True).stdout.strip()
    text_files.write(path, text.replace(f"Version: {old}\n", f"Version: {version}\n")
                     .replace(f"(= {old})", f"(= {version})"))
    if change is not None:
        change(tree)
    out = t.path(os.path.basename(deb).replace(f"_{old}_", f"_{version}_"))
    support.run("dpkg-deb", "-Zgzip", "-z1", "-b", tree, out)
    return out
