"""`map` and `compare` for scripts, and what they and the magics are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from concompare import backends, engine, machine, running
from concompare.auto import AUTO
from concompare.backends import Addressed
from concompare.cells.task import task_of
from concompare.engine.failures import user_part
from concompare.errors import BadOption, ConcompareError
from concompare.running import BUDGET, Request

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.report import Report

Item = TypeVar("Item")
Value = TypeVar("Value")

COMPARED = ("serial", "threads", "processes")
"""The backends that are compared when none is named."""


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
    address: str | None = None,
    progress: bool = False,
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
        address: Of an existing cluster, for backends such as "dask" that have one.
        progress: Whether to show a progress bar on runs longer than a second.

    Raises:
        ConcompareError: An option, a backend or the function cannot be used.
    """
    task = task_of(function, items)
    shown = sys.stderr if progress else None
    options: dict[str, Any] = {"on_error": on_error, "chunk": chunk, "timeout": timeout, "seed": seed}
    options |= {"native_threads": native_threads, "address": address, "progress": shown}
    request = request_of([backend], workers, **options)
    try:
        values: list[Value] = running.run(task, request).value
    except ConcompareError:
        raise
    except Exception as error:
        raise error.with_traceback(user_part(error.__traceback__))  # noqa: B904 (itself, without our frames)
    return values


def compare(
    function: Callable[[Item], object],
    items: Iterable[Item],
    /,
    *,
    backends: Sequence[str | Executor] | None = None,
    workers: int | str | Sequence[int] | None = None,
    budget: float = BUDGET,
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
        backends: Names of backends, or executors of yours; by default the plain loop, threads and
            processes, and sub-interpreters and an event loop where they can run the function.
        workers: Worker counts to try ([1, 2, 4], "1-8", "max"); by default 1, 2, 4, … up to the usable CPUs.
        budget: Seconds for the whole comparison.
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
    task = task_of(function, engine.listed(items))
    options: dict[str, Any] = {
        "budget": budget,
        "seed": seed,
        "timeout": timeout,
        "scaling": scaling,
        "timeline": timeline,
        "native_threads": native_threads,
    }
    return running.measure(task, request_of(backends, workers, address=address, pythons=pythons, **options))


def load(path: str | PathLike[str]) -> Report:
    """Return a report that was saved as JSON; nothing in the file is executed.

    Raises:
        ReportDamaged: The file is not a report, is damaged, or was written by a newer version.
    """
    from concompare.report import load as read

    return read(Path(path))


def last() -> Any:
    """Return what the last pass left: values, failures and record; incomplete after an error or an interrupt."""
    return engine.last()


def request_of(
    names: Sequence[str | Executor] | None,
    workers: int | str | Sequence[int] | None,
    *,
    namespace: Mapping[str, Any] | None = None,
    **options: Any,
) -> Request:
    """Return the request for these backends and worker counts, everything found and checked before anything runs.

    Without names those that are usually compared are meant.

    Raises:
        BadOption: A value that cannot be used.
        UnknownBackend: No backend of that name, and no executor.
        BackendNotInstalled: The backend needs a package that is missing.
    """
    if options.get("on_error", "stop") not in ("stop", "keep"):
        raise BadOption(f"on_error is {options['on_error']!r}: use 'stop' or 'keep'")
    if (chunk := options.get("chunk")) is not None and chunk < 1:
        raise BadOption(f"chunk is {chunk}: use 1 or more items per message")
    if options.get("budget", BUDGET) <= 0:
        raise BadOption(f"budget is {options['budget']:g}: use a number of seconds above 0")
    if (timeout := options.get("timeout")) is not None and timeout <= 0:
        raise BadOption(f"timeout is {timeout:g}: use a number of seconds above 0 for one item")
    if (native := options.get("native_threads")) is not None and native < 1:
        raise BadOption(f"native_threads is {native}: use 1 or more threads for each worker")
    if options.get("scaling") not in (None, "strong", "weak"):
        raise BadOption(f"scaling is {options['scaling']!r}: use 'strong' or 'weak'")
    address = options.pop("address", None)
    if pythons := options.pop("pythons", None):
        from concompare import elsewhere

        options["pythons"] = elsewhere.find_all(pythons)
    found = tuple(find(name, namespace or {}, address) for name in dict.fromkeys(names or COMPARED))
    if address is not None and not any(isinstance(backend, Addressed) for backend in found):
        raise BadOption(f"address is {address!r}: name a kind of cluster for it, such as -b dask")
    return Request(found, worker_counts(workers), usual=not names, **options)


def find(name: str | Executor, namespace: Mapping[str, Any], address: str | None = None) -> Backend:
    """Return the backend of that name, or the one around an executor."""
    if not isinstance(name, str):
        return backends.find("executor", {"executor": name})
    return AUTO if name == "auto" else backends.find(name, namespace, address)


def worker_counts(asked: int | str | Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the worker counts that are meant by `4`, `1,2,4`, `1-8`, `max` (usable CPUs) or `2x` (twice that).

    Raises:
        BadOption: It is none of these.
    """
    if asked is None:
        return None
    if type(asked) is int and asked > 0:
        return (asked,)
    parts = asked.split(",") if isinstance(asked, str) else [asked] if isinstance(asked, int) else list(asked)
    counts = [count for part in parts for count in counts_of(str(part).strip())]
    return tuple(dict.fromkeys(counts))


def counts_of(text: str) -> Iterable[int]:
    """Return the counts that one part of the option means."""
    first, dash, final = text.partition("-")
    if text == "max":
        return [machine.usable_cpus()]
    if text.endswith("x") and text[:-1].isdecimal() and int(text[:-1]) > 0:
        return [int(text[:-1]) * machine.usable_cpus()]
    if text.isdecimal() and int(text) > 0:
        return [int(text)]
    if dash and first.isdecimal() and final.isdecimal() and 0 < int(first) <= int(final):
        return range(int(first), int(final) + 1)
    raise BadOption(f"{text!r} is not a number of workers: write 4, 1,2,4, 1-8, max or 2x")
