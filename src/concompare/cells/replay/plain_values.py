"""Values that a consumer surely takes, as `sum` takes numbers."""

from __future__ import annotations

from typing import Any

NUMBERS = {int, float, bool}
HASHED = {*NUMBERS, str, bytes, type(None)}
PLAIN = {
    **dict.fromkeys(("sum", "fsum", "prod", "mean", "fmean"), "numbers"),
    **dict.fromkeys(("set", "frozenset", "dict", "Counter"), "hashed"),
    **dict.fromkeys(("max", "min", "nlargest", "nsmallest"), "compared"),
}
"""What kind of values each consumer never fails at."""


def is_plain(value: Any, consumer: str, first: Any) -> bool:
    """Tell whether a consumer that has taken a first value surely takes another one."""
    if consumer == "dict":
        return type(value) is tuple and len(value) == 2 and type(value[0]) in HASHED
    if PLAIN[consumer] == "numbers":
        return type(value) in NUMBERS or (type(value).__module__ == "numpy" and not hasattr(value, "__setitem__"))
    if PLAIN[consumer] == "compared":
        return type(value) in HASHED and (type(value) is type(first) or {type(value), type(first)} <= NUMBERS)
    return type(value) in HASHED
