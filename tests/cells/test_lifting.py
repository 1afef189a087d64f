from __future__ import annotations

from typing import Any

import pytest

from concompare import cells
from concompare.errors import BadOption, CellRefused
from tests.cells import plainly
from tests.cells.test_golden import LIFTED, SETUP


def lift(cell: str, **options: Any) -> Any:
    return cells.lift(cell, plainly.fresh(SETUP), filename="<cell>", **options)


def carried_out(cell: str, **options: Any) -> plainly.Left:
    return plainly.run_lifted(cell, SETUP, "processes", **options)


def test_nothing_runs_before_bind() -> None:
    namespace = plainly.fresh(SETUP)
    names = set(namespace)
    lifted = cells.lift("a = 1 / 0\nr = [f(x) for x in xs]", namespace)
    assert set(namespace) == names
    with pytest.raises(ZeroDivisionError):
        lifted.bind(namespace)


def test_items_are_evaluated_once() -> None:
    cell = "made = []\ndef items():\n    made.append(1)\n    return [1, 2]\nr = [f(x) for x in items()]"
    assert carried_out(cell).names["made"] == [1]


def test_a_syntax_error_is_raised_as_written_with_the_notebook_s_line() -> None:
    with pytest.raises(SyntaxError) as caught:
        lift("a = 1\nfor x in xs\n    f(x)", first_line=2)
    assert caught.value.lineno == 3


def test_a_misplaced_break_is_a_syntax_error_too() -> None:
    with pytest.raises(SyntaxError, match="outside loop"):
        lift("break\nfor x in xs:\n    out.append(f(x))")


def test_lines_count_from_the_magic() -> None:
    with pytest.raises(CellRefused) as caught:
        lift("for x in xs:\n    prev = f(prev)", first_line=2)
    assert caught.value.line == 3
    assert str(caught.value).startswith("line 3: needs 'prev' from the item before")


def test_the_line_chooses_the_loop() -> None:
    cell = "for x in xs:\n    out.append(f(x))\nfor y in ys:\n    other.append(f(y))"
    assert lift(cell, line=3).line == 3
    with pytest.raises(BadOption, match="--line 9"):
        lift(cell, line=9)


def test_the_loop_that_does_the_work_is_taken_and_named() -> None:
    lifted = lift("for x in xs:\n    out.append(x * 2)\nfor y in ys:\n    other.append(f(y))")
    assert lifted.line == 3
    assert "at line 3" in lifted.notes[0]


def test_several_loops_that_work_are_listed() -> None:
    with pytest.raises(CellRefused, match=r"lines 1 \(f\), 3 \(half\)"):
        lift("for x in xs:\n    out.append(f(x))\nfor y in ys:\n    other.append(half(y))")


def test_head_and_tail_read_like_code() -> None:
    lifted = lift("for x in xs:\n    y = f(x)\n    out.append(y)")
    assert lifted.head_source.splitlines()[:2] == ["def head(x):", "    y = f(x)"]
    assert lifted.tail_source == "out.append(y)"
    assert (lifted.kind, lifted.name) == ("loop", "f")


def test_a_simple_comprehension_needs_no_names() -> None:
    lifted = lift("r = [f(x) for x in xs]")
    assert lifted.head_source == "def head(x):\n    return f(x)"
    assert lifted.bind(plainly.fresh(SETUP)).temporaries == ()


def test_the_explanation_says_what_would_happen_and_runs_nothing() -> None:
    namespace = plainly.fresh(SETUP)
    text = cells.lift("for x in xs:\n    out.append(scale(x))", namespace).explanation(namespace)
    assert "runs in workers" in text
    assert "out.append" in text
    assert "items: xs (6 items)" in text
    assert "scale: function" in text
    assert namespace["out"] == []


def explained(cell: str, **options: Any) -> str:
    namespace = plainly.fresh(SETUP)
    text: str = cells.lift(cell, namespace, filename="<cell>", **options).explanation(namespace)
    return text


