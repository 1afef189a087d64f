"""What we rely on of psutil that it does not document."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import psutil
import pytest

from concompare.backends.base import kill_processes


def test_a_process_without_an_id_is_never_taken_for_this_one() -> None:
    """`backends.base.kill_processes`: psutil's `Process(None)` is this process, and the notebook would be ended."""
    assert psutil.Process(None).pid == os.getpid()
    kill_processes([SimpleNamespace(pid=None)])


def test_an_id_that_no_process_has_is_an_error_of_its_own_or_of_pythons() -> None:
    """`backends.base.kill_processes`: workers that are gone already would fail the cell."""
    with pytest.raises((psutil.NoSuchProcess, ValueError)):
        psutil.Process(-1)
    kill_processes([SimpleNamespace(pid=-1)])


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux only")
def test_the_memory_that_a_process_has_for_itself_is_told() -> None:
    """`limits.taken`: workers that share pages would be said to take these once each."""
    full = psutil.Process().memory_full_info()
    assert 0 < full.uss <= full.pss <= full.rss
