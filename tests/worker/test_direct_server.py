"""A worker's end of a direct channel."""

from __future__ import annotations

import pickle

from concompare.worker import direct_server


def test_an_error_that_cannot_be_rebuilt_arrives_in_words() -> None:
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    error = pickle.loads(direct_server.packed(Odd(1, 2)))
    assert str(error) == "Odd: 1 and 2"