@pytest.mark.parametrize(("name", "cell"), LIFTED, ids=[name for name, _ in LIFTED])
def test_no_explanation_shows_a_name_that_we_made_up(name: str, cell: str) -> None:
    text = explained(cell)
    assert "_concompare" not in text
    assert "locals()" not in text


def test_an_explanation_reads_as_the_user_would_write_it() -> None:
    assert explained("results = []\nfor x in xs:\n    y = f(x)\n    results.append(y)\n    print(x)") == (
        "the loop at line 2: f\n\nruns in workers, for every item:\n    def head(x):\n        y = f(x)\n"
        "        return y\n\nis replayed in the notebook, in item order:\n    results.append(y)\n    print(x)\n\n"
        "items: xs (6 items)\n\ntaken along from the notebook:\n    f: function"
    )


def test_the_explanation_of_a_comprehension_says_what_becomes_of_the_values() -> None:
    assert "in item order:\n    r.append(value)\n\nitems" in explained("r = [f(x) for x in xs]")
    text = explained("total = sum(f(x) for x in xs)")
    assert "    results.append(value)\n\nthen, in the notebook:\n    total = sum(results)\n" in text
    assert "then, in the notebook:\n    r = dict(results)\n" in explained("r = {x: f(x) for x in xs}")


def test_the_explanation_of_a_call_has_no_items() -> None:
    text = explained("r = fib(12)")
    assert "runs in a worker:\n    def head():\n        return fib(12)\n\nthen, in the notebook:\n    r = value" in text
    assert "items" not in text


def test_the_explanation_says_what_the_last_item_leaves() -> None:
    text = explained("for x in xs:\n    y = f(x)\n    z = y + 1\n    out.append(z)")
    assert "the last item leaves in the notebook, as the plain loop does: y\n" in text


def test_a_refusal_has_every_reason_with_its_line() -> None:
    cell = "for x in xs:\n    prev = f(prev) + x\n    log.append(read_log(x))\n    out.append(random.random())"
    with pytest.raises(CellRefused) as caught:
        lift(cell)
    assert [reason.partition(":")[0] for reason in caught.value.reasons] == ["line 2", "line 3", "line 4"]
    assert caught.value.reasons[0] == str(caught.value)


def test_a_cached_function_is_lifted_and_says_that_its_cache_stays_behind() -> None:
    assert "the cache of `cached` does not come back from workers" in lift("r = [cached(x) for x in xs]").notes


def test_files_written_in_a_function_are_a_hazard() -> None:
    save = "def save(p):\n    p.with_suffix('.out').write_text('x')\n    return 1\n"
    cell = save + "r = [save(p) for p in [pathlib.Path('a')]]"
    assert any("writes files" in sentence for sentence in lift(cell).hazards)


def test_random_numbers_that_all_items_share_are_told_unless_every_item_has_its_own_stream() -> None:
    shared = "`random.random` draws from random numbers that all items share"
    assert any(shared in sentence for sentence in lift("r = [draw(x) for x in xs]", assume_pure=True).hazards)
    assert lift("r = [draw(x) for x in xs]", seeded=True).hazards == ()


def test_assume_pure_accepts_what_cannot_be_seen() -> None:
    cell = "for x in xs:\n    out.append(found.get('g', f)(x))"
    with pytest.raises(CellRefused, match="--assume-pure"):
        lift(cell)
    assert carried_out(cell, assume_pure=True).names["out"] == [2, 5, 10, 17, 26, 37]


def test_assume_pure_does_not_accept_what_can_be_seen() -> None:
    with pytest.raises(CellRefused, match="log"):
        lift("r = [append_log(x) for x in xs]", assume_pure=True)


def test_items_given_for_a_function_of_the_cell() -> None:
    left = carried_out("def g(v):\n    return v + FACTOR", over="xs")
    assert left.value == [4, 5, 6, 7, 8, 9]
    assert left.names["g"](1) == 4


