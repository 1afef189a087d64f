"""Functions of a module of the user's, which processes of a pool can import."""

from __future__ import annotations

from typing import Any


def pair(x: int) -> list[int]:
    return [x, x + 1]


def picky(x: int) -> int:
    if x == 3:
        raise ValueError(f"not {x}")
    return x * 2


def marked(row: dict[str, int]) -> dict[str, int]:
    row["seen"] = 1
    return row


def same(x: Any) -> Any:
    return x


def told(x: int) -> int:
    print("told", x)
    return x
