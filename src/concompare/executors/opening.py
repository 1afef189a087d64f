"""Sessions from the options of their executors, everything checked before anything starts."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from concompare import backends, machine
from concompare.backends.base import Counting
from concompare.backends.traits import is_plain
from concompare.errors import BadOption, UnknownBackend
from concompare.executors.session import Session

if TYPE_CHECKING:
    from concompare.backends import Backend

MOST = 10_000
"""Workers that can be asked for."""


def session_for(
    backend: str | concurrent.futures.Executor,
    workers: int | None,
    initializer: Callable[..., object] | None = None,
    arguments: tuple[Any, ...] = (),
    timeout: float | None = None,
    *,
    name: str,
    option: str = "max_workers",
    context: Any = None,
    seed: int | None = None,
    **how: Any,
) -> Session:
    """Return the session for these options, and others that it has; it starts its workers with the first call.

    Raises:
        BadOption: A value that cannot be used.
        UnknownBackend: No backend of that name, and no executor.
        BackendNotInstalled: The backend needs a package that is missing.
    """
    found = backend_of(backend if context is None else started_by(context, backend))
    if seed is not None and (not isinstance(seed, Integral) or isinstance(seed, bool)):
        raise BadOption(f"seed is {seed!r}: use a whole number")
    if workers is None:
        workers = found.capacity() if isinstance(found, Counting) else machine.usable_cpus()
    elif not isinstance(workers, Integral) or isinstance(workers, bool):
        raise BadOption(f"{option} is {workers!r}: use a whole number, or leave it out for all usable CPUs")
    elif workers < 1:
        raise BadOption(f"{option} must be greater than 0, and is {workers}: leave it out for all usable CPUs")
    elif workers > MOST:
        raise BadOption(f"{option} is {workers}: use at most {MOST}")
    if initializer is not None and not callable(initializer):
        raise BadInitializer(f"initializer must be a callable, and is {initializer!r}")
    if timeout is not None and not (isinstance(timeout, Real) and timeout > 0):
        raise BadOption(f"timeout is {timeout!r}: use a number of seconds above 0 for one call")
    how["seed"] = None if seed is None else int(seed)
    return Session(found, 1 if is_plain(found) else int(workers), initializer, tuple(arguments), timeout, name, **how)


def started_by(context: Any, backend: str | concurrent.futures.Executor) -> str:
    """Return the backend whose processes start as those of a context of `multiprocessing` do.

    Raises:
        BadOption: It is no such context, or the backend says something else.
    """
    start = getattr(context, "get_start_method", None)
    if start is None:
        raise BadOption(f"mp_context is {context!r}: use multiprocessing.get_context('spawn') or the like")
    method = str(start())
    if backend not in ("processes", method):
        raise BadOption(f"mp_context starts processes by {method!r} and backend is {backend!r}: give one of the two")
    return method


class BadInitializer(BadOption, TypeError):
    """Raised when an initializer cannot be called; the standard library's executors raise a TypeError."""


def backend_of(backend: str | concurrent.futures.Executor) -> Backend:
    """Return the backend of that name, or the one around an executor.

    Raises:
        UnknownBackend: It is "auto", which has to see the work, or no other backend either.
    """
    if not isinstance(backend, str):
        return backends.find("executor", {"executor": backend})
    if backend == "auto":
        raise UnknownBackend(
            "backend is 'auto', which chooses by all the work: name one here, such as 'processes' for what computes or "
            "'threads' for what waits. concompare.map and the magics have 'auto'"
        )
    return backends.find(backend)
