"""Every finding with a comparison that has it, and with near misses that do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from concompare.analysis import findings, pick
from concompare.backends import kind_of_ours
from concompare.backends.traits import kind_of
from concompare.record_data import from_data, to_data
from concompare.records import Comparison, Environment, NativePool, Notebook, Pass, Probe, Traits
from tests.plugin.concompare_beside import Apart
from tests.records import ENVIRONMENT, bare, comparison, serial, trial

COMPUTING = Probe(item_seconds=(0.01,) * 100, item_cpu=(0.01,) * 100, capacity=((1, 1.0), (2, 1.95), (4, 3.8)))
SLEEPING = Probe(item_seconds=(0.01,) * 100, item_cpu=(0.0003,) * 100, capacity=((1, 1.0), (2, 1.95), (4, 3.8)))


def times(speed: float) -> list[float]:
    return [1 / speed * (1 + 0.002 * k) for k in range(5)]


def threads(speed: float, workers: int = 4, **shares: float | None) -> Any:
    return trial("threads", workers, times(speed), shares=shares)


def processes(speed: float, workers: int = 4, start_up: float = 0.2, **shares: float | None) -> Any:
    return trial("processes", workers, times(speed), shares=shares, start_up=start_up)


def gil() -> Comparison:
    return comparison(serial(), threads(0.95, lock=0.7), processes(3.6), probe=replace(COMPUTING, gil_share=0.95))


def gil_without_ledger() -> Comparison:
    return comparison(
        serial(), threads(0.95, waiting=None, lock=0.74), processes(3.6), probe=replace(COMPUTING, gil_share=0.95)
    )


def released() -> Comparison:
    return comparison(serial(), threads(3.5), processes(3.2, sending=0.1), probe=COMPUTING)


def sleeping() -> Comparison:
    plain = trial("serial", 1, times(1.0), shares={"io": 0.97})
    return comparison(plain, threads(3.9, io=0.97), threads(15.0, 16, io=0.97), processes(3.8, io=0.95), probe=SLEEPING)


def sending() -> Comparison:
    probe = replace(COMPUTING, bytes_in=2_000_000, bytes_out=100)
    return comparison(serial(), threads(0.95, lock=0.7), processes(1.1, sending=0.6, computing=0.275), probe=probe)


def starting() -> Comparison:
    return comparison(serial(), threads(0.95, lock=0.7), processes(3.0, start_up=2.5), probe=COMPUTING)


def short() -> Comparison:
    plain = trial("serial", 1, [0.004] * 5, shares={})
    slow = trial("processes", 4, [0.02] * 5, shares={"sending": 0.8}, start_up=0.3)
    return comparison(plain, slow, probe=replace(COMPUTING, item_seconds=(0.00004,) * 100, item_cpu=(0.00004,) * 100))


def staying(beside: float = 0.3) -> Comparison:
    parts = short()
    passes = [[replace(p, beside=beside) for p in one.passes] for one in parts.trials]
    trials = tuple(replace(one, passes=tuple(own)) for one, own in zip(parts.trials, passes, strict=True))
    return replace(parts, trials=trials, notebook=Notebook(replaying=beside, tails=100))


def tiny() -> Comparison:
    plain = trial("serial", 1, [0.2] * 5, items=100_000, shares={})
    slow = trial("processes", 4, [0.5] * 5, items=100_000, shares={"sending": 0.8}, start_up=0.3)
    probe = replace(COMPUTING, item_seconds=(2e-6,) * 100, item_cpu=(2e-6,) * 100)
    return comparison(plain, slow, items=100_000, probe=probe)


def tiny_gain(sending: float = 0.3) -> Comparison:
    """Items of 2 µs, in processes that gain a little."""
    quick = trial("processes", 4, [0.172] * 5, items=100_000, shares={"sending": sending}, start_up=0.05)
    return replace(tiny(), trials=(tiny().trials[0], quick))


def few() -> Comparison:
    probe = replace(COMPUTING, item_seconds=(0.2,) * 5, item_cpu=(0.2,) * 5)
    plain = trial("serial", 1, [1.0] * 5, items=5, shares={})
    return comparison(plain, trial("processes", 4, [0.41] * 5, items=5, shares={"idle": 0.37}), items=5, probe=probe)


def uneven() -> Comparison:
    seconds = (0.005,) * 99 + (0.5,)
    probe = replace(COMPUTING, item_seconds=seconds, item_cpu=seconds)
    return comparison(serial(), processes(1.6, idle=0.55), probe=probe)


def busy() -> Comparison:
    plain = trial("serial", 1, times(1.0), shares={"waiting": 0.4})
    taking = processes(1.3, waiting=0.75, sending=0.05)  # 0.6 CPU seconds, as the plain loop
    return comparison(plain, threads(0.9, waiting=0.7, lock=0.1), taking, probe=COMPUTING)


def starved() -> Comparison:
    probe = replace(COMPUTING, capacity=((1, 1.0), (2, 1.1), (4, 1.4)))
    plain = trial("serial", 1, times(1.0), shares={"waiting": None})
    untold = threads(0.9, lock=0.2, waiting=None), processes(1.3, sending=0.2, waiting=None)
    return comparison(plain, *untold, probe=probe)


def native() -> Comparison:
    probe = replace(COMPUTING, item_cpu=(0.038,) * 100, native_pools=(NativePool("blas", "openblas", 4),))
    return comparison(serial(), threads(0.8, waiting=0.5), processes(0.9, waiting=0.5), probe=probe)


def crowded() -> Comparison:
    return comparison(serial(), processes(3.6), processes(3.5, 16, waiting=0.7), probe=COMPUTING)


def bandwidth() -> Comparison:
    one = trial("processes", 1, times(0.98), shares={}, start_up=0.1)
    return comparison(serial(), one, processes(1.5), probe=COMPUTING)


def noisy() -> Comparison:
    wild = trial("processes", 4, [0.4, 1.9, 0.7, 1.8, 0.6], shares={"computing": 0.23})
    return comparison(serial(), wild, probe=COMPUTING)


def wrong() -> Comparison:
    bad = replace(processes(3.6), same=False, difference="item 3: 1 instead of 2")
    return comparison(serial(), bad, probe=COMPUTING)


def well() -> Comparison:
    return comparison(serial(), processes(3.6), probe=COMPUTING)


def switched_on() -> Comparison:
    environment = replace(ENVIRONMENT, gil="re-enabled", free_threaded_build=True)
    return comparison(serial(), environment=environment, probe=replace(COMPUTING, gil_enabled_by="lxml.etree"))


def changed() -> Comparison:
    return comparison(serial(), processes(3.6), probe=replace(COMPUTING, hidden_state=("cache",)))


def random_numbers() -> Comparison:
    return comparison(serial(), processes(3.6), probe=replace(COMPUTING, shared_random="numpy.random"))


FREE = replace(ENVIRONMENT, gil="off", free_threaded_build=True)


def sharing() -> Comparison:
    return comparison(serial(), threads(0.4), probe=COMPUTING, environment=FREE)


def elsewhere() -> Comparison:
    free = trial("threads @ 3.14t", 4, times(2.0), shares={})
    return comparison(serial(), processes(3.6), free, probe=COMPUTING)


def faster_elsewhere() -> Comparison:
    free = trial("threads @ 3.14t", 4, times(7.2), shares={})
    return comparison(
        serial(), processes(3.6), trial("threads @ 3.14t", 1, times(0.9), shares={}), free, probe=COMPUTING
    )


def hopeless() -> Comparison:
    """Threads that were ended after 1 s of a pass for which processes need 0.278 s; processes × 8 after a timed one."""
    ended = Pass(40, 1.0, 1.0, stopped="capped at 1 s", block=0)
    slow = replace(threads(0.9), passes=(ended,), problem="stopped after 1 s: the best needs 0.278 s for these items")
    later = processes(3.5, 8)
    later = replace(later, passes=(*later.passes, replace(ended, block=5)))
    return comparison(serial(), slow, processes(3.6), later, probe=COMPUTING)


CASES: tuple[tuple[Callable[[], Comparison], set[str]], ...] = (
    (gil, {"gil-bound", "scales-well"}),
    (gil_without_ledger, {"gil-bound", "scales-well"}),
    (released, {"releases-gil", "scales-well"}),
    (sleeping, {"waits", "scales-well"}),
    (sending, {"gil-bound", "transfer-bound"}),
    (starting, {"gil-bound", "startup-bound", "scales-well"}),
    (hopeless, {"stopped", "scales-well"}),
    (short, {"too-small"}),
    (staying, {"stays-in-notebook"}),
    (tiny, {"too-small"}),
    (tiny_gain, {"too-small"}),
    (few, {"too-few-items"}),
    (uneven, {"uneven-items"}),
    (busy, {"machine-busy", "scales-well"}),
    (starved, {"machine-busy", "scales-well"}),
    (native, {"oversubscribed"}),
    (crowded, {"oversubscribed", "scales-well"}),
    (bandwidth, {"memory-bound"}),
    (noisy, {"too-noisy"}),
    (wrong, {"results-differ"}),
    (well, {"scales-well"}),
    (switched_on, {"gil-re-enabled"}),
    (changed, {"hidden-state", "scales-well"}),
    (random_numbers, {"shared-random", "scales-well"}),
    (sharing, {"contention"}),
    (elsewhere, {"scales-well", "other-python"}),
    (faster_elsewhere, {"scales-well", "other-python"}),
)


@pytest.mark.parametrize(("build", "codes"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_comparison_gets_its_findings_and_no_others(build: Callable[[], Comparison], codes: set[str]) -> None:
    if build is bandwidth:
        build = lambda: with_computing(bandwidth(), ("processes", 4), 2.6)  # noqa: E731
    assert {finding.code for finding in findings.find(build())} == codes


def with_computing(of: Comparison, key: tuple[str, int], computing: float) -> Comparison:
    """Let the CPU seconds of a trial's passes be others."""

    def changed(t: Any) -> Any:
        if (t.backend, t.workers) != key:
            return t
        passes = tuple(replace(p, ledger=replace(p.ledger, computing=computing)) for p in t.passes)
        return replace(t, passes=passes)

    return replace(of, trials=tuple(map(changed, of.trials)))


