"""An interrupt while nothing of the user's runs is one line, which IPython shows at once."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from concompare.errors import Interrupted
from concompare.interrupts import guarded, in_one_line
from tests.ipython.conftest import Shell


@pytest.mark.parametrize("magic", ["%%parallel", "%%concompare"])
def test_an_interrupt_of_our_own_code_is_shown_in_one_line(
    magic: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concompare.cells.program.Cell", press)
    error = shell.fails(f"{magic}\nr = [abs(x) for x in range(3)]").error
    assert isinstance(error, Interrupted)
    assert error._render_traceback_() == ["KeyboardInterrupt: interrupted"]


def test_an_interrupt_of_the_users_code_keeps_its_traceback() -> None:
    namespace = {"__name__": "__main__"}
    exec("def stop(): raise KeyboardInterrupt('mine')", namespace)
    with pytest.raises(KeyboardInterrupt, match="mine") as caught:
        in_one_line(namespace["stop"])()  # type: ignore[arg-type]
    assert not isinstance(caught.value, Interrupted)


IMPORTING = compile("signal.raise_signal(signal.SIGINT); done.append(True)", "<frozen importlib._bootstrap>", "exec")
"""Code that Python takes for its own, which imports: an interrupt in the midst of it would leave a lock locked."""


def import_interrupted(done: list[bool]) -> None:
    exec(IMPORTING, {"signal": signal, "done": done})
    time.sleep(600)  # where the interrupt arrives


def test_an_interrupt_in_the_import_machinery_comes_a_little_later() -> None:
    done: list[bool] = []
    with pytest.raises(Interrupted):
        in_one_line(import_interrupted)(done)
    assert done == [True]


def test_so_does_one_of_a_pass_that_runs_the_users_code() -> None:
    done: list[bool] = []
    with pytest.raises(KeyboardInterrupt), guarded() as guard, guard.user_code():
        import_interrupted(done)
    assert done == [True]


def test_the_handler_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert in_one_line(signal.getsignal)(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(("asking", "made"), [("concompare.made", True), ("__main__", False)])
def test_an_import_of_ours_is_finished_first_and_one_of_the_users_is_not(
    asking: str, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "interrupted_here.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\ndone = 1\n")
    namespace = {"__name__": asking}
    exec("import time\ndef ask():\n    import interrupted_here\n    time.sleep(600)", namespace)
    with pytest.raises(KeyboardInterrupt):
        in_one_line(namespace["ask"])()  # type: ignore[arg-type]
    assert ("interrupted_here" in sys.modules) is made
    assert not made or sys.modules.pop("interrupted_here").done == 1
