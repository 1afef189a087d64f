"""`map`, `parallel` and `compare` for scripts, and what they and the magics are asked for."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from concompare import engine, formats
from concompare.cells.task import task_of
from concompare.engine.item_errors import user_part
from concompare.errors import BadOption, ConcompareError, LowMemory
from concompare.run import dispatch
from concompare.run.lost_changes import Losses, level_outside
from concompare.run.request import Request, request_of

if TYPE_CHECKING:
    from concompare.cells.task import Task
    from concompare.executors.kept_results import Kept
    from concompare.executors.result_iterator import Results
    from concompare.report.report import Report
    from concompare.run.resuming import Resume

Item = TypeVar("Item")
Value = TypeVar("Value")
Function = TypeVar("Function", bound=Callable[..., Any])


def map(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    /,
    *,
    backend: str | Executor = "auto",
    workers: int | str | None = None,
    on_error: str = "stop",
    chunk: int | None = None,
    timeout: float | None = None,
    seed: int | None = None,
    native_threads: int | None = None,
    back_off: Iterable[type[Exception]] | type[Exception] = (),
    address: str | None = None,
    progress: bool = False,
    on_lost_changes: str = "warn",
    resume: str | PathLike[str] | None = None,
) -> list[Value]:
    """Return `[function(item) for item in items]`, computed by several workers.

    Args:
        function: Called once per item. It may be defined in a notebook or be a lambda.
        items: Any iterable; it is consumed as workers become free.
        backend: The name of a backend, an executor of yours, or "auto".
        workers: How many, "max" for all usable CPUs (the default), or "2x" for twice that.
        on_error: "stop" raises the exception of the first failing item, with its index and repr as a note; "keep"
            leaves a `Failure` in its place.
        chunk: Items per message to a worker; by default from the measured time of an item.
        timeout: Seconds that an item may take; its worker is ended then, which is why it needs processes.
        seed: Gives every item a random stream of its own (`random`, numpy, torch), the same on every backend.
        native_threads: Threads of BLAS and OpenMP in each worker, in the plain loop, threads and processes.
        back_off: Exceptions that ask for less, such as a service's "too many requests": the item is tried again later,
            eight times at most, and fewer items run at once meanwhile.
        address: Of an existing cluster, for backends such as "dask" that have one.
        progress: Whether to show a progress bar on runs longer than a second.
        on_lost_changes: What becomes of changes that are lost because workers make them to their own copies, of what
            the function captures, of global names, attributes and items: "warn" (`LostChanges`), "raise" or "ignore".
        resume: A file that results go to as they come, and from which a later call takes them instead of computing
            them again. Results of another version of the function, or of other items, are not used: a warning says so
            (`NotResumed`). It holds pickles: use only files that you trust.

    Raises:
        LostChanges: Changes are lost, with `on_lost_changes="raise"`.
        ConcompareError: An option, a backend or the function cannot be used.
    """
    refuse_no_work(function, items)
    losses = Losses(on_lost_changes)
    task = task_of(function, items)
    shown = sys.stderr if progress else None
    options: dict[str, Any] = {"on_error": on_error, "chunk": chunk, "timeout": timeout, "seed": seed}
    options |= {"native_threads": native_threads, "address": address, "progress": shown}
    options["back_off"] = (back_off,) if isinstance(back_off, type) else tuple(back_off)
    options |= {"on_lost": losses if on_lost_changes != "ignore" else None, "kept": 0}
    options |= {"resume": resume, "say": warn_of_memory}
    request = request_of([backend], workers, **options)
    try:
        values: list[Value] = dispatch.run(task, request).value
    except ConcompareError:
        raise
    except Exception as error:
        raise error.with_traceback(user_part(error.__traceback__))  # noqa: B904 (itself, without our frames)
    finally:
        losses.warn()
        if request.resume is not None:
            request.resume.close()
            request.resume.warn()
    return values


def imap(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    /,
    *,
    backend: str | Executor = "processes",
    workers: int | None = None,
    ordered: bool = True,
    buffersize: int | None = None,
    chunk: int | None = None,
    timeout: float | None = None,
    seed: int | None = None,
    resume: str | PathLike[str] | None = None,
) -> Results:
    """Return an iterator over the results of a function for all items, computed by several workers.

    Items are taken as results are fetched, so memory stays flat however many there are.

    Args:
        function: Called once per item. It may be defined in a notebook or be a lambda.
        items: Any iterable.
        backend: The name of a backend, or an executor of yours.
        workers: How many; all usable CPUs by default.
        ordered: Whether results come in the order of the items, or as they are computed.
        buffersize: Items, at the most, that are taken ahead of the results that have been fetched; by default some
            messages for each worker.
        chunk: Items per message to a worker; by default from the measured time of an item.
        timeout: Seconds that an item may take; its worker is ended then, which is why it needs processes.
        seed: Gives every item a random stream of its own (`random`, numpy, torch), the same on every backend.
        resume: A file that results go to as they come, and from which a later call takes them instead of computing
            them again, as for `map`.

    Raises:
        ConcompareError: An option, a backend or the function cannot be used.
    """
    from concompare.executors import result_iterator

    options: dict[str, Any] = {"backend": backend, "workers": workers, "ordered": ordered, "buffersize": buffersize}
    options |= {"chunk": chunk, "timeout": timeout, "seed": seed}
    if resume is None:
        return result_iterator.imap(function, items, **options)
    refuse_no_work(function, items)
    from concompare.run.resuming import Resume

    file = Resume(resume)
    keeping = partial(kept_in, file, task_of(function, ()), seed)
    try:
        return result_iterator.imap(function, items, keeping=keeping, **options)
    except BaseException:
        file.close()
        raise
    finally:
        file.warn()


def kept_in(file: Resume, task: Task, seed: int | None, shares: bool) -> Kept:
    """Return the part of a file that belongs to the results of one iterator."""
    from concompare.executors.kept_results import Kept

    recorder = file.begin(task, seed)
    recorder.enter(shares=shares, compared=False, doubts=True)

    def over() -> None:
        file.end(recorder)
        file.close()
        file.warn()

    return Kept(recorder, over)


def warn_of_memory(words: str) -> None:
    """Warn, in the caller's line, that memory is short."""
    warnings.warn(LowMemory(words), stacklevel=level_outside())


