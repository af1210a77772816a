# SPDX-License-Identifier: GPL-2.0-or-later
"""Seals as bytes (docs/format.md): enough to make metadata of another version or none."""

import support

MAGIC = b"dm-remap"
SEAL_BYTES = 512
SLOT_SECTORS = 512


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def places(spare):
    """Byte offset of every seal, as `examine` finds them."""
    found = support.dmremap("examine", spare, "--json", expect=(0, 4)).json()
    copies = next(d["copies"] for d in found["devices"] if d["role"] == "spare")
    return [(copy["sector"] + slot * SLOT_SECTORS) * support.SECTOR
            for copy in copies for slot in (0, 1)]


def edit(spare, change, offsets):
    """Applies change(bytearray) to the seals at these offsets and seals them again."""
    with open(spare, "r+b") as file:
        for offset in offsets:
            file.seek(offset)
            seal = bytearray(file.read(SEAL_BYTES))
            support.check(seal[:8] == MAGIC, f"a seal at byte {offset}")
            change(seal)
            seal[508:512] = crc32c(bytes(seal[:508])).to_bytes(4, "little")
            file.seek(offset)
            file.write(seal)


def overwrite(spare, data, offsets):
    with open(spare, "r+b") as file:
        for offset in offsets:
            file.seek(offset)
            file.write(data)
