from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, fronts, plainly
from tests.cells.test_front import AHEAD

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("name", AHEAD)
def test_what_is_computed_ahead_leaves_the_same_on_real_workers(name: str, pool: engine.Pool) -> None:
    plain = plainly.run_plain(AHEAD[name], fronts.SETUP)

    assert plainly.difference(plain, compiled.run_on_engine(AHEAD[name], fronts.SETUP, pool)) is None


def test_objects_taken_from_a_list_come_back_as_themselves(pool: engine.Pool) -> None:
    before = "kept = list(jobs)\n"
    left = compiled.run_on_engine(
        f"{before}while jobs:\n    job = jobs.pop()\n    out.append((job, keep(job)))", fronts.SETUP, pool
    )

    taken = zip(left.names["kept"][::-1], left.names["out"], strict=True)
    assert all(one is pair[0] is pair[1][0] for one, pair in taken)


def test_what_is_drawn_ahead_comes_back_as_one_object(pool: engine.Pool) -> None:
    left = compiled.run_on_engine(
        "for x in xs:\n    s = rng.sample(data, 3)\n    out.append((s, keep(s)))", fronts.SETUP, pool
    )

    assert all(pair[0] is pair[1][0] for pair in left.names["out"])


def test_the_tail_ends_a_while_that_would_go_on_for_ever(pool: engine.Pool) -> None:
    left = compiled.run_on_engine(
        "while i < 10**9:\n    i += 1\n    r = work(i)\n    out.append(r)\n    if len(out) == 30: break",
        fronts.SETUP,
        pool,
    )

    assert left.error is None
    assert left.names["i"] == len(left.names["out"]) == 30
