# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C and its kin, as an exception that never comes between putting something up and noting that
it must be taken down."""

import contextlib
import signal
import time

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_deferring = False
_pending = False


class Interrupted(Exception):
    """Take everything down and leave."""


def _on_signal(_number, _frame):
    global _pending
    if _deferring:
        _pending = True
    else:
        raise Interrupted


def enable():
    for number in _SIGNALS:
        signal.signal(number, _on_signal)


def ignore():
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def follows():
    """Ctrl-C reaches the programs we run as well as us, and one that died of it may be noticed
    first. Whether a signal explains a failure: it is here or comes at once."""
    try:
        time.sleep(1)
    except Interrupted:
        return True
    return False


@contextlib.contextmanager
def deferred():
    """A signal in the block is raised at its end. Not to be nested."""
    global _deferring, _pending
    _deferring = True
    try:
        yield
    finally:
        _deferring = False
        if _pending:
            _pending = False
            raise Interrupted
