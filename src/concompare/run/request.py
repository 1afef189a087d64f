"""Requests: backends, worker counts and options, checked before anything runs."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, TextIO

from concompare import backends, formats, machine
from concompare.backends import Addressed
from concompare.engine import process_state
from concompare.errors import BadOption, UnknownBackend
from concompare.run.auto_history import AUTO

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.engine.resume.recorder import Recorder
    from concompare.pythons.host import OtherPython
    from concompare.records import Trial
    from concompare.run.resuming import Resume


BUDGET = 30.0
"""Seconds that a comparison takes at most, when nothing is said."""
MOST = 10_000
"""Workers that can be asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """How a task is to be run, or compared.

    Attributes:
        backends: The backends, found and in the order they were named.
        workers: The worker counts, or None for the usual ones.
        on_error: "stop": the first failing item raises. "keep": failures become values.
        chunk: Items per message, or None: from the measured time of an item.
        budget: Seconds for a whole comparison; `asked`: whether somebody asked for it, so that it may be used up.
        seed: Seed of one random stream for each item, and of the order of a comparison's blocks; None for none.
        timeout: Seconds that an item may take where its worker can be ended, or None.
        timeline: Whether to record when each worker was on a CPU.
        scaling: "strong" or "weak" for a comparison, or None for what suits the task.
        progress: Where runs longer than a second show how far they are, or None for nowhere.
        pythons: Other Pythons to compare with.
        usual: Whether no backend was named, so that those which suit the task are compared as well.
        native_threads: Threads of each BLAS or OpenMP pool in each worker, or None for the usual ones.
        witnessed: Whether the first items are computed in the notebook as well, to see that workers agree.
        back_off: Exceptions whose items are tried again later, on fewer workers meanwhile.
        strict: Whether it is an error where workers do not agree; else the plain loop goes on.
        plainly: Whether what cannot be sent to workers runs as the plain loop; else that is an error.
        named: Whether an error has a note that says which item raised it.
        outside: Whether the items are known to reach beyond the process.
        on_lost: Told the names of what workers have changed; None: nobody asks.
        kept: Bytes of values that `last()` keeps after a run, at the most; None: whatever they take.
        draws: Whether the items draw by pyplot, which has one current figure for all threads.
        caches: Whether the items call functions with a cache, which threads share: a second call would show there.
        say: Says a sentence on what happens in a run; None: nobody asks.
        resume: The file that results go to and come from; `recorder`: the part of it that belongs to one task.
        showing: How warnings were shown when this was asked for.
        moment: Number of the cell that runs now; with the next one nothing has run in between.
        since: Seconds on `time.perf_counter` when the user began to wait for a comparison; None: when it begins.
        enough: Says when a comparison has passes enough; None: when the fastest is hardly in doubt.
        places: Positions of the items that a comparison is to sample; empty: by chance.
    """

    backends: tuple[Backend, ...]
    workers: tuple[int, ...] | None = None
    on_error: Literal["stop", "keep"] = "stop"
    chunk: int | None = None
    budget: float = BUDGET
    asked: bool = False
    seed: int | None = None
    progress: TextIO | None = None
    timeout: float | None = None
    timeline: bool = False
    scaling: Literal["strong", "weak"] | None = None
    pythons: tuple[OtherPython, ...] = ()
    usual: bool = False
    native_threads: int | None = None
    witnessed: bool = False
    back_off: tuple[type[Exception], ...] = ()
    strict: bool = False
    plainly: bool = False
    named: bool = True
    outside: bool = False
    on_lost: Callable[[tuple[str, ...]], object] | None = None
    kept: float | None = None
    draws: bool = False
    caches: bool = False
    say: Callable[[str], object] | None = None
    resume: Resume | None = None
    recorder: Recorder | None = None
    showing: tuple[object, ...] = field(default_factory=process_state.showing, compare=False)
    moment: float = 0.0
    since: float | None = None
    enough: Callable[[Sequence[Trial]], bool] | None = None
    places: tuple[int, ...] = ()


