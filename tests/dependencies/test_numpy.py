"""What we rely on of numpy that it does not document."""

from __future__ import annotations

import numpy as np


def test_the_functions_of_numpy_random_are_methods_of_one_source() -> None:
    """`thread_seeding`, `cells.library`: threads would draw from each other's streams, and not be told of it."""
    source = np.random.mtrand._rand
    assert np.random.rand.__self__ is source  # type: ignore[attr-defined]
    assert np.random.normal.__self__ is source  # type: ignore[attr-defined]


def test_sources_of_numbers_are_told_by_the_names_of_their_classes() -> None:
    """`cells.library.is_random`, `changes.is_random`: draws from a generator of the user's would not be seen."""
    for source in (np.random.default_rng(0), np.random.RandomState(0)):
        assert type(source).__name__ in ("RandomState", "Generator")
        assert "numpy" in type(source).__module__
