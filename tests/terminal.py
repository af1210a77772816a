# SPDX-License-Identifier: GPL-2.0-or-later
"""dmremap on a terminal: what a person sees while a verb works."""

import os
import pty
import subprocess
import threading

import support


def run(*args, expect=0):
    """All that the verb shows; `expect` as of support.run."""
    leader, follower = pty.openpty()
    seen = []

    def read():
        try:
            while data := os.read(leader, 4096):
                seen.append(data)
        except OSError:
            pass  # the verb has ended

    process = subprocess.Popen([support.DMREMAP, *args], stdin=follower, stdout=follower,
                               stderr=follower, start_new_session=True)
    os.close(follower)
    reader = threading.Thread(target=read)
    reader.start()
    exit_status = process.wait(timeout=300)
    reader.join()
    os.close(leader)
    text = b"".join(seen).decode(errors="replace")
    support.check(expect is None or exit_status == expect, f"exit {exit_status} of {args}: {text!r}")
    return text