def compare(
    function: Callable[[Item], object],
    items: Iterable[Item],
    /,
    *,
    backends: Sequence[str | Executor] | None = None,
    workers: int | str | Sequence[int] | None = None,
    budget: float | None = None,
    seed: int | None = None,
    timeout: float | None = None,
    scaling: str = "strong",
    timeline: bool = False,
    native_threads: int | None = None,
    address: str | None = None,
    pythons: Sequence[str] = (),
) -> Report:
    """Measure in which kind of workers, and in how many, `[function(item) for item in items]` is fastest, and why.

    Args:
        function: Called once per item. Its results must not depend on other items.
        items: The items; an iterator is read to its end first.
        backends: Names, or executors of yours; by default the plain loop, threads and processes, and
            sub-interpreters and an event loop where they can run the function.
        workers: Worker counts to try ([1, 2, 4], "1-8", "max"); by default 1, 2, 4, … up to the usable CPUs.
        budget: Seconds for the whole comparison. By default three for short work, up to four times as long as the plain
            loop takes for other work, and 30 at most.
        seed: Gives every item a random stream of its own, and the same order of the passes every time.
        timeout: Seconds that an item may take where its worker can be ended.
        scaling: "strong": the same items for every number of workers. "weak": the same number of items for each worker.
        timeline: Whether to record when each worker was on a CPU.
        native_threads: Threads of BLAS and OpenMP in each worker and in the plain loop, the same for all.
        address: Of an existing cluster, for backends such as "dask" that have one.
        pythons: Other installed Pythons to compare with: paths, or names such as "3.14t".

    Raises:
        ConcompareError: An option or a backend cannot be used.
    """
    refuse_no_work(function, items)
    options: dict[str, Any] = {"budget": budget, "seed": seed, "timeout": timeout, "scaling": scaling}
    options |= {
        "timeline": timeline,
        "native_threads": native_threads,
        "address": address,
        "pythons": pythons,
        "kept": 0,
    }
    return dispatch.measure(task_of(function, engine.listed(items)), request_of(backends, workers, **options))


