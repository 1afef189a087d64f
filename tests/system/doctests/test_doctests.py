"""The doctests of a small folder, with the loops of its functions on workers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.doctests import doctests

NUMBERS = '''
"""Numbers."""

import random
import time

CALLS = []


def square(n):
    """Square.

    >>> square(3)
    9
    """
    return n * n


def squares(numbers):
    """Square all.

    >>> squares([1, 2, 3])
    [1, 4, 9]
    >>> squares([1, None])
    Traceback (most recent call last):
        ...
    TypeError: unsupported operand type(s) for *: 'NoneType' and 'NoneType'
    """
    return [square(n) for n in numbers]


class Sums:
    def running(self, numbers):
        """Sum up.

        >>> Sums().running([1, 2])
        5
        """
        total = 0
        for n in numbers:
            total = square(n + total) - 4 * (n - 1)
        return total


def wrong():
    """
    >>> 1
    2
    """


def unsteady():
    """
    >>> CALLS.append(time.time()); CALLS[-1] > 0, CALLS  # doctest: +ELLIPSIS
    (True, [...])
    """


def seen_by_decorators():
    """
    >>> hasattr(square, "__wrapped__")
    False
    """


def endless():
    """
    >>> while True: pass
    """
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "numbers_of_all_kinds.py").write_text(NUMBERS, encoding="utf-8")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "__init__.py").write_text("from part.inside import answer\n", encoding="utf-8")
    inside = 'def answer():\n    """\n    >>> answer()\n    1\n    """\n    return 1\n'
    (tmp_path / "part" / "inside.py").write_text(inside, encoding="utf-8")
    (tmp_path / "missing.py").write_text('"""\n>>> 1\n1\n"""\nimport nothing_of_that_name\n', encoding="utf-8")
    return tmp_path


def lines(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    code = doctests.main([str(folder), "--backends", "threads", "--limit", "2", *options])
    return code, [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_what_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = lines(folder, capsys)
    assert code == 0
    for line in (
        "3 files, 1 that cannot be imported",
        "1 ModuleNotFoundError: No module named …",
        "8 doctests, of which set aside: 1 that fail plainly,",
        "1 that take longer than 2 s, 2 unsteady",
        "threads: 4 doctests, 2 loops, 2 of them with work and reached",
        "lifted 1 50 % of those reached, 2 runs",
        "refused 1",
        "different 0",
    ):
        assert line in found, "\n".join(found)
    assert any(line.startswith("1 carried: ") and "from the item before" in line for line in found)


def forgetful(*, backend: str, workers: int) -> Callable[..., Any]:
    """Return a decorator that is wrong: lists lose their last value."""

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            return found[:-1] if isinstance(found, list) else found

        return called

    return decorated


def test_a_difference_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = lines(folder, capsys, "--decorator", f"{__name__}:forgetful")
    assert code == 1
    assert "different 1" in found
    place = found.index("numbers_of_all_kinds.py: numbers_of_all_kinds.squares")
    assert found[place + 1 : place + 4] == ["example squares([1, 2, 3])", "expected [1, 4, 9]", "given [1, 4]"]
