"""Answers of workers taken in: values and exceptions as live objects, or why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare.engine.chunking import Chunk
from concompare.engine.item_errors import rebuild, short_repr, user_part, with_item
from concompare.engine.ordering import Settled, seconds_of_first
from concompare.engine.outcome import PassOptions
from concompare.errors import BackendUnavailable, CannotShip
from concompare.worker.chunk import Answer

if TYPE_CHECKING:
    from concompare.engine.transport.transport import Transport


def opened(transport: Transport | None, chunk: Chunk, answer: Answer, options: PassOptions) -> Settled:
    """Return an answer's values and exceptions as live objects; without a transport they are that already."""
    if transport is None:
        values, names = answer.values, answer.names
        errors = dict(answer.errors)
        for error in errors.values():
            error.with_traceback(user_part(error.__traceback__))
    else:
        values, names = transport.open(chunk, answer)
        errors = {offset: rebuild(packed) for offset, packed in answer.errors}
        if chunk.lost is not None:
            from concompare.engine.transport.transport import not_rebuilt

            errors = {offset: not_rebuilt(chunk) for offset in range(len(values))} | errors
    items = {offset: chunk.items[offset] for offset in errors}
    for offset, error in errors.items() if options.named else ():
        with_item(error, options.place(chunk.first + offset), short_repr(items[offset]))
    return Settled(values, errors, names, answer.output, items, answer.reached, seconds_of_first(answer))


def can_be_sent_again(transport: Transport, chunk: Chunk, answer: Answer) -> bool:
    """Return whether a chunk that was not computed can be sent in another way: with its function, or as a copy."""
    assert answer.problem is not None
    kind, packed = answer.problem
    transport.forget(chunk)
    if kind == "memory":
        from concompare.engine.transport.lent_memory import take_refusal

        take_refusal(chunk.offered, packed)
        return True
    if kind == "need-function" and chunk.attempts < 4:
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
