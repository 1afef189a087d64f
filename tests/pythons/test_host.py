"""Passes on another Python; this one stands for it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import concompare
from concompare import engine
from concompare.errors import BackendUnavailable, BadOption, CannotShip
from concompare.pythons import host
from concompare.pythons.host import Guest, OtherPython

HERE = OtherPython(sys.executable, "threads @ here")


@pytest.fixture
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    kind = getattr(request, "param", "threads")
    with Guest(OtherPython(sys.executable, f"{kind} @ here"), 2 if kind != "serial" else 1) as opened:
        yield opened


every_kind = pytest.mark.parametrize("guest", ["serial", "threads", "processes"], indirect=True)


def run(guest: Guest, function: Any, items: Any, **options: Any) -> engine.Outcome:
    return guest.run_pass(function, items, engine.PassOptions(**options))


def doubled(x: int) -> int:
    return x * 2


def printing(x: int) -> int:
    os.write(1, b"noise for the protocol\n")
    print("more", flush=True)
    return x


def failing(x: int) -> int:
    return 6 // (3 - x)


def with_names(x: int) -> tuple[int, dict[str, Any]]:
    return x + 1, {"seen": x}


def dying(x: int) -> None:
    os._exit(7)


def waiting(x: int) -> None:
    time.sleep(0.05)


def process_of(x: int) -> tuple[int, int]:
    time.sleep(0.02)
    return os.getpid(), os.getppid()


def unsendable(x: int) -> Any:
    return lambda: x


LOADED: list[int] = []


def loaded(x: int) -> int:
    LOADED.append(x)
    return len(LOADED)


@every_kind
def test_values_come_in_input_order_with_their_record(guest: Guest) -> None:
    outcome = run(guest, doubled, range(100))
    assert outcome.values == [2 * x for x in range(100)]
    record = outcome.record
    assert record is not None
    assert record.items == sum(message.count for message in record.messages) == 100
    assert record.wall >= max(message.end for message in record.messages)
    assert {message.worker for message in record.messages} <= set(range(guest.got))
    for message in record.messages:
        assert 0 <= message.sent <= message.start <= message.end <= message.done <= record.wall
        assert len(message.seconds) == message.count
    assert record.gil == (guest.python["gil"], guest.python["gil"])
    assert guest.python["executable"] == sys.executable


def test_prints_do_not_disturb(guest: Guest, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(guest, printing, range(5)).values == [0, 1, 2, 3, 4]
    assert capfd.readouterr() == ("", "")


def test_names_beside_values_are_left_there(guest: Guest) -> None:
    assert run(guest, with_names, [1, 2], temporaries=("seen",)).values == [2, 3]


@every_kind
def test_an_item_that_raises_there_ends_the_trial_in_words(guest: Guest) -> None:
    with pytest.raises(BackendUnavailable, match="item 3 raised ZeroDivisionError there: "):
        run(guest, failing, range(5))
    assert run(guest, doubled, [4]).values == [8]


def test_a_process_that_ends_is_told(guest: Guest) -> None:
    with pytest.raises(BackendUnavailable, match=r"threads @ here: its process ended \(exit code 7\)"):
        run(guest, dying, [1])


@every_kind
def test_a_pass_ends_at_its_cap(guest: Guest) -> None:
    outcome = run(guest, waiting, range(1000), cap=0.2)
    assert outcome.stopped
    assert outcome.record is not None
    assert outcome.record.stopped == "stopped after 0.2 s"
    assert 0 < outcome.record.items < 1000


@pytest.mark.parametrize("guest", ["processes"], indirect=True)
def test_processes_there_are_its_own_have_the_function_once_and_end_with_it(guest: Guest) -> None:
    found = run(guest, process_of, range(12)).values
    workers = {pid for pid, _ in found}
    assert workers == set(guest.pids)
    assert len(workers) == 2
    assert guest.process.pid not in workers
    # Were the function made for each message, what it keeps beside it would be new each time.
    values = [*run(guest, loaded, range(20), chunk=1).values, *run(guest, loaded, range(20), chunk=1).values]
    assert values.count(1) <= 2
    family = [psutil.Process(pid) for pid in workers]
    guest.process.kill()
    assert psutil.wait_procs(family, timeout=500)[1] == []


@pytest.mark.parametrize("guest", ["processes"], indirect=True)
def test_a_process_that_dies_there_and_a_result_that_cannot_come_back_are_said(guest: Guest) -> None:
    with pytest.raises(BackendUnavailable, match=r"not possible there: .*[pP]ickle"):
        run(guest, unsendable, [1])
    with pytest.raises(BackendUnavailable, match="not possible there: BrokenProcessPool"):
        run(guest, dying, [1])


def test_what_cannot_be_done_there_is_said(guest: Guest) -> None:
    with pytest.raises(BackendUnavailable, match="neither a seed nor a time limit"):
        run(guest, doubled, [1], seed=1)
    with pytest.raises(CannotShip, match="the items cannot be sent to another Python: TypeError"):
        run(guest, doubled, [iter([1]), (x for x in "a")])


def test_a_guest_ends_with_its_host() -> None:
    guest = Guest(HERE, 1)
    assert guest.process.stdin is not None
    guest.process.stdin.close()
    assert guest.process.wait(10) == 0
    guest.close()


def test_pythons_are_found_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python9.9"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    number = f"{sys.version_info[0]}.{sys.version_info[1]}"
    version = host.version_of(sys.executable)
    found = host.find_all([sys.executable, "9.9", sys.executable])
    assert [other.path for other in found] == [sys.executable] * 3 + [str(script)] * 3
    kinds = ("serial", "threads", "processes")
    assert [other.name for other in found] == [
        f"{kind} @ {label}" for label in (host.short(version), version) for kind in kinds
    ]
    assert [other.label for other in found[:2]] == [
        f"{what} @ {host.short(version)}" for what in ("plain loop", "threads")
    ]
    assert [other.isolation for other in found[:3]] == ["none", "thread", "process"]
    assert version.startswith(number)


def test_a_short_version_keeps_its_t() -> None:
    assert [host.short("3.14.2t"), host.short("3.13.5")] == ["3.14t", "3.13"]


def test_what_is_no_python_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"--python 9\.8: no python9\.8 on the PATH; give the path of the interpreter"):
        host.find_all(["9.8"])
    with pytest.raises(BadOption, match=r"--python .*missing: there is no such program"):
        host.find_all([str(tmp_path / "missing")])
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho 'no libpython' >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(BadOption, match="it does not start: no libpython"):
        host.find_all([str(script)])


def test_what_runs_there_is_all_that_is_needed_there() -> None:
    """The text of the guest imports nothing that a bare Python lacks."""
    from concompare.pythons import guest as room

    text = Path(room.__file__).read_text(encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"text = __import__('sys').argv[1]\n{room.MAKE}module.serve(text)", text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.usefixtures("unhurried")
def test_a_comparison_has_the_other_pythons_trials_and_finding() -> None:
    report = concompare.compare(
        doubled, range(400), backends=["serial", "threads"], workers=[2], budget=60, pythons=[sys.executable]
    )
    there = [trial for trial in report.comparison.trials if " @ " in trial.backend]
    assert [(trial.backend.partition(" @ ")[0], trial.workers) for trial in there] == [
        ("serial", 1),
        ("threads", 2),
        ("processes", 2),
    ]
    assert [(trial.problem, trial.same) for trial in there] == [(None, True)] * 3
    blocks = [{p.block for p in trial.passes if p.block >= 0} for trial in report.comparison.trials]
    assert set.intersection(*blocks)
    assert report.best is not None
    assert " @ " not in report.best.backend
    assert "other-python" in {finding.code for finding in report.findings}
    assert all(f"{kind} @ 3." in str(report) for kind in ("plain loop", "threads", "processes"))
