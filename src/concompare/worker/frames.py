"""What goes over the direct lines, both ways: messages and answers with a head each."""

from __future__ import annotations

import socket
import struct

HEAD = struct.Struct("<QQB")
"""Header of a message or an answer: its number, the bytes that follow, and what they are."""

PLAIN, ERROR, BRIEF = 0, 1, 2
"""What a message or an answer is: a call or its result, an error, or one of a series (see `series`)."""

LEAST = 96
"""Bytes that a message has at the least, filled up: small ones are read at once."""

REHEARSAL = 0
"""The number of a message that wants no answer."""

AT_ONCE = 2**16
"""Bytes up to which head and body go out together."""

Received = tuple[int, int, bytearray]
"""A message: its number, its kind and its bytes."""


def send(line: socket.socket, number: int, kind: int, body: bytes) -> None:
    """Send an answer."""
    head = HEAD.pack(number, len(body), kind)
    if len(body) <= AT_ONCE:
        line.sendall(head + body)
    else:
        line.sendall(head)
        line.sendall(body)
