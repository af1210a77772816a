#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dmremap.conf: images that match are found without being named, what is excluded is not looked at,
defaults count where nothing is said, and a bad line is named and left out."""

import os

import product
import support
from support import check, equal


def host_configuration(t):
    directory = t.path("disks")
    os.mkdir(directory)
    os.makedirs(t.runtime_dir, mode=0o700, exist_ok=True)
    conf = os.path.join(t.runtime_dir, "dmremap.conf")

    def configure(*lines):
        with open(conf, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    configure("wait = 90", "export = fuse")
    dm = product.Product(t, t.image("disks/old.img", "16MiB"), os.path.join(directory, "old.spare"))
    dm.create("--spare-size", "16MiB")
    claims = support.dmremap("claims", "--json").json()["claims"]
    equal([one["claim"]["wait_seconds"] for one in claims], [90], "wait")
    served = dm.run("start", dm.name).out.strip()
    equal(served, os.path.join(t.runtime_dir, f"{dm.name}.dev"), "export")
    dm.stop()

    # A host that does not know the set, but where its images may lie.
    elsewhere = t.path("elsewhere")
    os.mkdir(elsewhere, 0o700)
    env = {**os.environ, "DMREMAP_RUNTIME_DIR": elsewhere, "DMREMAP_CONFIG_DIR": t.runtime_dir}

    def found():
        outcome = support.dmremap("discover", "--json", env=env)
        return {one["name"]: one["main"] for one in outcome.json()["sets"]}, outcome.err

    check(dm.name not in found()[0], "an image that nobody named")
    configure(f"image = {directory}/*.spare", f"image = {directory}/*.img")
    equal(found()[0].get(dm.name), dm.main, "images that match")
    configure(f"image = {directory}/*", f"exclude = {directory}/old.spare")
    check(dm.name not in found()[0], "excluded")

    configure("imag = /x", "", f"image = {directory}/*", "wait = soon")
    sets, said = found()
    equal(sets.get(dm.name), dm.main, "the other lines count")
    for number in (1, 4):
        check(f"{conf}:{number}: " in said, f"line {number} is named: {said}")
    equal(len(said.splitlines()), 2, f"one line each: {said}")


support.run_test(host_configuration, root=True, fuse=True)
