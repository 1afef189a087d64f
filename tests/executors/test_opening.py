from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from concompare import machine
from concompare.errors import BadOption, UnknownBackend
from concompare.executors.opening import session_for


def test_by_default_there_is_a_worker_for_each_usable_cpu() -> None:
    assert session_for("processes", None, name="x").count == machine.usable_cpus()
    assert session_for("threads", 3, name="x").count == 3
    assert session_for("serial", 3, name="x").count == 1


def test_an_executor_of_the_users_is_a_backend() -> None:
    with ThreadPoolExecutor(2) as own:
        session = session_for(own, 2, name="x")
        assert session.backend.isolation == "thread"
        session.shutdown()


@pytest.mark.parametrize("count", [0, -1, 1.5, True, 10_001])
def test_numbers_of_workers_that_are_none_are_refused(count: Any) -> None:
    with pytest.raises(BadOption, match="processes"):
        session_for("threads", count, name="x", option="processes")


def test_no_backend_is_called_auto() -> None:
    with pytest.raises(UnknownBackend, match="'auto', which chooses by all the work"):
        session_for("auto", 1, name="x")


def test_an_initializer_has_to_be_callable_as_the_standard_library_says() -> None:
    with pytest.raises(TypeError, match="initializer must be a callable, and is 3"):
        session_for("threads", 1, 3, name="x")  # type: ignore[arg-type]


def test_a_context_of_multiprocessing_says_how_processes_start() -> None:
    context = multiprocessing.get_context("spawn")
    assert session_for("processes", 1, name="x", context=context).backend.name == "spawn"
    assert session_for("spawn", 1, name="x", context=context).backend.name == "spawn"
    with pytest.raises(BadOption, match="starts processes by 'spawn' and backend is 'threads': give one of the two"):
        session_for("threads", 1, name="x", context=context)
    with pytest.raises(BadOption, match="mp_context is 'spawn': use multiprocessing"):
        session_for("processes", 1, name="x", context="spawn")


def test_a_seed_is_a_whole_number() -> None:
    with pytest.raises(BadOption, match="seed is '1': use a whole number"):
        session_for("threads", 1, name="x", seed="1")  # type: ignore[arg-type]
