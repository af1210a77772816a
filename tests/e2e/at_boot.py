#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`start --at-boot` takes only the set that this host wants, from whichever of its devices come late,
and says what it waits for."""

import os
import signal
import socket
import time
import subprocess

import product
import support
from support import check, equal


class Start:
    """`dmremap start NAME --foreground --at-boot`, as the service runs it."""

    def __init__(self, t, name, env=None):
        self._errors = t.path("errors")
        with open(self._errors, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [support.DMREMAP, "start", name, "--foreground", "--at-boot", "--export", "fuse"],
                stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | (env or {}))
        t.cleanup.push(self.process.kill)

    def errors(self):
        with open(self._errors, encoding="utf-8") as file:
            return file.read()

    def says(self, words):
        support.wait_until(lambda: words in self.errors() or self.process.poll() is not None, f"says {words!r}")
        check(words in self.errors(), f"says {words!r}: {self.errors()}")


def _refused(dm, code):
    error = dm.run("start", dm.name, "--at-boot", "--json", expect=3).error_json()
    equal(error["code"], code, f"refused: {error}")


def _late(t, dm, device):
    """A device that comes while the start waits for it."""
    os.rename(device, device + ".away")
    start = Start(t, dm.name)
    start.says(f"{dm.name}: waiting for up to 30 s: ")
    check("was last seen at " + device in start.errors(), f"names it: {start.errors()}")
    os.rename(device + ".away", device)
    equal(start.process.stdout.readline().strip(),
          os.path.join(t.runtime_dir, f"{dm.name}.dev"), "served")
    dm.stop()
    equal(start.process.wait(timeout=300), 0, "stopped")
    return start


def _wait_of(t, dm):
    claims = support.dmremap("claims", "--json").json()["claims"]
    return next(one["claim"]["wait_seconds"] for one in claims if one["claim"]["name"] == dm.name)


def _late_beyond_the_deadline(t, dm):
    """The deadline is the set's own. It is kept, said loudly, and no reason not to serve the set when
    the device comes after all, or comes, goes, and comes again."""
    equal(dm.run("enable", dm.name, "--wait", "2", "--json").json()["wait_seconds"], 2, "chosen")
    for wait in ("0", "86401", "soon"):
        dm.run("enable", dm.name, "--wait", wait, expect=2)
    os.rename(dm.main, dm.main + ".away")
    began = time.monotonic()
    start = Start(t, dm.name)
    start.says("not served, for after 2 s a device is missing")
    check(time.monotonic() - began >= 2, "not before the deadline")
    check("was last seen at " + dm.main in start.errors(), f"names it: {start.errors()}")
    equal(start.process.poll(), None, "it waits on")
    # Its evidence of identity is its file: the same one comes and goes.
    other = t.image("other.img", "16MiB")
    os.rename(other, dm.main)
    time.sleep(0.2)
    os.rename(dm.main, other)
    equal(start.process.poll(), None, "what came and went, or was another one, ends nothing")
    os.rename(dm.main + ".away", dm.main)
    equal(start.process.stdout.readline().strip(),
          os.path.join(t.runtime_dir, f"{dm.name}.dev"), "served")
    dm.stop()
    equal(start.process.wait(timeout=300), 0, "stopped")

    # By now it is in the metadata, and not in the claim of this host alone.
    support.dmremap("claims", "--forget", dm.name)
    dm.start("fuse", by_devices=True)
    dm.stop()
    equal(_wait_of(t, dm), 2, "the metadata has it")
    # What is chosen while the set runs outlives its stop.
    dm.start("fuse", by_devices=True)
    dm.run("enable", dm.name, "--wait", "30")
    dm.stop()
    equal(_wait_of(t, dm), 30, "chosen while it ran")
    dm.start("fuse", by_devices=True)
    dm.stop()
    support.dmremap("claims", "--forget", dm.name)
    dm.start("fuse", by_devices=True)
    dm.stop()
    equal(_wait_of(t, dm), 30, "and recorded by the next start")
    dm.run("enable", dm.name)


def _deadline_of_the_metadata(t, dm):
    """The service manager is told anew when the metadata turns out to have a later deadline than the
    claim: it gives up on a start that it was not told of."""
    path = os.path.join(t.runtime_dir, "claims.d", dm.name)
    with open(path, encoding="utf-8") as file:
        claim = file.read()
    check("wait-seconds = 30\nwait-recorded = yes\n" in claim, f"as recorded: {claim}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(claim.replace("wait-seconds = 30", "wait-seconds = 2"))
    os.rename(dm.main, dm.main + ".away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(t.path("notify"))
        notify.settimeout(300)
        start = Start(t, dm.name, {"NOTIFY_SOCKET": t.path("notify")})
        start.says(f"{dm.name}: waiting for up to 30 s: ")
        told = ""
        while "STATUS=" not in told:
            told += notify.recv(4096).decode() + "\n"
    allowed = [int(line.split("=")[1]) for line in told.split("\n")
               if line.startswith("EXTEND_TIMEOUT_USEC=")]
    equal(len(allowed), 2, f"told of both deadlines: {told}")
    check(allowed[1] > allowed[0] + 10_000_000, f"the second is the later one: {allowed}")
    start.process.send_signal(signal.SIGTERM)
    equal(start.process.wait(timeout=300), -signal.SIGTERM, "a signal ends the wait")
    os.rename(dm.main + ".away", dm.main)
    with open(path, "w", encoding="utf-8") as file:
        file.write(claim)


def at_boot(t):
    main = t.image("main.img", "16MiB")
    dm = product.Product(t, main, t.path("own.spare"))
    dm.create("--spare-size", "16MiB")
    _refused(dm, "not-claimed")
    dm.run("enable", dm.name)
    _late(t, dm, main)
    _late(t, dm, dm.spare)
    # Nothing tells whether this is main: main may still come.
    image = t.image("other.img", "16MiB")
    other = t.loop(image)
    os.unlink(image)  # whose name would tell
    start = _late(t, dm, main)
    check("cannot tell whether it is main" in start.errors() and other in start.errors(),
          f"says what is there: {start.errors()}")

    _late_beyond_the_deadline(t, dm)
    _deadline_of_the_metadata(t, dm)

    # A spare that says it is of this set, and is of another one.
    theirs = product.Product(t, t.image("theirs.img", "16MiB"), t.path("theirs.spare"), dm.name)
    elsewhere = {**os.environ, "DMREMAP_RUNTIME_DIR": t.path("elsewhere")}
    os.mkdir(t.path("elsewhere"), 0o700)
    support.dmremap("create", dm.name, theirs.main, theirs.spare, "--spare-size", "16MiB", env=elsewhere)
    t.loop(theirs.spare)
    os.rename(dm.spare, dm.spare + ".away")
    start = Start(t, dm.name)
    start.says("waiting for up to 30 s")
    start.process.send_signal(signal.SIGTERM)
    equal(start.process.wait(timeout=300), -signal.SIGTERM, "a signal ends the wait")
    os.rename(dm.spare + ".away", dm.spare)
    uuid = dm.examine()["set"]["uuid"]
    dm.run("start", dm.name, "--at-boot", "--export", "fuse")
    equal(dm.status()["uuid"], uuid, "its own")
    dm.stop()

    path = os.path.join(t.runtime_dir, "claims.d", dm.name)
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    own = next(line for line in lines if line.startswith("machine-id"))
    if own.strip() != "machine-id =":
        with open(path, "w", encoding="utf-8") as file:
            file.writelines("machine-id = 00000000000000000000000000000001\n" if line == own else line
                            for line in lines)
        _refused(dm, "claim-of-another")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines[:-2])
    _refused(dm, "claim-damaged")
    os.unlink(path)
    _refused(dm, "not-claimed")


support.run_test(at_boot, root=True, fuse=True, loop=True)
