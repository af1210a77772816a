#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`monitor` tells people once of each thing that gets worse, by mail, a program, hooks and syslog, and
neither a program that hangs or fails nor a set that does not answer keeps it from the rest."""

import os
import signal
import socket
import subprocess
import time

import product
import support
from support import check, equal, wait_until


def script(t, name, text, mode=0o755):
    path = t.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, mode)
    return path


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def recorder(t, name):
    """A program that writes down its arguments, each call a line; and the file it writes to."""
    out = t.path(name + ".said")
    return script(t, name, f'IFS="|"; echo "$*" >> {out}\n'), out


class Monitor:
    """`dmremap monitor` in the background."""

    def __init__(self, t, *options, hooks=""):
        self.out, self.err = t.path("monitor.out"), t.path("monitor.err")
        with open(self.out, "w", encoding="utf-8") as out, \
                open(self.err, "w", encoding="utf-8") as err:
            self.process = subprocess.Popen(
                [support.DMREMAP, "monitor", "--hooks", hooks, *options], stdout=out, stderr=err)
        t.cleanup.push(self.end)

    def wait_for(self, path, text):
        def there():
            check(self.process.poll() is None, f"the monitor runs on: {lines_of(self.err)}")
            return [line for line in lines_of(path) if text in line]
        return wait_until(there, f"`{text}` in {path}")[0]

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=100)


def _set(t, name):
    disk = t.lab(size="16MiB")
    dm = product.Product(t, disk.path, t.path(name))
    dm.create("--spare-size", "16MiB")
    return disk, dm


def follows_all_sets(t):
    """Sets that start later, a condition that comes and goes, a death; each once."""
    program, said = recorder(t, "program")
    mailer, mails = script(t, "sendmail", f'echo "CALLED $*" >> {t.path("mails")}; '
                                          f'cat >> {t.path("mails")}\n'), t.path("mails")
    monitor = Monitor(t, "--program", program, "--mail", "admin@example.org", "--from", "disk@here",
                      "--sendmail", mailer, "--mail-every", "0")
    disk, dm = _set(t, "spare")
    dm.start("fuse")
    monitor.wait_for(said, f"SetStarted|{dm.name}")
    disk.fault("read", "64+8")
    dm.run("remap", dm.name, "64+8")
    equal(monitor.wait_for(said, "DataLost"), f"DataLost|{dm.name}|8 sectors are lost or gone", "loss")
    disk.clear()
    support.write_sectors(dm.device, 64, support.pattern(64, 8))
    monitor.wait_for(said, f"DataLostOver|{dm.name}")
    dm.run("remap", dm.name, "128+8")
    remapped = dm.status()["remapped_sectors"]
    monitor.wait_for(said, f"SectorsRemapped|{dm.name}|{remapped} sectors are remapped")
    dm.kill()
    check("is gone" in monitor.wait_for(said, f"SetDied|{dm.name}"), "how it died")
    dm.start("fuse")
    wait_until(lambda: sum("SetStarted" in line for line in lines_of(said)) == 2, "the second start")
    dm.stop()
    monitor.wait_for(said, f"SetStopped|{dm.name}")
    equal(monitor.end(), 0, "exit")
    told = [line.split("|")[0] for line in lines_of(said)]
    # What is written to lost sectors may go to the spare, too; and a disk may be judged meanwhile.
    equal([event for event in told if event != "SectorsRemapped" and not event.startswith("Verdict")],
          ["SetStarted", "DataLost", "DataLostOver", "SetDied", "SetStarted", "SetStopped"],
          "each once, in order")
    text = "\n".join(lines_of(mails))
    check("CALLED -t\n" in text, f"as sendmail is called: {text}")
    for event in ("DataLost", "DataLostOver", "SetDied"):
        equal(text.count(f"Z  {event} {dm.name}"), 1, f"mailed once: {event} in {text}")
    for wanted in ("To: admin@example.org", "From: disk@here", f"Subject: dm-remap: DataLost {dm.name}",
                   f"DataLostOver {dm.name}", f"SetDied {dm.name}: process"):
        check(wanted in text, f"{wanted}: {text}")
    check("SetStopped" not in text, "a stop is not mailed")
    equal(lines_of(monitor.err), [], "stderr")


def programs_in_trouble(t):
    """A mail program that hangs and a program that fails: one line each, and all else arrives."""
    hooks = t.path("hooks")
    os.mkdir(hooks)
    os.chmod(t.dir, 0o755)
    said = t.path("hook.said")
    script(t, "hooks/10-hook", f'echo "$1 $2" >> {said}\n')
    script(t, "hooks/20-open-to-all", f'echo "wrong" >> {said}\n', mode=0o777)
    failing = script(t, "failing", "echo no paper >&2; exit 3\n")
    hanging = script(t, "hanging", "sleep 600\n")
    monitor = Monitor(t, "--program", failing, "--mail", "root", "--sendmail", hanging,
                      "--deadline", "2", "--mail-every", "0", hooks=hooks)
    disk, dm = _set(t, "spare2")
    dm.start("fuse")
    disk.fault("read", "64+8")
    dm.run("remap", dm.name, "64+8")
    monitor.wait_for(said, f"DataLost {dm.name}")
    monitor.wait_for(monitor.err, "was not done after 2 s, and was killed")
    disk.clear()
    support.write_sectors(dm.device, 64, support.pattern(64, 8))
    monitor.wait_for(said, f"DataLostOver {dm.name}")
    dm.stop()
    monitor.end()
    errors = lines_of(monitor.err)
    mail = [line for line in errors if "mail to root was not sent (DataLost" in line]
    equal(len(mail), 2, f"a line for each mail: {errors}")
    for event in ("SetStarted", "DataLost", "DataLostOver"):
        told = [line for line in errors if f": {event} of {dm.name} was not told: ended with status 3: "
                                           "no paper" in line]
        equal(len(told), 1, f"a line for each event that the program was not told: {errors}")
    equal(sum("20-open-to-all: is not called: others may change it" in line for line in errors), 1,
          f"a program that others may change: {errors}")
    check("wrong" not in lines_of(said), "it was not called")


def silent_set(t):
    """A process that does not answer is told, and holds up no other set."""
    program, said = recorder(t, "program3")
    _, stuck = _set(t, "spare3")
    disk, other = _set(t, "spare4")
    stuck.start("fuse")
    other.start("fuse")
    monitor = Monitor(t, "--program", program)
    pid = stuck.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    t.cleanup.push(_continue, pid)
    begun = time.monotonic()
    disk.fault("read", "64+8")
    other.run("remap", other.name, "64+8")
    monitor.wait_for(said, f"DataLost|{other.name}")
    equal([line for line in lines_of(said) if stuck.name in line], [], "before the other's deadline")
    print(f"the other set is told after {time.monotonic() - begun:.1f} s", flush=True)
    monitor.wait_for(said, f"NoAnswer|{stuck.name}|no answer in time")
    done = support.dmremap("monitor", "--oneshot", "--hooks", "", expect=4)
    check(f"NoAnswer {stuck.name}" in done.out and f"DataLost {other.name}" in done.out, f"{done}")
    os.kill(pid, signal.SIGCONT)
    monitor.wait_for(said, f"AnswersAgain|{stuck.name}")
    monitor.end()
    stuck.stop()
    other.stop()


def _continue(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def once(t):
    """--oneshot and --test."""
    program, said = recorder(t, "program5")
    quiet = ("--hooks", "", "--program", program)
    support.dmremap("monitor", "--oneshot", *quiet)
    support.dmremap("monitor", "--test", *quiet)
    equal(lines_of(said)[-1].split("|")[:2], ["TestMessage", "-"], "before there is a set")
    disk, dm = _set(t, "spare5")
    dm.start("fuse")
    done = support.dmremap("monitor", "--oneshot", *quiet)
    equal((done.out, done.err, len(lines_of(said))), ("", "", 1), "nothing to tell")
    disk.fault("read", "64+8")
    dm.run("remap", dm.name, "64+8")
    for times in (1, 2):
        support.dmremap("monitor", "--oneshot", *quiet, expect=4)
        equal(lines_of(said).count(f"DataLost|{dm.name}|8 sectors are lost or gone"), times,
              "what holds now")
    support.dmremap("monitor", "--test", *quiet)
    equal(lines_of(said)[-1].split("|")[:2], ["TestMessage", dm.name], "a test for each set")
    failing = script(t, "failing5", "exit 1\n")
    done = support.dmremap("monitor", "--test", "--hooks", "", "--program", failing, expect=1)
    check("ended with status 1" in done.one_line_error(), f"{done}")
    dm.stop()


def wrong_programs(t):
    """What cannot work is said at once, in a line."""
    plain = t.path("plain")
    with open(plain, "w", encoding="ascii") as file:
        file.write("no program\n")
    for options, exit, text in [
            (("--program", t.path("none")), 1, "No such file"),
            (("--program", plain), 1, "no program that may be executed"),
            (("--program", t.dir), 1, "no program that may be executed"),
            (("--mail", "root", "--sendmail", t.path("none")), 1, "mail cannot be sent"),
            (("--mail", "a b"), 2, "no mail address"),
            (("--mail", "a\nBcc: all@example.org"), 2, "no mail address"),
            (("--deadline", "0"), 2, "--deadline"), (("--mail-every", "soon"), 2, "--mail-every"),
            (("--oneshot", "--test"), 2, "excludes")]:
        done = support.dmremap("monitor", "--hooks", "", *options, expect=exit)
        check(text in done.one_line_error(), f"{text}: {done}")


def to_syslog(t):
    """Lines for syslog(3), with their levels, at the place where it writes to."""
    place = "/dev/log"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(100)
    if os.path.exists(place):
        listener.bind(t.path("log"))
        wrapper = ["unshare", "--mount", "sh", "-c",
                   f'mount --bind {t.path("log")} "$(readlink -f {place})" && exec "$@"', "sh"]
    else:
        listener.bind(place)
        t.cleanup.push(os.unlink, place)
        wrapper = []
    done = support.run(*wrapper, support.DMREMAP, "monitor", "--test", "--syslog", "--hooks", "")
    equal((done.out, done.err), ("", ""), "and nowhere else")
    line = listener.recv(4096).decode()
    check(line.startswith("<30>") and "dmremap[" in line and "TestMessage -: this is a test" in line,
          f"facility daemon, level info: {line}")


def monitor_verb(t):
    for situation in (once, wrong_programs, to_syslog, follows_all_sets, programs_in_trouble,
                      silent_set):
        print(situation.__name__, flush=True)
        situation(t)


os.environ.pop("MAILADDR", None)
support.run_test(monitor_verb, root=True, fuse=True, programs=["unshare"])