NEAR_MISSES: tuple[tuple[str, Callable[[], Comparison]], ...] = (
    ("gil-bound", lambda: comparison(serial(), threads(1.35, lock=0.5), probe=COMPUTING)),
    ("gil-bound", lambda: comparison(serial(), threads(0.95, lock=0.2), probe=COMPUTING)),
    ("gil-bound", lambda: replace(gil_without_ledger(), probe=replace(COMPUTING, gil_share=0.3))),
    ("gil-bound", lambda: replace(gil(), environment=replace(ENVIRONMENT, gil="off"))),
    ("gil-bound", lambda: comparison(serial(), threads(0.95, waiting=0.7), probe=COMPUTING)),
    ("gil-bound", lambda: replace(gil(), probe=replace(COMPUTING, capacity=((1, 1.0), (2, 1.1), (4, 1.2))))),
    ("releases-gil", lambda: comparison(serial(), threads(1.35), probe=COMPUTING)),
    ("releases-gil", sleeping),
    ("releases-gil", lambda: comparison(busy().trials[0], threads(1.9, waiting=0.85), probe=COMPUTING)),
    ("gil-bound", lambda: comparison(busy().trials[0], threads(0.9, waiting=0.2, lock=0.5), probe=COMPUTING)),
    ("gil-bound", lambda: replace(native(), trials=(serial(), threads(0.9, lock=0.6)))),
    ("releases-gil", lambda: comparison(serial(), threads(1.9), probe=replace(COMPUTING, gil_share=0.9))),
    ("waits", lambda: comparison(trial("serial", 1, times(1.0), shares={"io": 0.45}), threads(1.9), probe=SLEEPING)),
    ("waits", busy),
    ("transfer-bound", lambda: comparison(serial(), processes(3.0, sending=0.2), probe=sending().probe)),
    ("transfer-bound", lambda: replace(sending(), probe=replace(COMPUTING, bytes_in=500))),
    ("startup-bound", lambda: comparison(serial(), processes(3.0, start_up=0.4), probe=COMPUTING)),
    ("startup-bound", lambda: comparison(serial(), processes(0.9, start_up=2.5), probe=COMPUTING)),
    ("stopped", lambda: replace(hopeless(), trials=tuple(t for t in hopeless().trials if t.backend != "threads"))),
    ("stopped", lambda: comparison(serial(), bare("threads", 4, problem="no threads here"), probe=COMPUTING)),
    ("too-small", lambda: comparison(serial(), processes(0.9), probe=COMPUTING)),
    ("too-small", staying),
    ("too-small", lambda: tiny_gain(0.2)),
    ("stays-in-notebook", lambda: staying(0.0039)),
    ("stays-in-notebook", short),
    ("too-few-items", lambda: replace(few(), subject=replace(few().subject, items=16))),
    ("too-few-items", uneven),
    ("uneven-items", few),
    ("uneven-items", lambda: comparison(serial(), processes(3.4, idle=0.05), probe=uneven().probe)),
    ("machine-busy", lambda: comparison(trial("serial", 1, times(1.0), shares={"waiting": 0.1}), probe=COMPUTING)),
    ("machine-busy", lambda: replace(starved(), environment=replace(ENVIRONMENT, quota=1.5, usable=2))),
    ("machine-busy", crowded),
    ("oversubscribed", lambda: replace(native(), probe=replace(COMPUTING, item_cpu=(0.013,) * 100))),
    ("oversubscribed", lambda: comparison(serial(), processes(3.5, 16, waiting=0.2), probe=COMPUTING)),
    ("memory-bound", lambda: with_computing(bandwidth(), ("processes", 4), 1.25)),
    ("memory-bound", lambda: replace(with_computing(bandwidth(), ("processes", 4), 2.6), trials=busy().trials)),
    ("too-noisy", lambda: comparison(serial(), processes(1.05), probe=COMPUTING)),
    ("too-noisy", well),
    ("results-differ", lambda: comparison(serial(), replace(processes(3.6), same=None), probe=COMPUTING)),
    ("scales-well", lambda: comparison(serial(), processes(2.2), probe=COMPUTING)),
    ("scales-well", lambda: comparison(serial(), processes(3.0, idle=0.2), probe=uneven().probe)),
    ("contention", lambda: comparison(serial(), threads(0.4), probe=COMPUTING)),
    ("contention", lambda: comparison(serial(), threads(1.02), probe=COMPUTING, environment=FREE)),
    ("contention", lambda: comparison(serial(), threads(0.4, waiting=0.3), probe=COMPUTING, environment=FREE)),
    ("contention", lambda: comparison(serial(), threads(0.4, 16), probe=COMPUTING, environment=FREE)),
    ("other-python", lambda: comparison(serial(), processes(2.2), trial("mine", 2, times(3.0)), probe=COMPUTING)),
    ("scales-well", lambda: comparison(sleeping().trials[0], processes(3.6, 16), probe=SLEEPING)),
)  # fmt: skip


