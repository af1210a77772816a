# SPDX-License-Identifier: GPL-2.0-or-later
"""A spare as bytes, by tools/read-metadata: what a test needs to damage metadata, or to make some
of another version, and to seal it again."""

import importlib.machinery
import importlib.util
import os
import struct

import support

READER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                      "tools", "read-metadata")


def _load_reader():
    loader = importlib.machinery.SourceFileLoader("read_metadata", READER)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


reader = _load_reader()

SEAL_BYTES = 512
SLOT_BYTES = reader.SLOT_SECTORS * support.SECTOR
COPY_BYTES = reader.COPY_SECTORS * support.SECTOR


def copy_offsets(size):
    """Byte offset of each of the eight copies on a spare made with `size` bytes."""
    return [sector * support.SECTOR for sector in reader.copy_positions(size // support.SECTOR)]


def places(spare):
    """Byte offset of every seal, slots A and B of one copy after the other."""
    return [copy + slot * SLOT_BYTES for copy in copy_offsets(os.path.getsize(spare))
            for slot in (0, 1)]


def reseal(image, offset):
    """Gives the seal at a byte offset of a bytearray the checksum that fits."""
    crc = reader.crc32c(bytes(image[offset:offset + SEAL_BYTES - 4]))
    image[offset + SEAL_BYTES - 4:offset + SEAL_BYTES] = crc.to_bytes(4, "little")


def body_place(seal, offset):
    """Where in the image a byte of the body's stream lies, by the byte offset of the slot's seal."""
    return seal + reader.BLOCK + offset // reader.PAYLOAD * reader.BLOCK + 16 + offset % reader.PAYLOAD


def reseal_body(image, seal):
    """Gives a body that was changed the checksums that fit, of all levels, and its seal too."""
    block_bytes = reader.BLOCK
    body = seal + block_bytes
    end = body + int.from_bytes(image[seal + 216:seal + 220], "little") * block_bytes
    stream = b"".join(image[at + 16:at + block_bytes] for at in range(body, end, block_bytes))
    for entry in range(256, 384, 32):
        at, count = struct.unpack_from("<II", stream, entry + 4)
        struct.pack_into("<I", image, body_place(seal, entry + 12),
                         reader.crc32c(stream[at:at + count]))
    for block in range(body, end, block_bytes):
        crc = reader.crc32c(bytes(image[block + 4:block + block_bytes]))
        struct.pack_into("<I", image, block, crc)
    struct.pack_into("<I", image, seal + 220, reader.crc32c(bytes(image[body:end])))
    reseal(image, seal)


def set_request_deadline(spare, ms):
    """Gives a stopped set's policy another deadline: the first field of the configuration, in every
    slot. A test that has to wait for the deadline need not wait for the half minute of the default."""
    with open(spare, "r+b") as file:
        image = bytearray(file.read())
        for seal in places(spare):
            if image[seal:seal + 8] != b"dm-remap":
                continue
            header = bytes(image[body_place(seal, at)] for at in range(256, 384))
            kinds = [struct.unpack_from("<HHI", header, at) for at in range(0, 128, 32)]
            at = next(offset for kind, _, offset in kinds if kind == reader.CONFIGURATION)
            struct.pack_into("<I", image, body_place(seal, at), ms)
            reseal_body(image, seal)
        file.seek(0)
        file.write(image)


def edit(spare, change, offsets):
    """Applies change(bytearray) to the seals at these offsets and seals them again."""
    with open(spare, "r+b") as file:
        for offset in offsets:
            file.seek(offset)
            seal = bytearray(file.read(SEAL_BYTES))
            support.check(seal[:8] == b"dm-remap", f"a seal at byte {offset}")
            change(seal)
            reseal(seal, 0)
            file.seek(offset)
            file.write(seal)


def overwrite(spare, data, offsets):
    with open(spare, "r+b") as file:
        for offset in offsets:
            file.seek(offset)
            file.write(data)
