"""The page "Threads or processes?" says what notebook 02 has measured, in every sentence."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NUMBERS = {
    "Python": "3.14.2",
    "CPUs": "4",
    "load": "0.31",
    "computing in threads": "0.98× with 2",
    "computing in processes": "3.60× with 4",
    "waiting in threads": "14.2× with 16",
    "waiting in processes": "11.0× with 16",
    "hashing in threads": "3.70× with 4",
    "hashing in processes": "1.40× with 4",
    "a job in two threads": "2.03× as long as one",
    "a job in two processes": "1.05× as long as one",
    "starting a thread": "0.06 ms",
    "starting a process": "11 ms",
    "fifty thread workers": "1.07 s",
    "fifty process workers": "0.42 s",
    "an item, 1 in a message": "266 µs",
    "an item, 1000 in a message": "0.59 µs",
    "counter after 8 calls in threads": "8",
    "counter after 8 calls in processes": "0",
    "most of 12 jobs at a time in 4 workers": "4",
    "calls with a lock in threads": "4",
    "calls with a lock in processes": "0",
}


@pytest.fixture(scope="module")
def answer() -> Any:
    spec = importlib.util.spec_from_file_location("answer", ROOT / "docs" / "answer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_numbers_that_the_notebook_was_committed_with(answer: Any) -> None:
    numbers = answer.numbers_of()
    assert set(numbers) == set(NUMBERS)
    assert answer.PAGE.read_text(encoding="utf-8") == answer.page_of(numbers), "run `python docs/answer.py`"


def test_the_committed_numbers_bear_out_what_the_page_says(answer: Any) -> None:
    assert answer.untrue(answer.numbers_of()) == [], "run `make refresh-notebooks` when nothing else runs"


def test_every_row_and_every_point_of_the_page_has_a_number(answer: Any) -> None:
    page = answer.page_of(NUMBERS)
    points = re.findall(r"^- .*(?:\n  .*)*", page, re.M) + re.findall(r"^\| (?!your loop).*\|$", page, re.M)
    assert len(points) > 10
    lines = [" ".join(point.split()) for point in points]
    assert [line for line in lines if not any(number in line for number in NUMBERS.values())] == []
    assert all(number in " ".join(page.split()) for number in NUMBERS.values())


@pytest.mark.parametrize(
    ("what", "number", "claim"),
    [
        ("computing in processes", "1.00× with 4", "processes are best for computing"),
        ("hashing in threads", "1.10× with 4", "threads are best for hashing"),
        ("hashing in threads", "3.70× with 1", "threads are best for hashing"),
        ("an item, 1000 in a message", "1,266 µs", "a message of its own is dear"),
        ("waiting in threads", "3.90× with 16", "threads are no worse than processes for waiting"),
        ("counter after 8 calls in processes", "8", "processes have copies"),
        ("starting a process", "0.01 ms", "starting a process takes longer"),
    ],
)
def test_a_number_that_contradicts_the_page_is_told(answer: Any, what: str, number: str, claim: str) -> None:
    assert answer.untrue(NUMBERS) == []
    assert claim in answer.untrue({**NUMBERS, what: number})
