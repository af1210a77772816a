# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernels for guests: downloaded with apt-get, unpacked, never installed.

A kernel is a directory in the cache (build/guest/kernels):

    6.12/version     what `uname -r` says in a guest that runs it
    6.12/vmlinuz
    6.12/root/       the packages, unpacked; its lib/modules has a modules.dep
    6.12/headers/    after a fetch with headers: what `make -C` wants to build a module

apt-get works with package lists of its own beside them. It takes the machine's Debian mirrors as they
are configured, with backports added; the machine's own lists and packages stay as they are."""

import contextlib
import fcntl
import functools
import glob
import os
import re
import shutil
import subprocess

# Which suite has which kernel is left to apt: all suites are searched. The flavour for virtual
# machines has a third of the generic one's modules, among them all that guests use.
VERSIONS = ("6.12", "6.1")
FLAVOUR = "cloud-amd64"


class NotToBeHad(Exception):
    """This machine cannot get the kernel; the message says why."""


class Kernel:
    """One that was fetched, at `directory`."""

    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "version"), encoding="ascii") as file:
            self.release = file.read().strip()
        self.vmlinuz = os.path.join(directory, "vmlinuz")
        self.root = os.path.join(directory, "root")
        self.modules = os.path.join(self.root, "lib/modules", self.release)
        self.headers = os.path.join(directory, "headers")


def fetch(version, cache, headers=False):
    """The Kernel of a version of VERSIONS, from the cache if it is there. Raises NotToBeHad."""
    if version not in VERSIONS:
        raise NotToBeHad(f"no such kernel here: {version} (there are {', '.join(VERSIONS)})")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        # Tests run side by side; the second finds what the first fetched.
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory = os.path.join(cache, version)
        if not os.path.exists(os.path.join(directory, "headers" if headers else "version")):
            _fetch(version, cache, directory, headers)
    return Kernel(directory)


def unpack(package, cache, root):
    """Another package of the same suites, unpacked into `root`. Raises NotToBeHad."""
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _Apt(os.path.join(cache, "apt")).unpack([package], root)


def _fetch(version, cache, directory, headers):
    for program in ("apt-get", "dpkg-deb", "depmod"):
        if shutil.which(program) is None:
            raise NotToBeHad(f"kernel {version}: no {program} on this machine")
    apt = _Apt(os.path.join(cache, "apt"))
    # One fetched before is kept at its release: modules built for it must go on to load.
    with contextlib.suppress(OSError):
        release = Kernel(directory).release
        if os.path.exists(directory) and _try_headers(apt, release, directory):
            return
    release = apt.newest_release(version)
    fresh = directory + ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    apt.unpack([f"linux-image-{release}"], os.path.join(fresh, "root"))
    _finish_image(fresh, release)
    if headers:
        apt.unpack(apt.headers_packages(release), os.path.join(fresh, "root"))
    shutil.rmtree(directory, ignore_errors=True)
    os.rename(fresh, directory)
    if headers:
        _finish_headers(directory, release)


def _try_headers(apt, release, directory):
    """Headers beside an image that was fetched without; False if they are gone from the mirror."""
    try:
        apt.unpack(apt.headers_packages(release), os.path.join(directory, "root"))
    except NotToBeHad:
        return False
    _finish_headers(directory, release)
    return True


def _finish_image(directory, release):
    root = os.path.join(directory, "root")
    if not os.path.isdir(os.path.join(root, "lib")):
        os.symlink("usr/lib", os.path.join(root, "lib"))
    # An installation would have run depmod.
    subprocess.run(["depmod", "-b", root, release], check=True)
    os.symlink(f"root/boot/vmlinuz-{release}", os.path.join(directory, "vmlinuz"))
    with open(os.path.join(directory, "version"), "w", encoding="ascii") as file:
        file.write(release + "\n")


def _finish_headers(directory, release):
    """The headers name themselves by where they would be installed; let them name where they are."""
    source = os.path.join(directory, "root/usr/src")
    makefile = os.path.join(source, f"linux-headers-{release}", "Makefile")
    with open(makefile, encoding="utf-8") as file:
        text = file.read()
    with open(makefile, "w", encoding="utf-8") as file:
        file.write(text.replace("include /usr/src/", f"include {source}/"))
    os.symlink(f"root/usr/src/linux-headers-{release}", os.path.join(directory, "headers"))


