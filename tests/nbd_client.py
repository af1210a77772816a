# SPDX-License-Identifier: GPL-2.0-or-later
"""An NBD client that says what it wants and sees what the server answers, errno and all.

    with nbd_client.Client("/run/x.nbd") as disk:
        disk.write(0, data, fua=True)
        with support.expect_errno(errno.EIO):
            disk.read(4096, 512)

Fixed newstyle, simple replies (github.com/NetworkBlockDevice/nbd, doc/proto.md)."""

import errno
import os
import socket
import struct

_OPTION_MAGIC, _REPLY_MAGIC = 0x49484156454F5054, 0x3E889045565A9
_REQUEST_MAGIC, _ANSWER_MAGIC = 0x25609513, 0x67446698
_OPT_GO, _REP_ACK, _REP_INFO = 7, 1, 3
_INFO_EXPORT, _INFO_BLOCK_SIZE = 0, 3
_READ, _WRITE, _DISCONNECT, _FLUSH, _TRIM, _ZERO = 0, 1, 2, 3, 4, 6
FUA, NO_HOLE, FAST_ZERO = 1, 2, 16
READ_ONLY, SEND_FAST_ZERO, MULTI_CONN = 1 << 1, 1 << 11, 1 << 8
# The protocol's numbers are Linux's but for these names of one number.
_ERRORS = {95: errno.EOPNOTSUPP, 108: errno.ESHUTDOWN}


class Client:
    """One connection; one request at a time. A failed request is an OSError."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(300)
        self.socket.connect(path)
        self.handle = 0
        self.block_sizes = None
        self._negotiate()

    def _negotiate(self):
        hello = self._receive(18)
        assert hello[:16] == b"NBDMAGICIHAVEOPT", hello
        self.socket.sendall(struct.pack(">I", 3))  # fixed newstyle, no zeroes
        wanted = struct.pack(">IHH", 0, 1, _INFO_BLOCK_SIZE)
        self.socket.sendall(struct.pack(">QII", _OPTION_MAGIC, _OPT_GO, len(wanted)) + wanted)
        while True:
            magic, _option, kind, length = struct.unpack(">QIII", self._receive(20))
            assert magic == _REPLY_MAGIC
            data = self._receive(length)
            if kind == _REP_ACK:
                return
            if kind != _REP_INFO:
                raise ConnectionRefusedError(f"the server refused: {kind:#x} {data!r}")
            what = struct.unpack(">H", data[:2])[0]
            if what == _INFO_EXPORT:
                self.size, self.flags = struct.unpack(">QH", data[2:])
            elif what == _INFO_BLOCK_SIZE:
                self.block_sizes = struct.unpack(">III", data[2:])

    def _receive(self, count):
        parts = []
        while count:
            part = self.socket.recv(count)
            if not part:
                raise ConnectionResetError("the server closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _request(self, command, offset, length, flags=0, data=b"", answer=0):
        self.handle += 1
        self.socket.sendall(struct.pack(">IHHQQI", _REQUEST_MAGIC, flags, command, self.handle,
                                        offset, length) + data)
        magic, error, handle = struct.unpack(">IIQ", self._receive(16))
        assert (magic, handle) == (_ANSWER_MAGIC, self.handle)
        if error:
            number = _ERRORS.get(error, error)
            raise OSError(number, os.strerror(number))
        return self._receive(answer)

    def read(self, offset, length):
        return self._request(_READ, offset, length, answer=length)

    def write(self, offset, data, fua=False):
        self._request(_WRITE, offset, len(data), FUA if fua else 0, data)

    def flush(self):
        self._request(_FLUSH, 0, 0)

    def trim(self, offset, length, fua=False):
        self._request(_TRIM, offset, length, FUA if fua else 0)

    def zero(self, offset, length, flags=0):
        self._request(_ZERO, offset, length, flags)

    def close(self):
        if self.socket.fileno() >= 0:
            try:
                self.socket.sendall(struct.pack(">IHHQQI", _REQUEST_MAGIC, 0, _DISCONNECT, 0, 0, 0))
            except OSError:
                pass  # it went first
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_what):
        self.close()
