# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the boots of a plan and keeps what became of each payload, a directory for each:

    build/guest/results/PAYLOAD.KERNEL/result.json   {"failure", "skipped", "seconds"}
                                       output        what it printed
                                       console       what the kernel printed meanwhile
                                       files/        what it put into $OUT"""

import json
import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass

import initrd
import kernels
import machine
import places
import support


def what_is_missing():
    """Why no guest can run on this machine; None if one can."""
    if platform.machine() != "x86_64":
        return "needs a machine of kind x86_64: its programs run in the guest"
    return support.what_is_missing(
        False, False, False, (machine.QEMU, "busybox", "depmod", "apt-get", "setpriv"))

# No payload has said anything yet when a guest does not come up: that is the host's trouble, or the
# emulator's, and the next one may do better.
GUESTS_IN_VAIN = 2


@dataclass
class Result:
    failure: str = ""   # in a line; empty if it passed
    skipped: str = ""   # why it could not run
    seconds: float = 0
    output: str = ""
    console: str = ""

    def save(self, directory, files=None):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        facts = asdict(self)
        for name in ("output", "console"):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(facts.pop(name))
        with open(os.path.join(directory, "result.json"), "w", encoding="utf-8") as file:
            json.dump(facts, file)
        if files is not None and os.path.isdir(files):
            shutil.copytree(files, os.path.join(directory, "files"))


def load(name):
    """The Result of PAYLOAD.KERNEL; None if its boot has not been run."""
    directory = os.path.join(places.RESULTS, name)
    try:
        with open(os.path.join(directory, "result.json"), encoding="utf-8") as file:
            result = Result(**json.load(file))
        for part in ("output", "console"):
            with open(os.path.join(directory, part), encoding="utf-8") as file:
                setattr(result, part, file.read())
        return result
    except FileNotFoundError:
        return None


def forget(boot):
    for payload in boot.payloads:
        shutil.rmtree(os.path.join(places.RESULTS, f"{payload.name}.{boot.kernel}"),
                      ignore_errors=True)


def run(boot, tell=None):
    """Runs a boot, in as many guests as its payloads bring down, and yields (payload, Result) as they
    come; each is kept as well."""
    forget(boot)
    missing = what_is_missing()
    if missing is not None:
        yield from _skipped(boot, missing)
        return
    try:
        kernel = kernels.fetch(boot.kernel, places.KERNELS)
    except kernels.NotToBeHad as error:
        yield from _skipped(boot, str(error))
        return
    left = []
    for payload in boot.payloads:
        try:
            initrd.check(payload, kernel, boot.kernel)
            left.append(payload)
        except initrd.Missing as error:
            yield _kept(boot, payload, Result(str(error)))
    in_vain = 0  # guests in a row that began no payload
    while left:
        with tempfile.TemporaryDirectory(prefix="dmremap-guest-") as files:
            try:
                done = machine.Guest(kernel, boot.kernel, left, files, tell).run()
            except initrd.Missing as error:
                done = machine.Run(trouble=str(error))
            _keep_console(boot, done)
            for section in done.sections:
                payload = next(p for p in left if p.name == section.name)
                left.remove(payload)
                result = Result(section.failure(), "", section.seconds,
                                "".join(f"{line}\n" for line in section.lines), section.console)
                yield _kept(boot, payload, result, os.path.join(files, section.name))
        in_vain = 0 if done.sections else in_vain + 1
        if in_vain == GUESTS_IN_VAIN:
            for payload in left:
                failure = f"no guest to run in: {done.trouble or 'it ended at once'}"
                yield _kept(boot, payload, Result(failure, console=done.console))
            return
        if in_vain:
            print(f"guest: another one for {boot.name}: {done.trouble or 'it ended at once'}", flush=True)


def _skipped(boot, reason):
    for payload in boot.payloads:
        yield _kept(boot, payload, Result(skipped=reason))


def _kept(boot, payload, result, files=None):
    result.save(os.path.join(places.RESULTS, f"{payload.name}.{boot.kernel}"), files)
    return payload, result


def _keep_console(boot, done):
    """All that the kernel printed, from its first line on; of the boot's last guest."""
    os.makedirs(places.RESULTS, exist_ok=True)
    with open(os.path.join(places.RESULTS, f"{boot.name}.console"), "w", encoding="utf-8") as file:
        file.write(done.console)


def report(name, result, with_output=True):
    """Says what became of a payload; its exit status as ctest wants it."""
    if result.skipped:
        return report_skipped(name, result.skipped)
    if result.failure:  # first, as what follows is long
        print(f"FAILED: {name}: {result.failure}")
    if with_output:
        print(result.output, end="")
    if result.failure:
        print(f"--- the kernel's console during {name}\n{result.console}\n---")
        print(f"FAILED: {name}: {result.failure}", flush=True)
        return 1
    print(f"passed: {name} ({result.seconds:.0f} s)", flush=True)
    return 0


def report_skipped(name, reason):
    """With CI=true it has failed: nobody sees a hole."""
    if os.environ.get("CI") == "true":
        print(f"FAILED: {name}: {reason} (with CI=true a skip is a failure)", flush=True)
        return 1
    print(f"SKIPPED: {name}: {reason}", flush=True)
    return support.SKIPPED