class _Apt:
    """apt-get over lists in a directory of its own."""

    def __init__(self, directory):
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        self.archives = os.path.join(directory, "cache/archives")
        sources = os.path.join(directory, "debian.sources")
        with open(sources, "w", encoding="utf-8") as file:
            file.write(sources_with_backports())
        self._options = [
            f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State::lists={directory}/lists", f"Dir::Cache={directory}/cache",
            "APT::Sandbox::User=root", "Acquire::Languages=none", "APT::Architectures::=amd64",
            "Acquire::Retries=3"]
        self._run("apt-get", "-q", "update")

    def _run(self, program, *arguments, cwd=None):
        options = [word for option in self._options for word in ("-o", option)]
        done = subprocess.run([program, *options, *arguments], capture_output=True, text=True,
                              check=False, cwd=cwd)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise NotToBeHad(f"{program} {' '.join(arguments)}: {' '.join(said)}")
        return done.stdout

    def newest_release(self, version):
        """The newest of a version for which all is to be had: an image may be in one suite already
        while what its headers need is still in another."""
        pattern = f"^linux-image-{re.escape(version)}[.-].*-{FLAVOUR}$"
        names = self._run("apt-cache", "search", "--names-only", pattern).split("\n")
        releases = [name.split()[0].removeprefix("linux-image-") for name in names if name]
        for release in sorted(releases, key=functools.cmp_to_key(_compare_versions), reverse=True):
            with contextlib.suppress(NotToBeHad):
                self.headers_packages(release)
                return release
        raise NotToBeHad(f"kernel {version}: the configured mirrors have no linux-image-{version}*"
                         f"-{FLAVOUR} with its headers")

    def headers_packages(self, release):
        """What building a module takes; raises NotToBeHad if a part of it is missing."""
        package = f"linux-headers-{release}"
        depends = re.search(r"^Depends: (.*)$", self._run("apt-cache", "show", package), re.M)
        parts = re.findall(r"\blinux-(?:headers|kbuild)-[^ ,]+", depends[1] if depends else "")
        for part in parts:
            self._run("apt-cache", "show", part)
        return [package, *parts]

    def unpack(self, packages, root):
        for package in packages:
            for old in glob.glob(os.path.join(self.archives, f"{package}_*.deb")):
                os.unlink(old)
            self._run("apt-get", "-q", "download", package, cwd=self.archives)
            archive, = glob.glob(os.path.join(self.archives, f"{package}_*.deb"))
            subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
            os.unlink(archive)


def _compare_versions(a, b):
    if a == b:
        return 0
    return -1 if subprocess.run(["dpkg", "--compare-versions", a, "lt", b],
                                check=False).returncode == 0 else 1


# --- the machine's mirrors -------------------------------------------------------------------

def sources_with_backports(etc="/etc/apt", os_release="/etc/os-release"):
    """Debian's entries of the machine's configuration, in deb822 form, and backports from the same
    mirror. Raises NotToBeHad if there is none."""
    codename = _codename(os_release)
    entries = [entry for entry in _configured(etc)
               if any(suite.split("-")[0] == codename or suite.startswith(codename + "/")
                      for suite in entry["Suites"].split())
               and "main" in entry.get("Components", "").split()]
    base = next((e for e in entries if codename in e["Suites"].split()), None)
    if base is None:
        raise NotToBeHad(f"no Debian mirror for {codename} is configured in {etc}")
    backports = f"{codename}-backports"
    if not any(backports in entry["Suites"].split() for entry in entries):
        entries.append({**base, "Suites": backports})
    return "\n".join("".join(f"{key}: {value}\n" for key, value in entry.items())
                     for entry in entries)


def _codename(os_release):
    with contextlib.suppress(OSError), open(os_release, encoding="utf-8") as file:
        values = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
        if values.get("ID", "").strip('"') == "debian" and "VERSION_CODENAME" in values:
            return values["VERSION_CODENAME"].strip('"')
    raise NotToBeHad("this machine is not Debian, whose kernels the guests run")


def _configured(etc):
    """Each enabled binary source as a dictionary of deb822 fields."""
    lists = [os.path.join(etc, "sources.list"), *sorted(glob.glob(f"{etc}/sources.list.d/*.list"))]
    for path in lists:
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            for line in file:
                entry = _one_line_entry(line)
                if entry is not None:
                    yield entry
    for path in sorted(glob.glob(f"{etc}/sources.list.d/*.sources")):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            for stanza in re.split(r"\n\s*\n", file.read()):
                entry = _stanza_entry(stanza)
                if entry is not None:
                    yield entry


def _one_line_entry(line):
    """`deb [signed-by=... arch=...] URI SUITE COMPONENT...`"""
    match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)", line.strip())
    if match is None:
        return None
    entry = {"Types": "deb", "URIs": match[2], "Suites": match[3], "Components": match[4].strip()}
    options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
    for option, field in (("signed-by", "Signed-By"), ("trusted", "Trusted")):
        if option in options:
            entry[field] = options[option]
    return entry


def _stanza_entry(stanza):
    entry, last = {}, None
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in " \t" and last is not None:
            entry[last] += "\n" + line  # a key may be given in full, over many lines
        elif ":" in line:
            last, _, value = line.partition(":")
            entry[last] = value.strip()
    wanted = {"types": "Types", "uris": "URIs", "suites": "Suites", "components": "Components",
              "signed-by": "Signed-By", "trusted": "Trusted", "enabled": "Enabled"}
    entry = {wanted[key.lower()]: value for key, value in entry.items() if key.lower() in wanted}
    if "deb" not in entry.get("Types", "").split() or entry.get("Enabled", "yes").lower() == "no":
        return None
    if "URIs" not in entry or "Suites" not in entry:
        return None
    return {**entry, "Types": "deb"}
