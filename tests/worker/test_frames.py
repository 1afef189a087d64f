"""Messages with their heads on a line."""

from __future__ import annotations

import socket
import threading

import pytest

from concompare.worker.frames import AT_ONCE, HEAD, send


@pytest.mark.parametrize("size", [0, 5, AT_ONCE, AT_ONCE + 1, 3 * 2**20])
def test_an_answer_arrives_behind_its_head(size: int) -> None:
    here, there = socket.socketpair()
    body, data = bytes(range(256)) * (size // 256) + bytes(size % 256), bytearray()
    with here:
        with there:
            sending = threading.Thread(target=send, args=(there, 2**40, 2, body))
            sending.start()
            while len(data) < HEAD.size + size:
                data += here.recv(2**20)
            sending.join()
        assert here.recv(1) == b""
    assert HEAD.unpack_from(data) == (2**40, size, 2)
    assert data[HEAD.size :] == body
