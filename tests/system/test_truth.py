"""Known work on the real engine gets the right finding, or "machine-busy" where the machine hides it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from concompare import backends, machine
from concompare.analysis import findings, pick, stats
from concompare.measure import compare, machine_probes
from concompare.measure.compare import Kept
from concompare.records import Comparison, Subject
from tests.records import of_the_notebook

pytestmark = pytest.mark.slow
BLOCK = bytes(1_000_000)


@of_the_notebook
def count(steps: int) -> int:
    total = 0
    for i in range(steps):
        total += i
    return total


@of_the_notebook
def nap(x: int) -> int:
    time.sleep(0.005)
    return x


@of_the_notebook
def digest(x: int) -> str:
    return hashlib.sha256(BLOCK + bytes([x % 256])).hexdigest()


@of_the_notebook
def negate(x: int) -> int:
    return -x


def measured(
    function: Callable[[Any], Any], items: list[Any], budget: float = 20.0, **more: Any
) -> tuple[Comparison, Kept]:
    found = [backends.find(name) for name in ("serial", "threads", "processes")]
    return compare.compare(function, items, backends=found, subject=Subject("f"), budget=budget, seed=1, **more)


WORK: tuple[tuple[Callable[[Any], Any], list[Any], set[str], set[str]], ...] = (
    (count, [40_000] * 60, {"gil-bound"}, {"waits", "releases-gil", "transfer-bound"}),
    (nap, list(range(40)), {"waits"}, {"gil-bound", "releases-gil", "transfer-bound"}),
    (digest, list(range(150)), {"releases-gil"}, {"gil-bound", "waits"}),
    (negate, list(range(2000)), {"too-small"}, {"waits", "scales-well"}),
)


@pytest.mark.alone
@pytest.mark.skipif(machine.usable_cpus() < 2, reason="one CPU: nothing runs together")
@pytest.mark.parametrize(("function", "items", "right", "wrong"), WORK)
def test_known_work_gets_its_finding(
    function: Callable[[Any], Any], items: list[Any], right: set[str], wrong: set[str]
) -> None:
    for _ in range(3):  # other machines on the same host may take CPUs away unseen
        comparison, kept = measured(function, items)
        codes = {finding.code for finding in findings.find(comparison)}
        assert kept.values == [function(item) for item in items]
        assert not wrong & codes, codes
        if right & codes or "machine-busy" in codes:
            break
    else:
        pytest.fail(f"{right} is not among {codes}")
    assert all(trial.same for trial in comparison.trials if trial.problem is None)
    problems = [trial.problem for trial in comparison.trials if trial.problem is not None]
    late = ("stopped after", "not run: the time for deciding was used up")  # as on a busy machine
    assert not [problem for problem in problems if not problem.startswith(late)], problems


@pytest.mark.alone
@pytest.mark.usefixtures("unhurried")
def test_the_ledgers_of_real_passes_leave_little_unexplained() -> None:
    comparison, _ = measured(count, [40_000] * 60)
    passes = [p for trial in comparison.trials for p in stats.used(trial)]
    assert len({trial.backend for trial in comparison.trials if stats.used(trial)}) > 1
    for found in [p.ledger for p in passes]:
        assert found is not None
        assert abs(found.unexplained) <= 0.05 * found.total


@pytest.fixture
def hogs() -> Iterator[None]:
    """Keep every CPU busy with other processes."""
    command = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(2 * machine.usable_cpus())]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.alone
@pytest.mark.usefixtures("hogs")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell waiting from blocked")
def test_a_busy_machine_is_called_busy_and_nothing_else() -> None:
    for _ in range(3):  # what else runs here can be more than the hogs, and not in every comparison
        comparison, _ = measured(digest, list(range(100)))
        codes = {finding.code for finding in findings.find(comparison)}
        assert "machine-busy" in codes
        if not {"gil-bound", "waits", "memory-bound"} & codes:
            break
    else:
        pytest.fail(f"three comparisons found more than a busy machine, at last {codes}")


def test_a_plain_call_is_measured_at_the_same_work_for_every_worker() -> None:
    comparison, kept = measured(count, [300_000], budget=5.0, scaling="weak")
    assert kept.values == [count(300_000)]
    items = {(t.backend, t.workers): t.timed[-1].items for t in comparison.trials if t.timed}
    assert all(number == workers for (_, workers), number in items.items())


def test_a_long_cell_is_sampled_and_its_results_are_complete() -> None:
    items = [40_000] * 700
    comparison, kept = measured(count, items, budget=3.0)
    assert comparison.plan is not None
    assert comparison.plan.sampled is not None
    assert kept.values == [count(40_000)] * 700
    assert pick.pick(comparison).seconds is not None


def test_an_item_that_cannot_be_sent_is_a_row_that_says_so() -> None:
    items = [iter([1]), iter([2])]
    comparison, kept = measured(lambda given: type(given).__name__, items)
    assert kept.values == ["list_iterator"] * 2
    generators: list[Any] = [(x for x in [1]), (x for x in [2])]
    comparison, kept = measured(lambda given: type(given).__name__, generators)
    assert kept.values == ["generator"] * 2
    problems = [t.problem for t in comparison.trials if t.backend == "processes"]
    assert all(problem is not None and "generator" in problem for problem in problems)


@pytest.mark.parametrize(("fails", "seconds"), [(5, 0.0005), (50, 0.015)])
def test_what_the_items_before_a_failing_one_printed_is_kept(fails: int, seconds: float) -> None:
    def tell(x: int) -> int:
        machine_probes.spin(seconds)
        print(x)
        if x == fails:
            raise ValueError("bad")
        return x

    _, kept = measured(tell, list(range(60)), budget=2.0, workers=(2,), machine=None)
    assert kept.failed == fails
    assert [(position, text) for position, _, text in kept.output] == [(x, f"{x}\n") for x in range(fails + 1)]
