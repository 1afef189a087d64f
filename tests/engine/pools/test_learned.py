"""What passes leave for those after them."""

from __future__ import annotations

from concompare import backends, engine
from concompare.engine.pools.learned import Learned


def test_a_pass_leaves_what_its_items_took_and_who_has_the_function(no_leaks: None) -> None:
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        engine.run_pass(abs, range(5000), pool)
        ((key, (seconds, item_bytes)),) = pool.learned.means.items()
        assert seconds > 0
        assert item_bytes > 0
        assert pool.learned.expected(key) == (seconds, item_bytes)
        assert pool.learned.having(key) <= set(pool.present.idents)
        assert pool.learned.having(key)


def test_the_oldest_function_is_forgotten() -> None:
    learned = Learned()
    for number in range(20):
        learned.remember(str(number), 1.0, 2.0)
    assert list(learned.means)[-1] == "19"
    assert len(learned.means) < 10
    assert learned.expected("19") == (1.0, 2.0)
    assert learned.expected("0") == (0.0, 0.0)


def test_new_workers_have_nothing_but_items_take_what_they_took() -> None:
    learned = Learned()
    learned.having("f").add((1, 1))
    learned.remember("f", 1.0, 2.0)
    learned.forget_workers()
    assert learned.having("f") == set()
    assert learned.expected("f") == (1.0, 2.0)