def request_of(
    names: str | Sequence[str | Executor] | None,
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
    check_options(options)
    options["asked"] = options.get("budget") is not None
    if not options["asked"]:
        options.pop("budget", None)
    address = options.pop("address", None)
    if pythons := options.pop("pythons", None):
        from concompare.pythons import host

        options["pythons"] = host.find_all(pythons)
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    for name in names or ():
        refuse_no_backend(name)
    found = tuple(find(name, namespace or {}, address) for name in dict.fromkeys(names or backends.COMPARED))
    if address is not None and not any(isinstance(backend, Addressed) for backend in found):
        raise BadOption(f"address is {address!r}: name a kind of cluster for it, such as -b dask")
    counts = worker_counts(workers)
    if options.get("resume") is not None:
        if len(found) > 1 or len(counts or ()) > 1:
            raise BadOption("resume belongs to one backend and one number of workers: name one of each")
        from concompare.run.resuming import Resume

        options["resume"] = Resume(options["resume"])
    return Request(found, counts, usual=not names, **options)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse values that no run can keep to.

    Raises:
        BadOption: There is one.
    """
    if options.get("on_error", "stop") not in ("stop", "keep"):
        raise BadOption(f"on_error is {options['on_error']!r}: use 'stop' or 'keep'")
    if not is_number(options.get("chunk"), Integral, 1):
        raise BadOption(f"chunk is {options['chunk']!r}: use 1 or more items per message")
    if not is_number(options.get("budget", BUDGET), Real):
        raise BadOption(f"budget is {shown(options['budget'])}: use a number of seconds above 0")
    if not is_number(options.get("timeout"), Real):
        raise BadOption(f"timeout is {shown(options['timeout'])}: use a number of seconds above 0 for one item")
    if not is_number(options.get("native_threads"), Integral, 1):
        raise BadOption(f"native_threads is {options['native_threads']!r}: use 1 or more threads for each worker")
    if not is_number(options.get("seed"), Integral, None):
        raise BadOption(f"seed is {options['seed']!r}: use a whole number")
    if (wrong := next((kind for kind in options.get("back_off", ()) if not is_exception(kind)), None)) is not None:
        raise BadOption(f"back_off has {shown(wrong)}: name exceptions, such as back_off=[TooManyRequests]")
    if options.get("scaling") not in (None, "strong", "weak"):
        raise BadOption(f"scaling is {options['scaling']!r}: use 'strong' or 'weak'")


def is_number(value: Any, kind: Any, least: int | None = 0) -> bool:
    """Tell whether an option is left out, or a number of some kind: above 0, or at least 1."""
    if value is None:
        return True
    if not isinstance(value, kind) or isinstance(value, bool):
        return False
    number = float(value)
    return least is None or (0 < number < math.inf and number >= least)


def is_exception(kind: object) -> bool:
    """Tell whether a thing is a class of exceptions; not of those that end the program."""
    return isinstance(kind, type) and issubclass(kind, Exception)


def exceptions_named(text: str | None, namespace: Mapping[str, Any]) -> tuple[type[Exception], ...]:
    """Return the exceptions that are meant by their names in a notebook, with commas between them.

    Raises:
        BadOption: One of them is none.
    """
    found = []
    for name in (text or "").split(",") if text else ():
        first, *others = name.strip().split(".")
        kind = namespace.get(first, vars(builtins).get(first))
        for part in others:
            kind = getattr(kind, part, None)
        if not is_exception(kind):
            raise BadOption(f"--back-off {name.strip()}: that is no exception here. Import it first, or mind its name")
        found.append(kind)
    return tuple(found)


def shown(value: object) -> str:
    """Return an option's value, a number in its shortest form."""
    return f"{float(value):g}" if isinstance(value, Real) else repr(value)


def refuse_no_backend(name: object) -> None:
    """Refuse what is neither a name nor anything that runs calls.

    Raises:
        UnknownBackend: It is not.
    """
    if isinstance(name, str):
        return
    from concompare.backends.user_executor import is_executor, kind_of_client

    if kind_of_client(name) is None and not is_executor(name):
        said = formats.one_line(repr(name), 60)
        raise UnknownBackend(f"backend is {said}: give one name, such as 'threads', or an Executor")


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
    if type(asked) is int and 0 < asked <= MOST:
        return (asked,)
    parts = asked.split(",") if isinstance(asked, str) else list(asked) if isinstance(asked, Iterable) else [asked]
    counts = [count for part in parts for count in counts_of(str(part).strip())]
    return tuple(dict.fromkeys(counts))


def counts_of(text: str) -> Iterable[int]:
    """Return the counts that one part of the option means."""
    first, dash, final = text.partition("-")
    for number in (text.removesuffix("x"), final):
        if number.isdecimal() and int(number) > MOST:
            raise BadOption(f"{text!r} is too many workers: use at most {MOST}")
    if text == "max":
        return [machine.usable_cpus()]
    if text.endswith("x") and text[:-1].isdecimal() and int(text[:-1]) > 0:
        return [int(text[:-1]) * machine.usable_cpus()]
    if text.isdecimal() and int(text) > 0:
        return [int(text)]
    if dash and first.isdecimal() and final.isdecimal() and 0 < int(first) <= int(final):
        return range(int(first), int(final) + 1)
    raise BadOption(f"{text!r} is not a number of workers: write 4, 1,2,4, 1-8, max or 2x")
