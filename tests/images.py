# SPDX-License-Identifier: GPL-2.0-or-later
"""PNG files of 8 bits a channel, RGB or RGBA, and the colours in them (PNG specification, sections 5
and 9)."""

import struct
import zlib

from support import check, equal


class Png:
    def __init__(self, data):
        equal(data[:8], b"\x89PNG\r\n\x1a\n", "a PNG")
        self.width, self.height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
        check(depth == 8 and kind in (2, 6) and interlaced == 0,
              f"8 bits, RGB or RGBA: {depth}, {kind}, {interlaced}")
        self._step = 3 if kind == 2 else 4
        at, packed = 8, b""
        while at < len(data):
            length, = struct.unpack(">I", data[at:at + 4])
            if data[at + 4:at + 8] == b"IDAT":
                packed += data[at + 8:at + 8 + length]
            at += 12 + length
        self._raw = zlib.decompress(packed)

    def colors(self, every=4):
        """How many pixels of every so manieth line have each colour."""
        step, stride = self._step, self._step * self.width
        counts, before = {}, bytearray(stride)
        for row in range(self.height):
            at = row * (stride + 1)
            line = _unfiltered(self._raw[at], self._raw[at + 1:at + 1 + stride], before, step)
            before = line
            if row % every == 0:
                for i in range(0, stride, step):
                    color = tuple(line[i:i + 3])
                    counts[color] = counts.get(color, 0) + 1
        return counts


def _predicted(method, left, up, corner):
    if method == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[method]


def _unfiltered(method, raw, before, step):
    line = bytearray(raw)
    if method == 2 and not any(line):
        return bytearray(before)
    if method != 0:
        for i in range(len(line)):
            left, corner = (line[i - step], before[i - step]) if i >= step else (0, 0)
            line[i] = line[i] + _predicted(method, left, before[i], corner) & 0xFF
    return line
