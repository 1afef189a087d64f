"""Which calls of numpy surely give one number, or an array of numbers."""

from __future__ import annotations

import sys

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.declared import Declared

SIZES = {
    **dict.fromkeys(("random", "random_sample", "standard_normal", "standard_exponential"), 0),
    **dict.fromkeys(("permutation",), 0),
    **dict.fromkeys(("choice", "exponential", "poisson", "geometric", "rayleigh", "pareto", "power", "weibull"), 1),
    **dict.fromkeys(("integers", "randint", "normal", "uniform", "binomial", "gamma", "beta", "lognormal"), 2),
    **dict.fromkeys(("laplace", "logistic", "gumbel"), 2),
}
"""What draws numbers, and the place of the argument with which these are an array."""


def is_sized(what: str, given: Arguments) -> bool:
    """Tell whether random numbers of numpy are asked for as an array."""
    if "size" in given.named:
        return given.flags.get("size", declared.UNSEEN) is not None
    place = SIZES.get(what.rpartition(".")[2], sys.maxsize)
    return len(given.positional) > place and given.flags.get(place, declared.UNSEEN) is not None


def is_one_number(entry: Declared, given: Arguments, what: str) -> bool:
    """Tell whether numpy is asked for one random number: without a size, and with numbers as they stand there."""
    name = what.rpartition(".")[2]
    if not (entry.draws or "random" in entry.order) or name not in SIZES or name == "permutation":
        return False
    count = len(given.positional) + len(given.named)
    return (
        given.spread is None
        and count == len(given.flags)
        and all(map(is_number, given.flags.values()))
        and ("size" not in given.named and "out" not in given.named and len(given.positional) <= SIZES[name])
    )


def is_number(thing: object) -> bool:
    """Tell whether a constant is a number."""
    return isinstance(thing, (int, float))
