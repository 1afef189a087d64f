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
        return type(value) is tuple and len(value) == 2 and is_hashed(value[0])
    if PLAIN[consumer] == "numbers":
        return type(value) in NUMBERS or (type(value).__module__ == "numpy" and not hasattr(value, "__setitem__"))
    if PLAIN[consumer] == "compared":
        return value is not None and are_ordered(value, first)
    return is_hashed(value)


def is_hashed(value: Any) -> bool:
    """Tell whether a value surely has a hash."""
    return type(value) in HASHED or (type(value) is tuple and all(map(is_hashed, value)))


def are_ordered(value: Any, first: Any) -> bool:
    """Tell whether two values surely have an order, or are one; tuples of one length by what stands at each place."""
    if type(value) is tuple and type(first) is tuple:
        return len(value) == len(first) and all(map(are_ordered, value, first))
    return type(value) in HASHED and (type(value) is type(first) or {type(value), type(first)} <= NUMBERS)