@pytest.mark.parametrize(("code", "build"), NEAR_MISSES)
def test_a_near_miss_does_not_get_the_finding(code: str, build: Callable[[], Comparison]) -> None:
    assert code not in {finding.code for finding in findings.find(build())}


def test_every_finding_of_the_design_is_guarded() -> None:
    promised = {
        "gil-bound", "releases-gil", "waits", "transfer-bound", "startup-bound", "too-small", "too-few-items",
        "uneven-items", "memory-bound", "oversubscribed", "machine-busy", "results-differ", "hidden-state",
        "shared-random", "too-noisy", "scales-well", "gil-re-enabled", "other-python", "contention",
        "stopped", "stays-in-notebook",
    }  # fmt: skip
    assert {code for _, codes in CASES for code in codes} == promised
    assert len(findings.CHECKS) == len(promised)


@pytest.mark.parametrize(("build", "codes"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_finding_says_its_number_and_the_next_step(build: Callable[[], Comparison], codes: set[str]) -> None:
    for finding in findings.find(build()):
        assert finding.summary.endswith(".")
        assert finding.advice.endswith(".")
        if finding.code not in ("gil-re-enabled", "shared-random"):
            assert finding.evidence
        if finding.trial is not None:
            assert finding.trial in {(t.backend, t.workers) for t in build().trials}


def test_findings_of_an_empty_comparison() -> None:
    assert findings.find(comparison(items=0)) == ()
    assert findings.find(comparison(serial())) == ()


def test_words_of_a_finding() -> None:
    finding = next(f for f in findings.find(gil()) if f.code == "gil-bound")
    assert finding.summary == (
        "Threads take turns: 4 of them are 0.95× as fast as the plain loop (below 1.30×); they were blocked"
        " 70 % of the time; the plain loop holds the GIL about 95 % of the time."
    )
    module = next(f for f in findings.find(switched_on()))
    assert "importing lxml.etree switched it back on" in module.summary


def test_a_quota_is_no_busy_machine() -> None:
    environment = Environment("3.11", "CPython", "Linux", "x86_64", 4, 2, quota=1.5)
    plain = trial("serial", 1, times(1.0), shares={})
    two = trial("processes", 2, times(1.4), shares={"waiting": 0.25})
    found = comparison(plain, two, probe=COMPUTING, environment=environment)
    assert "machine-busy" not in {finding.code for finding in findings.find(found)}


def test_results_that_differ_by_rounding_get_another_next_step() -> None:
    by_rounding = trial(
        "processes", 4, [0.3] * 5, same=False, difference="item 0: 1.0 instead of 2.0, 2e-16 of it", rounding=True
    )
    by_more = trial("processes", 2, [0.3] * 5, same=False, difference="item 0: 1.0 instead of 2.0")
    (finding,) = [f for f in findings.find(comparison(serial(), by_rounding)) if f.code == "results-differ"]
    assert "last digits" in finding.summary
    assert finding.advice.endswith("compare and run with --native-threads 1.")
    (finding,) = [f for f in findings.find(comparison(serial(), by_rounding, by_more)) if f.code == "results-differ"]
    assert "last digits" not in finding.summary


SENT_TO = ("processes", "fork", "forkserver", "spawn", "loky", "mp-pool", "process-per-item", "interpreters")
FAR = ("dask", "ray", "ipyparallel")


def kinds_of_workers() -> dict[str, Any]:
    """Return what a record has of each backend whose workers are sent their items, those of a plug-in included."""
    ours: dict[str, Any] = {name: kind_of_ours(name) for name in (*SENT_TO, *FAR)}
    return {**ours, "apart": kind_of(Apart()), "far": {"isolation": "cluster", "traits": Traits()}}


@pytest.mark.parametrize(("backend", "kind"), kinds_of_workers().items(), ids=list(kinds_of_workers()))
@pytest.mark.parametrize("build", [sending, starting, few], ids=lambda build: build.__name__)
def test_every_backend_gets_the_findings_on_its_costs(
    build: Callable[[], Comparison], backend: str, kind: dict[str, Any]
) -> None:
    known = build()
    trials = [replace(t, backend=backend, label=backend, **kind) if t.sends else t for t in known.trials]
    code = {sending: "transfer-bound", starting: "startup-bound", few: "too-few-items"}[build]
    (found,) = [f for f in findings.find(replace(known, trials=tuple(trials))) if f.code == code]
    assert found.trial == (backend, 4)
    restored = from_data(Comparison, to_data(replace(known, trials=tuple(trials))))
    assert found in findings.find(restored)


def test_workers_that_are_there_already_are_not_called_slow_to_start() -> None:
    known = starting()
    kinds: list[dict[str, Any]] = [
        {"isolation": "unknown", "traits": Traits(starts=False)},
        {"isolation": "thread", "traits": Traits()},
    ]
    for kind in kinds:
        trials = tuple(replace(t, backend="mine", **kind) if t.sends else t for t in known.trials)
        assert "startup-bound" not in {f.code for f in findings.find(replace(known, trials=trials))}


def test_threads_of_any_backend_are_seen_to_take_turns() -> None:
    known = gil()
    trials = tuple(replace(t, backend="beside", label="beside") if t.threads else t for t in known.trials)
    (found,) = [f for f in findings.find(replace(known, trials=trials)) if f.code == "gil-bound"]
    assert found.trial == ("beside", 4)
    loop = tuple(replace(t, traits=Traits(together=False)) if t.threads else t for t in known.trials)
    assert "gil-bound" not in {f.code for f in findings.find(replace(known, trials=loop))}


def test_starting_is_told_of_the_workers_as_they_are_called() -> None:
    known = starting()
    assert "Starting 4 processes takes 2.50 s" in next(
        f.summary for f in findings.find(known) if f.code == "startup-bound"
    )
    for name, words in (("loky", "4 loky workers"), ("slurm", "4 workers of slurm")):
        kind: Any = kind_of_ours(name) or {"isolation": "cluster", "traits": Traits()}
        trials = tuple(replace(t, backend=name, label=name, **kind) if t.sends else t for t in known.trials)
        found = findings.find(replace(known, trials=trials))
        assert f"Starting {words} takes" in next(f.summary for f in found if f.code == "startup-bound")


def advice(known: Comparison, code: str) -> str:
    return next(f.advice for f in findings.find(known) if f.code == code)


def test_no_advice_contradicts_another() -> None:
    assert "use threads" not in advice(sending(), "transfer-bound")
    assert "processes, once less is sent to them" in advice(sending(), "gil-bound")
    assert "use threads" not in advice(starting(), "startup-bound")
    assert advice(gil(), "gil-bound").startswith("Use processes for this")
    copying = replace(sending(), trials=(serial(), threads(1.5), processes(1.1, sending=0.6, computing=0.275)))
    assert "or use threads, which copy nothing" in advice(copying, "transfer-bound")


def test_fewer_workers_are_advised_where_they_take_as_long() -> None:
    assert advice(few(), "too-few-items").endswith("(at least 16), or use -w 3, which take as long.")
    odd = trial("processes", 2, [0.67] * 5, items=3, shares={"idle": 0.25})
    plain = trial("serial", 1, [1.0] * 5, items=3, shares={})
    three = replace(COMPUTING, item_seconds=(0.33,) * 3, item_cpu=(0.33,) * 3)
    assert advice(comparison(plain, odd, items=3, probe=three), "too-few-items").endswith("(at least 8).")


def test_threads_that_take_turns_on_a_busy_machine_are_not_said_to_scale() -> None:
    plain = trial("serial", 1, times(1.0), shares={"waiting": 0.4})
    crowd = comparison(plain, threads(1.5, waiting=0.65, lock=0.2), probe=COMPUTING)  # 0.6 CPUs, as the plain loop
    assert {f.code for f in findings.find(crowd)} == {"machine-busy", "gil-bound"}


def test_threads_are_not_said_to_take_turns_where_processes_do_no_better_on_a_busy_machine() -> None:
    """Items that share the memory's bandwidth, and CPUs with others, look the same on both."""
    plain = trial("serial", 1, times(1.0), shares={"waiting": 0.4})
    held = threads(0.9, waiting=0.65, lock=0.2)
    ahead, level = (comparison(plain, held, processes(gain, waiting=0.6), probe=COMPUTING) for gain in (1.3, 0.95))
    assert "gil-bound" in {f.code for f in findings.find(ahead)}
    assert {f.code for f in findings.find(level)} == {"machine-busy", "memory-bound"}


def test_threads_that_compute_at_once_on_two_cpus_release_the_gil_though_the_memory_holds_them_back() -> None:
    """1.36 of at most 2; of four CPUs that would be little."""
    two = replace(ENVIRONMENT, usable=2, physical=2)
    shared = trial("threads", 2, times(1.36), shares={"computing": 0.95})
    found = {f.code for f in findings.find(comparison(serial(), shared, probe=COMPUTING, environment=two))}
    assert found == {"releases-gil"}


def test_what_the_items_do_is_said_on_a_busy_machine_as_on_a_quiet_one() -> None:
    plain = trial("serial", 1, times(1.0), shares={"waiting": 0.4})
    free = comparison(plain, threads(2.2, waiting=0.6), processes(1.7, waiting=0.65, sending=0.1), probe=COMPUTING)
    assert {f.code for f in findings.find(free)} == {"machine-busy", "releases-gil", "scales-well"}


def test_another_python_is_judged_in_seconds_and_never_picked() -> None:
    found = {finding.code: finding for finding in findings.find(faster_elsewhere())}["other-python"]
    assert dict(found.evidence)["speed-up"] == pytest.approx(7.2 / 3.6, rel=0.02)
    assert re.fullmatch(
        r"Python 3\.14t needs 1\d\d ms with 4 threads, and the best here, processes × 4, 2\d\d ms: 2\.\d\d× as fast .*",
        found.summary,
    )
    assert found.summary.endswith("a gain.")
    assert "python3.14t -m ipykernel install" in found.advice
    assert pick.pick(faster_elsewhere()).backend == "processes"
    found = {finding.code: finding for finding in findings.find(elsewhere())}["other-python"]
    assert found.summary.endswith("a loss.")
    assert found.advice == "Stay with this Python for this cell."
    as_fast = comparison(serial(), processes(3.6), trial("threads @ 3.14", 4, times(3.6), shares={}), probe=COMPUTING)
    found = {finding.code: finding for finding in findings.find(as_fast)}["other-python"]
    assert re.search(r"ms: a tie \[.*\]\.$", found.summary)
    assert found.advice == "Stay with this Python for this cell."


def test_another_python_is_compared_with_what_is_fastest_here_also_where_that_is_too_noisy_to_be_picked() -> None:
    wild = trial("processes", 4, [0.2, 2.4, 0.3, 2.3, 0.25], shares={})  # its median is 0.3 s, the plain loop's 1 s
    there = trial("threads @ 3.14t", 4, [0.5] * 5, shares={})
    compared = comparison(serial(), wild, there, probe=COMPUTING)
    found = {finding.code: finding for finding in findings.find(compared)}["other-python"]
    assert "the best here, processes × 4, 300 ms: a tie" in found.summary
    assert found.advice == "Stay with this Python for this cell."


def test_one_block_is_too_few_to_send_anyone_to_another_python() -> None:
    there = trial("processes @ 3.14t", 1, [0.1], shares={})
    compared = comparison(serial(), there, probe=COMPUTING)
    found = {finding.code: finding for finding in findings.find(compared)}["other-python"]
    assert re.search(r"with one process, .* as fast in 1 block, which is too few to say\.$", found.summary)
    assert found.advice == "Give it more time, with a larger --budget or fewer worker counts (-w)."


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({}, "It cannot become the fastest; to see its whole time, compare it alone: -b threads -w 4."),
        ({"gil_share": 0.95}, "The plain loop holds the GIL about 95 % of the time: use processes for this."),
    ],
)
def test_what_was_stopped_is_told_with_its_number_and_what_explains_it(change: dict[str, Any], advice: str) -> None:
    known = replace(hopeless(), probe=replace(COMPUTING, **change))
    (finding,) = [f for f in findings.find(known) if f.code == "stopped"]
    assert finding.summary == (
        "threads × 4 was stopped before the first pass had ended: threads × 4 had run for 1.00 s, 3.6× what the best"
        " needs for these items (stopped from 2×)."
    )
    assert finding.advice == advice
    assert dict(finding.evidence)["times the best"] == pytest.approx(3.6, rel=0.01)


