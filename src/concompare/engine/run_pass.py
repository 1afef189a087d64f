"""The one way into a pass: in the calling thread for the plain loop, over a pool's workers for all else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from concompare.engine.outcome import Outcome, PassOptions
from concompare.engine.pool_pass import PassRun
from concompare.engine.pools.leasing import lease
from concompare.engine.pools.limits import limits
from concompare.engine.pools.pool import Pool
from concompare.engine.process_state import refuse_in_threads

HERE = threading.local()


@contextmanager
def going_on() -> Iterator[None]:
    """Note that this thread is inside a pass."""
    HERE.passes = getattr(HERE, "passes", 0) + 1
    try:
        yield
    finally:
        HERE.passes -= 1


def can_begin() -> bool:
    """Tell whether a pass may begin here: in the main thread of a process that is nobody's worker, in no other pass."""
    main = threading.current_thread() is threading.main_thread()
    known = sys.modules.get("multiprocessing.process")  # a worker has loaded it
    return main and not getattr(HERE, "passes", 0) and (known is None or known.parent_process() is None)


def can_look() -> bool:
    """Tell whether it can be seen here at which of the user's lines the items of a pass are."""
    from concompare.worker.line_sampler import can_look as can

    return can()


def run_pass(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    pool: Pool,
    options: PassOptions = PassOptions(),  # noqa: B008 - frozen
    *,
    count: int | None = None,
    on_value: Callable[[int, Any], Any] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Compute the function for every item once, on the pool's workers.

    Args:
        function: Takes an item and returns its value; a pair (value, names) where `options.temporaries` are asked for.
        items: Any iterable, consumed as needed.
        pool: From `lease()`.
        options: How.
        count: Number of items, where `items` has no length.
        on_value: Called with (position, value) in item order, in the calling thread, as results arrive; a true return
            value ends the pass. If it has an attribute `many`, runs of results may be handed to that instead, as
            (first position, values).
        clock: Seconds, as `time.perf_counter`.

    Returns:
        Values in input order, and what it took.

    Raises:
        Interrupted: The user interrupted the kernel.
        CannotShip: The function or an item cannot be sent. (A result that cannot is its item's TypeError.)
        BackendUnavailable: It would run in several threads, and changes what they share.
        BaseException: The first failing item's own exception, in input order, with `on_error="stop"`.
    """
    if options.timeout is not None:
        pool.refuse_limit(options.timeout)

    if pool.backend.isolation == "thread" and pool.workers > 1:
        refuse_in_threads(function, pool.backend.name)

    # Else whoever asks would live as long as the outcome, and the file is closed by then.
    kept = replace(options, enough=None, say=None, recorder=None)

    def again(failed: dict[int, Any]) -> Outcome:
        wanted = replace(kept, on_error="keep", first=0, places=list(failed))
        with lease(pool.backend, pool.workers, native_threads=pool.native_threads) as fresh:
            return run_pass(function, list(failed.values()), fresh, wanted)

    with limits(pool.backend, pool.native_threads), going_on():
        if pool.backend.isolation == "none":
            from concompare.engine.serial_pass import run_plain

            return run_plain(function, items, options, count, on_value, clock, again)
        running = PassRun(function, items, pool, options, count, on_value, clock)
        running.outcome.again = again
        return running.go()
