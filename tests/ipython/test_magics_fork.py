"""What `-b fork` may do is said before anything runs."""

from __future__ import annotations

import multiprocessing

import pytest

from tests.ipython.conftest import Shell


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_the_hazard_of_fork_is_printed_unless_it_is_to_be_quiet(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concompare.backends.processes.hazard", lambda: ("fork: it may wait for ever",))
    cell = "r = [abs(x) for x in range(3)]"
    assert shell.run(f"%%parallel -b fork -w 1 --no-plot\n{cell}").stdout == "fork: it may wait for ever\n"
    assert shell.run(f"%%parallel -b fork -w 1 --quiet\n{cell}").stdout == ""
    assert shell.run(f"%%parallel -b threads -w 1 --no-plot\n{cell}").stdout == ""
