"""What we rely on of joblib that it does not document."""

from __future__ import annotations

from typing import Any

import pytest

joblib: Any = pytest.importorskip("joblib")


@pytest.mark.parametrize(
    ("options", "backend"),
    [
        ({"n_jobs": 2}, "LokyBackend"),
        ({"n_jobs": 2, "backend": "threading"}, "ThreadingBackend"),
        ({"n_jobs": 2, "prefer": "threads"}, "ThreadingBackend"),
        ({"n_jobs": 2, "backend": "multiprocessing"}, "MultiprocessingBackend"),
    ],
)
def test_a_parallel_tells_its_backend_and_its_workers(options: dict[str, Any], backend: str) -> None:
    """Else calls in processes are taken for calls in threads: `cells.pools.mapping.what_of`."""
    made = joblib.Parallel(**options)
    assert type(made._backend).__name__ == backend
    assert made._effective_n_jobs() == 2
    assert made.return_as == "list"
    assert (made.verbose, made.timeout) == (0, None)


def test_delayed_gives_a_function_and_what_it_is_given() -> None:
    """Else no call of a `Parallel` is understood: `cells.pools.mapping.partial_method`."""
    assert joblib.delayed(max)(1, 2, key=abs) == (max, (1, 2), {"key": abs})
