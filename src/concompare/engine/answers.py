"""Answers of workers taken in: values and exceptions as live objects, or why there are none."""

from __future__ import annotations

from typing import Any, Protocol

from concompare.engine.chunking import Chunk
from concompare.engine.item_errors import rebuild, short_repr, user_part, with_item
from concompare.engine.ordering import Settled, seconds_of_first
from concompare.engine.outcome import PassOptions
from concompare.errors import BackendUnavailable, CannotShip
from concompare.worker.chunk import Answer
from concompare.worker.transfer.pickling import text_of


class Buffers(Protocol):
    """Where the large parts of messages lie."""

    def forget(self, chunk: Chunk, *, held: bool = False) -> None:
        """Let go of what a chunk has used."""

    def take_refusal(self, chunk: Chunk, number: int) -> None:
        """Take note that a worker could not read what was offered for a chunk, with the number of its error."""


class Transport(Protocol):
    """What messages are sent by."""

    @property
    def buffers(self) -> Buffers:
        """Return where their large parts lie."""

    def open(self, chunk: Chunk, answer: Answer) -> tuple[list[Any], dict[str, Any]]:
        """Return an answer's values and names."""

    def must_send(self) -> None:
        """Send the function with every message from now on."""

    def not_loaded(self, kind: str, chunk: Chunk, detail: str) -> str:
        """Return one line on what a worker could not rebuild."""


Opened = tuple[list[Any], dict[int, BaseException], dict[str, Any]]
"""An answer's values, its exceptions by offset in the chunk, and the names that its items assigned."""

TRIES = 4
"""How often a chunk is sent at the most to workers that turn out to lack the function."""


def opened(transport: Transport | None, chunk: Chunk, answer: Answer, options: PassOptions) -> Settled:
    """Return an answer for its turn, as live objects; without a transport they are that already."""
    return settled(chunk, answer, live(answer) if transport is None else rebuilt(transport, chunk, answer), options)


def settled(chunk: Chunk, answer: Answer, found: Opened, options: PassOptions) -> Settled:
    """Return an answer for its turn, with the item noted on each exception."""
    values, errors, names = found
    items = {offset: chunk.items[offset] for offset in errors}
    for offset, error in errors.items() if options.named else ():
        with_item(error, options.place(chunk.first + offset), short_repr(items[offset]))
    return Settled(values, errors, names, answer.output, items, answer.reached, seconds_of_first(answer))


def live(answer: Answer) -> Opened:
    """Return what an answer of a thread holds."""
    errors = dict(answer.errors)
    for error in errors.values():
        error.with_traceback(user_part(error.__traceback__))
    return answer.values, errors, answer.names


def rebuilt(transport: Transport, chunk: Chunk, answer: Answer) -> Opened:
    """Return what the message of a worker holds, as live objects."""
    values, names = transport.open(chunk, answer)
    errors = {offset: rebuild(packed) for offset, packed in answer.errors}
    if chunk.lost is not None:
        errors = {offset: not_rebuilt(chunk) for offset in range(len(values))} | errors
    return values, errors, names


def not_rebuilt(chunk: Chunk) -> CannotShip:
    """Return the error of the items of a chunk whose results have come back and cannot be rebuilt."""
    last = chunk.first + len(chunk.items) - 1
    which = f"the result of item {last}" if last == chunk.first else f"a result of items {chunk.first} to {last}"
    why = f"{type(chunk.lost).__name__}: {text_of(chunk.lost)}"
    return CannotShip(
        f"{which} cannot be rebuilt from its pickle ({why}): give its class a `__reduce__`, return something plainer, "
        "or use -b threads"
    )


def can_be_sent_again(transport: Transport, chunk: Chunk, answer: Answer) -> bool:
    """Return whether a chunk that was not computed can be sent in another way: with its function, or as a copy."""
    assert answer.problem is not None
    kind, packed = answer.problem
    transport.buffers.forget(chunk)
    if kind == "memory":
        transport.buffers.take_refusal(chunk, packed)
        return True
    if kind == "need-function" and chunk.attempts < TRIES:
        transport.must_send()
        return True
    return False


def not_loaded(transport: Transport, chunk: Chunk, answer: Answer) -> CannotShip:
    """Return the error of a chunk, or its function, that its worker could not rebuild."""
    assert answer.problem is not None
    kind, packed = answer.problem
    detail = f"{packed['type']}: {packed['text']}" if packed else "it does not arrive"
    error = CannotShip(transport.not_loaded(kind, chunk, detail))
    error.__cause__ = rebuild(packed) if packed else None
    return error


def in_words(backend: str, error: Exception) -> Exception:
    """Return an executor's own error as one of ours where the executor is to blame."""
    if isinstance(error, BackendUnavailable):
        return error
    return BackendUnavailable(f"{backend}: {type(error).__name__}: {error}")
