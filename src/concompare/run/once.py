"""One pass over a task's items, its results put into the notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

from concompare import backends, engine, machine
from concompare.backends.traits import is_plain, kind_of, shares_objects
from concompare.engine import Outcome, process_state
from concompare.engine.forecast import Standing
from concompare.engine.growth import Growth
from concompare.engine.pools.memory import fitting
from concompare.errors import BackendUnavailable, CannotShip, CellRefused
from concompare.records import Message, Trial
from concompare.report.progress import progress_bar
from concompare.run import auto_history
from concompare.run.fallback import go_on, remember, witness_of
from concompare.run.request import Request
from concompare.run.sent_items import why_not_sent
from concompare.run.witness import Again, Differs
from concompare.worker.results import CannotReturn
from concompare.worker.transfer.pickling import text_of

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.cells.task import Task
    from concompare.engine import Lease, Pool
    from concompare.engine.resume.recorder import Recorder
    from concompare.run.witness import Witness


def counts_for(backend: Backend, asked: tuple[int, ...] | None, usable: int | None = None) -> tuple[int, ...]:
    """Return the worker counts to run a backend with; the plain loop has one, a cluster all of its own.

    `usable` are the CPUs to go by, where they have been looked at.
    """
    if is_plain(backend):
        return (1,)
    if asked:
        return asked
    own = backends.capacity_of(backend)
    return (own if own is not None else usable or machine.usable_cpus(),)


def trial_of(backend: Backend, workers: int, problem: str | None = None) -> Trial:
    """Return the trial of a backend that has no pass yet, or why it has none."""
    return Trial(backend.name, workers, label=backend.label, problem=problem, **kind_of(backend))


def run_once(task: Task, backend: Backend, workers: int, request: Request) -> tuple[Trial, Any, str]:
    """Run a task in one way, its tail replayed as results arrive; an error leaves what the plain loop would leave.

    Returns:
        The trial, the cell's value, and why it ran as the plain loop if it did.
    """
    with failing(task):
        trial, outcome, words = watched_pass(task, backend, workers, request, task.apply)
    return trial, task.finish(outcome.names), f"ran as the plain loop: {words}" if words else ""


def watched_pass(
    task: Task,
    backend: Backend,
    workers: int,
    request: Request,
    on_value: Callable[[int, Any], bool],
    first: int = 0,
    **how: Any,
) -> tuple[Trial, Outcome, str]:
    """Run items as `one_pass` does; where workers turn out not to do, go on with the plain loop and say why.

    Raises:
        CellRefused: They do not, and that is to be an error.
        CannotReturn: A worker cannot send a result back, and what items do outside would be done once more.
    """
    if backend.isolation == "none":
        return *one_pass(task, backend, workers, request, on_value, first, **how), ""
    kept, before = Again(task.items, first), latest()
    task = replace(task, items=kept.items)
    try:
        return *one_pass(task, backend, workers, request, on_value, first, kept=kept, **how), ""
    except Differs as error:
        differs = error
        if request.strict:
            raise CellRefused(f"{differs}. Use -b serial, or --assume-pure.") from None
    except (CannotShip, CannotReturn) as problem:
        ran = latest() is not before
        if not request.plainly or (request.outside and ran):
            raise
        differs = Differs(text_of(problem), engine.last().handed if ran else first, begun=ran)

    def plainly(rest: Task, position: int) -> tuple[Trial, Outcome]:
        return one_pass(rest, backends.plain(), 1, request, on_value, position, **{**how, "enough": None})

    return *go_on(task, differs, first, kept, plainly), str(differs)


def one_pass(
    task: Task,
    backend: Backend,
    workers: int,
    request: Request,
    on_value: Callable[[int, Any], bool],
    first: int = 0,
    *,
    output: Literal["show", "drop"] = "show",
    enough: Callable[[Sequence[Message], float], bool] | None = None,
    expected: float = 0.0,
    growth: Growth | None = None,
    kept: Again | None = None,
) -> tuple[Trial, Outcome]:
    """Run all items once, the first of them at that position, and return the trial of this one pass.

    No item is begun once that is `enough`; `expected` are the seconds of an item in an earlier plain loop. Where items
    are `kept`, workers are compared with the notebook. With a `growth` there are as many threads as that comes to.

    Raises:
        BackendUnavailable: The backend cannot run here.
        Differs: Workers give something else than the notebook.
    """
    if (reason := backend.unavailable()) is not None:
        raise BackendUnavailable(reason)
    recorder = request.recorder
    if backend.isolation != "none" and (words := kept_from(backend, request, task, workers)):
        raise Differs(words, first, begun=False)
    native = request.native_threads
    if request.say is not None and workers > 1 and backend.isolation == "process":
        workers = fitting(task.function, workers, request.say)
    leased = engine.lease(backend, workers, native_threads=native, lazily=growth is not None)
    if growth is None and request.back_off and backend.isolation != "none":
        growth = Growth(workers, workers)
    with leased as pool, progress_bar(request.progress, task.name) as progress, ExitStack() as stack:
        witness = witness_of(task, request, pool, first, kept) if kept is not None else None
        if witness is not None:
            stack.enter_context(witness)
        if recorder is not None:
            enter(recorder, pool, request, witness)
        options = options_of(task, request, output, first=first, enough=enough, expected=expected)
        options = replace(options, progress=from_item(first, progress), growth=growth)
        outcome = compared_pass(task, request, pool, options, on_value, witness)
        trial = trial_of(backend, workers if growth is None or not growth.started else growth.now)
        return measured(replace(trial, native_threads=native), outcome, leased), outcome


def compared_pass(
    task: Task,
    request: Request,
    pool: Pool,
    options: engine.PassOptions,
    on_value: Callable[[int, Any], bool],
    witness: Witness | None,
) -> Outcome:
    """Run a pass whose first items a witness looks at, if there is one, and keep what it has seen.

    Raises:
        Differs: Workers give something else than the notebook.
    """
    if witness is not None:
        watched = task.trusting and not task.changing
        options = replace(options, witness=witness, meanwhile=witness.begin, watch_items=watched)
    try:
        outcome = engine.run_pass(task.function, task.items, pool, options, count=task.count, on_value=on_value)
    except Differs as differs:
        remember(task, request, pool, witness, str(differs))
        if request.recorder is not None:
            request.recorder.void(differs.position)
        raise
    if witness is not None:
        remember(task, request, pool, witness)
        witness.agreed()
    return outcome


def enter(recorder: Recorder, pool: Pool, request: Request, witness: Witness | None) -> None:
    """Let a file have the results of a pass: those of workers count when it is seen that they agree."""
    plain = pool.backend.isolation == "none"
    doubts = witness is not None or not (plain or request.witnessed)
    recorder.enter(shares=plain or pool.shares_objects, compared=witness is not None, doubts=doubts)
    if witness is not None:
        witness.agreed = recorder.agree


def from_item(first: int, show: Callable[[Standing], None] | None) -> Callable[[Standing], None] | None:
    """Return what is told how far a pass is that begins with a later item: those before it have finished."""
    if not first or show is None:
        return show

    def told(standing: Standing) -> None:
        total = None if standing.total is None else standing.total + first
        show(standing._replace(finished=standing.finished + first, total=total))

    return told


def measured(trial: Trial, outcome: Outcome, leased: Lease) -> Trial:
    """Return a trial with what was measured of its one pass."""
    record = outcome.record
    assert record is not None, "a pass that has ended has its record"
    pool = leased.pool
    trial = replace(trial, passes=(record,), got=pool.got)
    if leased.fresh:
        trial = replace(trial, start_up=pool.start_up, cold=pool.start_up + record.wall)
    return trial


def options_of(
    task: Task,
    request: Request,
    output: Literal["show", "drop"],
    *,
    first: int,
    enough: Callable[[Sequence[Message], float], bool] | None,
    expected: float,
) -> engine.PassOptions:
    """Return how one pass of a task is run."""
    return engine.PassOptions(
        on_error=request.on_error,
        chunk=request.chunk,
        temporaries=task.temporaries,
        output=output,
        first=first,
        seed=request.seed,
        back_off=request.back_off,
        timeout=request.timeout,
        timeline=request.timeline,
        enough=enough,
        step=auto_history.STEP if enough is not None else None,
        expected=expected,
        # The tail had them; of an endless iterator there may be more than there is memory for.
        keep_values=task.count is not None or task.kind != "loop",
        named=request.named,
        on_lost=request.on_lost,
        say=request.say,
        recorder=request.recorder,
    )


def kept_from(backend: Backend, request: Request, task: Task, workers: int) -> str:
    """Return why the items must not run on a backend, or nothing."""
    if backend.isolation == "thread" and workers > 1 and request.plainly:
        found = process_state.shared_context(task.function)
        if found is not None:
            return f"{found} of the whole process, so items in other threads would see it. Use -b processes"
    if process_state.showing() != request.showing:
        return "warnings are recorded around it, in their order. Record them inside, for each item"
    if request.draws and shares_objects(backend):
        return "the items draw by pyplot, whose current figure all threads share; use -b processes"
    if backend.isolation == "thread":
        return auto_history.kept_from_threads(task)
    words = "" if shares_objects(backend) else why_not_sent(task)
    return f"{words}. Use -b threads" if words else ""


@contextmanager
def failing(task: Task, names: Mapping[str, Any] | None = None) -> Iterator[None]:
    """When a pass ends with an error, bind what the plain loop would have left; `names` are from before it."""
    before = [ref(outcome) for outcome in (latest(),) if outcome is not None]  # its values may go when others come
    try:
        yield
    except BaseException:
        after = latest()
        ran = after is not None and not any(outcome() is after for outcome in before)
        if after is not None and ran:  # else it was refused before any item
            task.fail({**(names or {}), **after.names})
        raise


def latest() -> Outcome | None:
    """Return the outcome of the last pass, if there was one."""
    try:
        return engine.last()
    except LookupError:
        return None