def test_an_async_function_is_given_as_it_is() -> None:
    lifted = lift("async def g(v):\n    return v", over="xs")
    assert lifted.bind(plainly.fresh(SETUP)).function.__name__ == "g"


@pytest.mark.parametrize("name", ["f", "half"])
def test_a_function_of_the_notebook_can_be_named(name: str) -> None:
    assert lift("", over="xs", function=name).name == name


def test_a_function_that_counts_is_refused_with_its_items() -> None:
    with pytest.raises(CellRefused, match="count"):
        lift("", over="xs", function="step")


def test_a_function_that_changes_its_item_is_refused() -> None:
    with pytest.raises(CellRefused, match="the item"):
        lift("def g(row):\n    row['z'] = 1\n    return row", over="rows")


def test_a_missing_function_is_a_bad_option() -> None:
    with pytest.raises(BadOption, match="--function nope"):
        lift("def g(v):\n    return v", over="xs", function="nope")


def test_bad_items_are_a_bad_option() -> None:
    with pytest.raises(BadOption, match="--over"):
        lift("def g(v):\n    return v", over="xs +")


def test_a_cell_s_name_that_hides_a_builtin_is_what_it_says() -> None:
    cell = "def sum(values):\n    return list(values)\nr = sum([f(x) for x in xs])"
    assert carried_out(cell).names["r"] == [2, 5, 10, 17, 26, 37]


def test_a_file_edited_after_import_is_not_followed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "edited_module.py"
    module.write_text("def work(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace = plainly.fresh("import edited_module\nxs = [1, 2]")
    assert cells.lift("r = [edited_module.work(x) for x in xs]", namespace)
    module.write_text("log = []\ndef work(x, other):\n    return log\n")
    import linecache

    linecache.checkcache()
    with pytest.raises(CellRefused, match="source of `work` cannot be found"):
        cells.lift("r = [edited_module.work(x) for x in xs]", namespace)


def test_a_local_module_is_followed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "local_module.py").write_text("log = []\ndef work(x):\n    log.append(x)\n    return len(log)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace = plainly.fresh("import local_module\nxs = [1, 2]")
    with pytest.raises(CellRefused, match="log"):
        cells.lift("r = [local_module.work(x) for x in xs]", namespace)


def test_a_report_in_the_notebook_is_not_followed() -> None:
    setup = (
        "from concompare.report import Report\nkept = Report.__new__(Report)\ndef count(n):\n    return sum(range(n))"
    )
    lifted = cells.lift("r = [count(20) for _ in range(4)]", plainly.fresh(setup))
    assert lifted.notes == ()
    assert lifted.hazards == ()


def test_a_progress_bar_around_the_items_is_the_user_s(capsys: pytest.CaptureFixture[str]) -> None:
    setup = SETUP + "\nfrom tqdm import tqdm\n"
    cell = "for x in tqdm(xs, leave=False):\n    out.append(f(x))"
    left = plainly.run_lifted(cell, setup, "threads")
    assert left.names["out"] == [2, 5, 10, 17, 26, 37]
    capsys.readouterr()


def test_task_of_collects_the_values() -> None:
    task = cells.task_of(abs, [-1, 2])
    assert (task.count, task.name, task.kind) == (2, "abs", "function")
    assert not task.apply(0, 1)
    task.apply(1, 2)
    assert task.finish({}) == [1, 2]


def test_annotations_stay_text_where_an_earlier_cell_asked_for_it() -> None:
    setup = "from __future__ import annotations\nfound, xs = [], [1, 2]\ndef f(x): return x + 1"
    cell = "def g(x: Missing) -> Missing:\n    return f(x)\nfor x in xs:\n    y: Missing = g(x)\n    found.append(y)"
    left = plainly.run_lifted(cell, setup, "processes")
    assert left.error is None
    assert left.names["__annotations__"] == {"y": "Missing"}
    assert left.names["found"] == [2, 3]
