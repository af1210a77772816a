#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`metrics`: text that promtool finds fault with nowhere, on stdout, by HTTP and in a file that is
replaced whole; and the alert rules and the dashboard ask for nothing that is not there."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import product
import support
from support import check, equal, wait_until

PACKAGING = os.path.join(support.ROOT, "packaging")


def samples(text):
    """{'name{labels}': value}"""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if line and not line.startswith("#")}


def promtool(text):
    done = support.run("promtool", "check", "metrics", input=text, expect=None)
    equal((done.exit, done.out, done.err), (0, "", ""), "what promtool says")


def names_in(expression):
    return set(re.findall(r"\bdmremap_[a-z0-9_]+", expression))


def in_a_set(t):
    disk = t.lab(size="16MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    promtool(support.dmremap("metrics").out)
    dm.start("fuse")
    disk.fault("read", "64+8")
    dm.run("remap", dm.name, "64+8")
    dm.run("remap", dm.name, "128+16")
    text = support.dmremap("metrics").out
    promtool(text)
    found = samples(text)
    of = f'set="{dm.name}"'
    for sample, value in [(f"dmremap_set_up{{{of}}}", 1), (f"dmremap_set_attention{{{of}}}", 1),
                          (f'dmremap_set_state{{{of},state="degraded"}}', 1),
                          (f'dmremap_set_state{{{of},state="healthy"}}', 0),
                          (f'dmremap_condition{{{of},condition="data-lost"}}', 1),
                          (f'dmremap_condition{{{of},condition="tripped"}}', 0),
                          (f'dmremap_sectors{{{of},state="lost"}}', 8),
                          (f'dmremap_sectors{{{of},state="remapped"}}', 16),
                          (f'dmremap_spare_bytes{{{of},state="used"}}', 16 * support.SECTOR),
                          (f"dmremap_size_bytes{{{of}}}", 16 * support.MIB)]:
        equal(found.get(sample), value, sample)
    check(found[f'dmremap_errors_total{{{of},device="main",op="read"}}'] > 0, "errors of main")
    return dm, text


def nothing_else_is_asked_for(text):
    there = {sample.partition("{")[0] for sample in samples(text)}
    with open(os.path.join(PACKAGING, "grafana/dm-remap.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    asked = set().union(*(names_in(target["expr"]) for panel in dashboard["panels"]
                          for target in panel.get("targets", [])))
    check(len(asked) >= 8, f"the dashboard asks for something: {asked}")
    variables = [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    for query in variables:
        asked |= names_in(query if isinstance(query, str) else query["query"])
    with open(os.path.join(PACKAGING, "prometheus/dm-remap.rules.yml"), encoding="utf-8") as file:
        rules = "".join(line for line in file if not line.lstrip().startswith("#"))
    asked |= names_in(rules)
    # The verdict is not given by every set.
    unknown = {name for name in asked - there if not name.startswith("dmremap_health_")}
    equal(unknown, set(), "metrics that are asked for and are not there")


def start_server(t, *options):
    server = subprocess.Popen([support.DMREMAP, "metrics", "--listen", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.cleanup.push(server.kill)
    return server, server.stdout.readline().strip()


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:
        return answer.headers, answer.read().decode()


def by_http(t, dm):
    server, url = start_server(t, "0")
    check(re.fullmatch(r"http://127\.0\.0\.1:\d+/metrics", url), f"on this machine only: {url}")
    headers, text = get(url)
    check(headers["Content-Type"].startswith("text/plain; version=0.0.4"), f"{headers}")
    promtool(text)
    equal(samples(text)[f'dmremap_set_up{{set="{dm.name}"}}'], 1, "the set answers")
    equal(get(url, "HEAD")[1], "", "HEAD")
    for method, path, status in (("GET", "/", 404), ("POST", "/metrics", 405)):
        try:
            get(url.removesuffix("/metrics") + path, method)
            check(False, f"{method} {path} is refused")
        except urllib.error.HTTPError as error:
            equal(error.code, status, f"{method} {path}")
    port = re.search(r":(\d+)/", url).group(1)
    done = support.dmremap("metrics", "--listen", f"127.0.0.1:{port}", expect=1)
    check("Address already in use" in done.one_line_error(), f"a port in use: {done}")

    pid = dm.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: samples(get(url)[1])[f'dmremap_set_up{{set="{dm.name}"}}'] == 0,
                   "a set that does not answer is one that is down")
    finally:
        os.kill(pid, signal.SIGCONT)
    # A client that never asks holds up nobody.
    idle = socket.create_connection(("127.0.0.1", int(port)))
    get(url)
    idle.close()
    server.terminate()
    equal(server.wait(timeout=60), 0, "ends when it is told to")
    equal(server.stderr.read(), "", "stderr")


def wrong_addresses():
    for address in ("", "nowhere", "127.0.0.1:", "127.0.0.1:99999", "::1:80", "127.0.0.1:80x",
                    "no-such-host.invalid:80"):
        if address:
            support.dmremap("metrics", "--listen", address, expect=2).one_line_error()
    support.dmremap("metrics", "--listen", "192.0.2.1:9732", expect=1).one_line_error()
    support.dmremap("metrics", "--listen", "1", "--textfile", "x", expect=2).one_line_error()


def in_a_file(t):
    path = t.path("textfile/dm-remap.prom")
    os.mkdir(t.path("textfile"))
    support.dmremap("metrics", "--textfile", path)
    equal(os.stat(path).st_mode & 0o777, 0o666 & ~_umask(), "others may read it")
    with open(path, encoding="utf-8") as file:
        promtool(file.read())
    before = os.stat(path).st_ino
    support.dmremap("metrics", "--textfile", path)
    check(os.stat(path).st_ino != before, "is replaced, not written over")
    equal(os.listdir(t.path("textfile")), ["dm-remap.prom"], "and nothing is left beside it")
    support.dmremap("metrics", "--textfile", t.path("none/x.prom"), expect=1).one_line_error()
    support.dmremap("metrics", "--textfile", t.dir, expect=2).one_line_error()

    backing = t.image("small.img", "2MiB")
    support.run("mkfs.ext4", "-q", "-F", "-m", "0", backing)
    point = t.mount(t.loop(backing), "small")
    full = os.path.join(point, "dm-remap.prom")
    support.dmremap("metrics", "--textfile", full)
    with open(full, encoding="utf-8") as file:
        kept = file.read()
    with open(os.path.join(point, "filler"), "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    done = support.dmremap("metrics", "--textfile", full, expect=1)
    check("No space left" in done.one_line_error(), f"a full disk: {done}")
    with open(full, encoding="utf-8") as file:
        equal(file.read(), kept, "the old file is as it was")
    equal(sorted(os.listdir(point)), ["dm-remap.prom", "filler", "lost+found"], "nothing half done")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def metrics(t):
    dm, text = in_a_set(t)
    nothing_else_is_asked_for(text)
    by_http(t, dm)
    wrong_addresses()
    in_a_file(t)
    dm.kill()
    promtool(support.dmremap("metrics").out)
    found = samples(support.dmremap("metrics").out)
    equal(found[f'dmremap_condition{{set="{dm.name}",condition="died"}}'], 1, "a set that died")


support.run_test(metrics, root=True, fuse=True, loop=True, programs=("promtool", "mkfs.ext4"))
