# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demo prints: steps and events while it runs, two columns and the checks at its end."""

import contextlib
import sys
import threading
import time

EVENTS_SHOWN_PER_STEP = 12


class Console:
    """Whole lines only: events come from another thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._events = 0

    def line(self, text="", indent=2):
        with self._lock:
            self._print(text, indent)

    def _print(self, text, indent):
        print(" " * indent + text if text else "", flush=True)

    def title(self, text):
        elapsed = time.monotonic() - self._began
        self.line()
        self.line(f"== {text}  [{elapsed:.0f} s]", indent=0)

    def fault(self, text):
        self.line(f"!! {text}")

    def command(self, text):
        self.line(f"$ {text}")

    def said(self, text):
        for line in text.splitlines():
            self.line(line, indent=4)

    def event(self, text):
        with self._lock:
            self._events += 1
            if self._events <= EVENTS_SHOWN_PER_STEP:
                self._print(f"| {text}", 6)

    @contextlib.contextmanager
    def step(self, text, errors=None):
        """Prints the step, and at its end how long it took and what it met. `errors()` gives the
        counts so far of failed reads, failed writes, operations refused as read-only."""
        self.line(f"-- {text}")
        before = errors() if errors else (0, 0, 0)
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        after = errors() if errors else (0, 0, 0)
        met = [f"{b - a} {what}" for a, b, what in
               zip(before, after, ("failed reads", "failed writes", "refused: read-only"))
               if b > a]
        with self._lock:
            hidden = self._events - EVENTS_SHOWN_PER_STEP
            if hidden > 0:
                self._print(f"| ... and {hidden} more events", 6)
            self._events = 0
            self._print(f"{took:.1f} s, {', '.join(met) or 'no error'}", 5)


def columns(bare, remapped):
    """The two columns, as text."""
    rows = [("", bare.title, remapped.title)]

    def row(label, value):
        rows.append((label, value(bare), value(remapped)))

    row("EIO seen while writing", lambda lane: str(lane.work.outcome.eio_writes()))
    row("EIO seen while reading", lambda lane: str(lane.work.outcome.eio_reads()))
    row("remounted read-only", lambda lane: "yes" if lane.read_only_since else "no")
    row("operations refused after that", lambda lane: str(lane.work.outcome.refused_read_only))
    row("e2fsck -f -n afterwards", lambda lane: "clean" if lane.fsck_clean else "errors")
    row("files whole", lambda lane: str(len(lane.comparison.whole)))
    row("files lost (missing, or EIO)",
        lambda lane: str(len(lane.comparison.lost) + len(lane.comparison.missing)))
    row("files wrong, and no error", lambda lane: str(len(lane.comparison.wrong)))
    row("fio blocks not as written", lambda lane: _or_dash(lane.fio_damaged))
    row("longest stall of one call",
        lambda lane: f"{lane.work.outcome.longest_stall * 1000:.0f} ms")
    return "\n".join(f"  {a:<32}{b:>12}{c:>12}" for a, b, c in rows)


def _or_dash(value):
    return "-" if value is None else str(value)


def losses(lane, shown=8):
    """The lost and wrong files of a lane by name, as lines."""
    found = lane.comparison
    named = ([f"lost     {name}" for name in found.lost]
             + [f"missing  {name}" for name in found.missing]
             + [f"WRONG    {name}" for name in found.wrong])
    more = [f"... and {len(named) - shown} more"] if len(named) > shown else []
    return named[:shown] + more


def checks(console, results):
    """Prints [(held, what)] and says whether all held."""
    for held, what in results:
        console.line(f"{'ok    ' if held else 'FAILED'}  {what}")
    fine = all(held for held, _ in results)
    console.line()
    console.line("every check held" if fine else "A CHECK FAILED", indent=0)
    sys.stdout.flush()
    return fine
