#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What debian/ says agrees with the rest of the tree: versions, licences, build dependencies, and each
installed file is in exactly one package."""

import email.utils
import os
import re

import support
from support import check, equal

DEBIAN = os.path.join(support.ROOT, "debian")
# Not in a package: there debian/copyright tells it.
IN_NO_PACKAGE = {"licence"}
# Of packaging/debian-packages.txt, what a package need not ask for, and why.
IMPLIED = {
    "g++": "build-essential", "make": "build-essential",
    "mount": "wanted by every system with disks", "util-linux": "essential",
    "fonts-dejavu-core": "wanted by the library that draws (fontconfig-config)",
    "e2fsprogs": "of the demo", "fio": "of the demo"}


def read(*path):
    with open(os.path.join(support.ROOT, *path), encoding="utf-8") as file:
        return file.read()


def stanzas(text):
    """Of a control file, as dictionaries; fields over many lines are joined."""
    found = []
    for stanza in re.split(r"\n\s*\n", text.strip()):
        fields = re.findall(r"^([A-Za-z-]+):(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        found.append({name: " ".join(value.split()) for name, value in fields})
    return found


def names(relations):
    """The packages of a field like `a (>= 1), b | c`."""
    return [re.match(r"[a-z0-9+.-]+", one.strip())[0]
            for one in re.split(r"[,|]", relations) if re.match(r"[a-z0-9]", one.strip())]


def one_version():
    number, date = re.search(r"^## (\d\S*) - (\S+)$", read("CHANGELOG.md"), re.MULTILINE).groups()
    changelog = read("debian", "changelog")
    equal(re.match(r"dm-remap \((\S+)\) ", changelog)[1], number, "version of debian/changelog")
    signed = re.search(r"^ -- .*?>  (.*)$", changelog, re.MULTILINE)[1]
    equal(email.utils.parsedate_to_datetime(signed).strftime("%Y-%m-%d"), date, "its date")
    for path in (("kernel", "dkms.conf"),):
        equal(re.search(r'^PACKAGE_VERSION="(.*)"$', read(*path), re.MULTILINE)[1], number,
              f"version of {'/'.join(path)}")


def dependencies_are_known():
    text = read("packaging", "debian-packages.txt")
    sections = re.split(r"^# (Build|Run|Demo)$", text, flags=re.MULTILINE)
    wanted = {sections[at]: {line.split("#")[0].strip() for line in sections[at + 1].splitlines()} - {""}
              for at in range(1, len(sections), 2)}
    source, *packages = stanzas(read("debian", "control"))
    building = set(names(source["Build-Depends"])) - {"debhelper-compat", "dh-sequence-dkms"}
    equal(building, wanted["Build"] - IMPLIED.keys(), "packages to build with")
    running = {name for package in packages for field in ("Depends", "Recommends", "Suggests")
               for name in names(package.get(field, ""))}
    equal(wanted["Run"] - IMPLIED.keys() - running, set(), "packages to run with")
    return [package["Package"] for package in packages]


def one_licence():
    licences = set()
    for path in support.run("git", "-C", support.ROOT, "ls-files", "-z").out.split("\0"):
        try:
            with open(os.path.join(support.ROOT, path), encoding="utf-8") as file:
                licences |= set(re.findall(r"SPDX-License" r"-Identifier: ([\w.+-]+)", file.read(2000)))
        except (OSError, UnicodeDecodeError):
            continue
    equal(licences, {"GPL-2.0-or-later"}, "licences of the tree")
    header, *rest = stanzas(read("debian", "copyright"))
    equal(header["Format"], "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/", "DEP-5")
    equal([one["Files"] for one in rest if "Files" in one], ["*"], "files that copyright speaks of")
    equal({one["License"].split()[0] for one in rest}, {"GPL-2+"}, "their licence")
    check("Version 2, June 1991" in read("LICENSE"), "LICENSE is version 2")


def each_file_in_one_package(t, packages):
    components = re.search(r"^COMPONENTS = (.*)$", read("debian", "rules"), re.MULTILINE)[1].split()
    equal(sorted([*components, "dm-remap-dkms"]), sorted(packages), "packages, by debian/rules")
    build = os.path.dirname(os.path.dirname(support.DMREMAP))

    def install(directory, *component):
        support.run("cmake", "--install", build, "--prefix", "/usr", *component,
                    env={**os.environ, "DESTDIR": t.path(directory)})
        return support.files_below(t.path(directory))

    everything = install("all")
    check(len(everything) > 100, f"files are installed: {len(everything)}")
    owner = {}
    for component in [*components, *sorted(IN_NO_PACKAGE)]:
        found = install(component, "--component", component)
        check(found, f"{component} has files")
        for path in found:
            check(path not in owner, f"{path} is in {owner.get(path)} and in {component}")
            owner[path] = component
    equal(everything - owner.keys(), set(), "files that are in no package")
    equal({path for path, package in owner.items() if package in IN_NO_PACKAGE},
          {"usr/share/doc/dm-remap/LICENSE"}, "files left out")
    for path, package in (("usr/sbin/dmremap", "dm-remap"), ("usr/bin/dmremap-lab", "dm-remap-lab"),
                          ("usr/share/man/man1/dmremap-lab.1", "dm-remap-lab"),
                          ("usr/lib/systemd/system/dmremap@.service", "dm-remap")):
        equal(owner.get(path), package, f"the package of {path}")


def source_of_the_module_is_whole(t):
    support.run(os.path.join(support.ROOT, "tools", "dkms-tree"), t.path("dkms"))
    (tree,) = os.listdir(t.path("dkms"))
    there = set(os.listdir(t.path("dkms", tree)))
    kernel = set(os.listdir(os.path.join(support.ROOT, "kernel")))
    sources = {name for name in kernel if re.fullmatch(r"dm-remap[\w-]*\.[ch]", name)}
    equal(there, sources - {"dm-remap.mod.c"} | {"Kbuild", "Makefile", "dkms.conf"},
          "what is given to DKMS")


def needrestart_leaves_sets_alone():
    script = ('our %nrconf; defined(do "./" . shift) or die "cannot read it: $@"; for my $unit (@ARGV) { my @hit = '
              'grep { $unit =~ $_ } keys %{$nrconf{override_rc}}; '
              'print $unit, " ", (@hit ? $nrconf{override_rc}{$hit[0]} : "restarted"), "\\n"; }')
    said = support.run("perl", "-e", script, "needrestart/dm-remap.conf", "dmremap@backup.service",
                       "dmremap-initrd@backup.service", "dmremap-replace@backup.service",
                       "dm-remap-monitor.service", cwd=DEBIAN).out
    equal(said.splitlines(), ["dmremap@backup.service 0", "dmremap-initrd@backup.service 0",
                              "dmremap-replace@backup.service 0",
                              "dm-remap-monitor.service restarted"], "what needrestart is told")


def metadata(t):
    one_version()
    packages = dependencies_are_known()
    one_licence()
    source_of_the_module_is_whole(t)
    needrestart_leaves_sets_alone()
    each_file_in_one_package(t, packages)


support.run_test(metadata, programs=["cmake", "git", "perl"])
