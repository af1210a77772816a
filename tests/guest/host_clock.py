# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast this machine's time stamp counter counts. QEMU shows it to a guest as it is, and a guest's
kernel finds out its rate while it boots, by an emulated timer of 50 ms. On a loaded machine it then
believes in a counter of an eighth of the rate and lives eight times as fast: half a minute that a request
may take is over in four seconds. So it is told."""

import ctypes
import functools
import mmap
import time

# rdtsc; shl rdx, 32; or rax, rdx; ret
CODE = bytes.fromhex("0f31 48c1e220 4809d0 c3")
SPAN_S, TRIES = 0.2, 50


@functools.lru_cache(maxsize=1)
def counter_khz():
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(CODE)
        address = ctypes.c_char.from_buffer(page)
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(address))
        try:
            before = _pair(read)
            time.sleep(SPAN_S)
            after = _pair(read)
        finally:
            del address  # the page cannot go while it is looked at
    return round((after[1] - before[1]) * 1_000_000 / (after[0] - before[0]))


def _pair(read):
    """(ns, count) of one moment: of several pairs that with the least time in between."""
    pairs = []
    for _ in range(TRIES):
        begin = time.monotonic_ns()
        count = read()
        end = time.monotonic_ns()
        pairs.append((end - begin, (begin + end) // 2, count))
    return min(pairs)[1:]
