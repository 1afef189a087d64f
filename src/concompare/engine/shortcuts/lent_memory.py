"""The notebook's own memory, offered to its workers: where a buffer lies, instead of a copy of it.

Linux lets a process read another one's memory with `process_vm_readv` where it could also debug it: that of the same
user's processes, but with Yama (Ubuntu) only of its own descendants. A process may name whom else it allows: then the
notebook names itself, and with that its descendants. Where nothing helps, buffers go by shared memory as elsewhere.
"""

from __future__ import annotations

import ctypes
import errno
import os
import pickle

from concompare.worker.transfer.pickling import LARGE_PICKLE, Parcel
from concompare.worker.transfer.process_memory import memory_of, system_call

PR_SET_PTRACER = 0x59616D61
"""Yama's request to let a process, and its descendants, read this one's memory ("Yama" in ASCII)."""

BEFORE, ALLOWED, REFUSED = 1, 2, 3
"""How far the notebook is: it has asked for nothing, it has named whom it allows, it offers nothing any more."""

STATE = [BEFORE]


class View(ctypes.Structure):
    """An object's memory as the interpreter describes it: `Py_buffer`, part of the stable ABI."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


def address_of(raw: memoryview) -> int:
    """Return where the bytes of a contiguous view lie in this process's memory."""
    view = View()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(raw), ctypes.byref(view), 0)
    try:
        return int(view.buf or 0)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))


def offering() -> int:
    """Return how far the notebook is with what it offers, 0 where it offers nothing."""
    return STATE[0] if STATE[0] != REFUSED and system_call() is not None else 0


WORTH = 2**17
"""Mean bytes of buffers from which it is quicker to tell where they lie than to copy them."""


def worth_offering(buffers: list[pickle.PickleBuffer]) -> bool:
    """Return whether workers should take these buffers themselves."""
    return bool(buffers) and sum(buffer.raw().nbytes for buffer in buffers) >= WORTH * len(buffers)


def is_large(item: object) -> bool:
    """Return whether an item is bytes, which make no buffers by themselves, and worth offering as one."""
    return type(item) is bytes and len(item) >= WORTH


def offer(data: bytes, buffers: list[pickle.PickleBuffer]) -> tuple[Parcel, list[memoryview]] | None:
    """Return a parcel that tells where a pickle's buffers lie, and the pickle itself if it is large.

    Returns:
        The parcel, and what has to be kept until it is answered; None where it holds nothing large.
    """
    raws = [buffer.raw() for buffer in buffers]
    large = len(data) >= LARGE_PICKLE
    if large:
        raws.insert(0, memoryview(data))
    if not raws:
        return None
    memory = memory_of(os.getpid())
    places = tuple((memory, address_of(raw), raw.nbytes) for raw in raws)
    return Parcel(None if large else data, places), raws


def take_refusal(how_far: int, number: int) -> None:
    """Take note that a worker could not read what was offered.

    Args:
        how_far: What `lent_memory` said when it was offered.
        number: The error's number.
    """
    if STATE[0] != how_far:
        return  # it was offered before
    STATE[0] = ALLOWED if how_far == BEFORE and number == errno.EPERM and allow_descendants() else REFUSED


def allow_descendants() -> bool:
    """Let this process's descendants read its memory, where the system asks for that; return whether it does."""
    try:
        return int(ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(os.getpid()), 0, 0, 0)) == 0
    except (TypeError, AttributeError, OSError):
        return False