def test_what_was_stopped_on_a_busy_machine_is_to_be_measured_again() -> None:
    waiting = trial("serial", 1, times(1.0), shares={"waiting": 0.4})
    (finding,) = [
        f for f in findings.find(replace(hopeless(), trials=(waiting, *hopeless().trials[1:]))) if f.code == "stopped"
    ]
    assert finding.advice == "The machine was busy: measure again when nothing else runs."


def test_processes_that_were_stopped_with_much_to_send_are_to_send_less() -> None:
    ended = Pass(3, 2.0, 1.0, stopped="capped at 2 s", sample=(0, 9, 18, 27), block=0)
    slow = replace(processes(0.5), passes=(ended,), problem="stopped after 2 s")
    known = comparison(serial(), slow, threads(3.5), probe=replace(COMPUTING, bytes_in=2_000_000, bytes_out=100))
    (finding,) = [f for f in findings.find(known) if f.code == "stopped"]
    assert dict(finding.evidence)["times the best"] == pytest.approx(2.0 / (4 * 1 / 350), rel=0.01), "4 items of 100"
    assert finding.advice == "2.00 MB go there and back for an item: send less, such as a path or an index."


@pytest.mark.parametrize(("native_threads", "busy"), [(1, True), (2, False), (None, False)])
def test_workers_with_few_enough_native_threads_tell_of_a_busy_machine(native_threads: int | None, busy: bool) -> None:
    waiting = replace(threads(1.2, waiting=0.4), native_threads=native_threads)
    known = replace(native(), trials=(serial(), waiting))
    assert ("machine-busy" in {finding.code for finding in findings.find(known)}) is busy