def refuse_no_work(function: object, items: object) -> None:
    """Refuse what cannot be called, or walked.

    Raises:
        BadOption: It is one of these.
    """
    if not callable(function):
        said = formats.one_line(repr(function), 60)
        raise BadOption(f"the function is {said}: give something that can be called first, and the items after it")
    if not any(hasattr(type(items), name) for name in ("__iter__", "__getitem__")):
        raise BadOption(f"the items are {formats.one_line(repr(items), 60)}: give a list, or something else to walk")


@overload
def parallel(function: Function, /) -> Function: ...


@overload
def parallel(
    *,
    backend: str | Executor = ...,
    workers: int | str | None = ...,
    chunk: int | None = ...,
    timeout: float | None = ...,
    seed: int | None = ...,
    native_threads: int | None = ...,
    address: str | None = ...,
    progress: bool = ...,
) -> Callable[[Function], Function]: ...


def parallel(
    function: Callable[..., Any] | None = None,
    /,
    *,
    backend: str | Executor = "auto",
    workers: int | str | None = None,
    chunk: int | None = None,
    timeout: float | None = None,
    seed: int | None = None,
    native_threads: int | None = None,
    address: str | None = None,
    progress: bool = False,
) -> Any:
    """Make a function run its loops in parallel, and those of the functions it calls; it does what it did without.

    ::

        @concompare.parallel
        def results(papers):
            return [score(p) for p in papers]

    A loop that cannot run in parallel runs as it is, and so does everything in workers and in other threads. Functions
    that are called so often, with so little in their loops, that preparing them takes longer than they do, run as they
    are after a while. Generators and coroutines stay as they are: their loops run in parallel where a function that was
    decorated takes all their values.

    Args:
        function: A function whose source can be found; none where options are given first.
        backend: As for `map`, and so are the others.
        workers: How many.
        chunk: Items per message to a worker.
        timeout: Seconds that an item may take.
        seed: Gives every item a random stream of its own.
        native_threads: Threads of BLAS and OpenMP in each worker.
        address: Of an existing cluster.
        progress: Whether to show a progress bar.

    Raises:
        ConcompareError: An option or a backend cannot be used; raised when the function is called.
    """
    options: dict[str, Any] = {"chunk": chunk, "timeout": timeout, "seed": seed, "native_threads": native_threads}
    options |= {"address": address, "witnessed": True, "plainly": True, "named": False, "kept": 0}

    decorated = decorator(lambda: request_of([backend], workers, progress=sys.stderr if progress else None, **options))
    return decorated if function is None else decorated(function)


def decorator(asked: Callable[[], Request]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what decorates a function whose loops are to run as is asked when it is called."""

    def decorated(given: Callable[..., Any]) -> Callable[..., Any]:
        from concompare.run.inside import with_loops_in_parallel

        return with_loops_in_parallel(given, asked)

    return decorated


def load(path: str | PathLike[str]) -> Report:
    """Return a report that was saved as JSON; nothing in the file is executed.

    Raises:
        ReportDamaged: The file is not a report, is damaged, or was written by a newer version.
    """
    from concompare.report.report import load as read

    return read(Path(path))


def last() -> Any:
    """Return what the last pass left: failures and record, and the values after an error, an interrupt or failures.

    The values of a pass that has succeeded are with who called `map`, and are not kept here; in a notebook they are if
    they take 10 MB at the most.
    """
    return engine.last()
