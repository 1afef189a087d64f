"""What a cell's loops become, and which promises about cells hold whatever they hold."""

from __future__ import annotations

import ast
import importlib
import linecache
import math
import re
import types
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.explaining import explanation
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import task_of
from concompare.errors import BadOption, CellRefused
from tests.cells import plainly, programs
from tests.cells.test_golden import SETUP


def run(cell: str, **wishes: Any) -> programs.Ran:
    return programs.run(cell, SETUP, "processes", **wishes)


def lift(cell: str, **wishes: Any) -> Lifted:
    return programs.bound(cell, plainly.fresh(SETUP), **wishes)[1]


def refusal_of(ran: programs.Ran) -> CellRefused:
    (refused,) = ran.cell.refused
    return refused.refusal


def test_a_syntax_error_is_raised_as_written_with_the_notebook_s_line() -> None:
    with pytest.raises(SyntaxError) as caught:
        lift("a = 1\nfor x in xs\n    f(x)", first_line=2)
    assert caught.value.lineno == 3


def test_a_misplaced_break_is_a_syntax_error_too() -> None:
    with pytest.raises(SyntaxError, match="outside loop"):
        lift("break\nfor x in xs:\n    out.append(f(x))")


def test_lines_count_from_the_magic() -> None:
    refusal = refusal_of(run("for x in xs:\n    prev = f(prev)", first_line=2))
    assert refusal.line == 3
    assert str(refusal).startswith("line 3: needs 'prev' from the item before")


def test_every_loop_that_works_runs_in_parallel_and_one_that_moves_data_does_not() -> None:
    ran = run("for x in xs:\n    out.append(x)\nfor y in ys:\n    other.append(f(y))\nr = [half(y) for y in ys]")
    assert [lifted.line for lifted in ran.cell.lifted] == [3, 5]
    assert [refused.loop.line for refused in ran.cell.refused] == [1]
    assert "nothing to run in parallel" in str(refusal_of(ran))


def test_an_explanation_shows_an_f_string_that_python_cannot_write_as_one() -> None:
    cell = "for x in xs:\n    h = Tank(x)\n    h.fill(1)\n    print(f\"{'\t'.join(texts)}{h.level!r:>4}\")"
    text = explanation(Cell(cell, Wishes("<cell>")), plainly.fresh(SETUP))
    assert "texts" in text
    assert "h.level" in text
    assert run(cell).left.printed == plainly.run_plain(cell, SETUP).printed


@pytest.mark.parametrize(
    ("cell", "where"),
    [
        ("for x in xs:\n    t = Tank(x)\n    t.fill(f(x))\n    out.append(t.fill(1))", "t.fill(f(x))"),
        ("for x in xs:\n    m = Model()\n    m.fit(x)\n    out.append(m.predict(x))", "m.fit(x)"),
        (
            "for x in xs:\n    t = Tank(x, [])\n    for y in ys:\n        t.push(f(y))\n    out.append(t)",
            "t.push(f(y))",
        ),
        ("for x in xs:\n    g = random.Random(x)\n    out.append(g.random())", "g.random()"),
        ("for x in xs:\n    s = io.StringIO()\n    s.write(str(x))\n    out.append(s.getvalue())", "s.write(str(x))"),
        ("for x in xs:\n    t = Tank(x)\n    found[x] = t.doubled", "t.doubled"),
        ("out = [Tank(x).fill(f(x)) for x in xs]", "Tank(x).fill(f(x))"),
        ("for t in texts:\n    m = compiled.search(t)\n    if m:\n        out.append(m.group())", "m.group()"),
        ("for t in texts:\n    m = compiled.search(t)\n    if m:\n        out.append(m[0])", "m[0]"),
        ("for t in texts:\n    out.append(t.replace('o', 'u').upper())", "t.replace"),
    ],
)
def test_objects_of_an_item_are_changed_and_asked_by_workers(cell: str, where: str) -> None:
    lifted = lift(cell)
    assert where in programs.head_of(lifted)
    assert where not in programs.tail_of(lifted)


@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    t = Tank(x, log)\n    t.push(x)\n    out.append(f(x))",
        "for x in xs:\n    t = Tank(x)\n    t.attach(log)\n    t.push(x)\n    out.append(f(x))",
    ],
)
def test_what_all_items_share_is_changed_in_the_notebook(cell: str) -> None:
    lifted = lift(cell)
    assert "push" not in programs.head_of(lifted)
    assert "push" in programs.tail_of(lifted)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("t = Tank()\nfor x in xs:\n    t.fill(x)\n    out.append(t.fill(1))", r"`t`|'t'|Tank\.fill"),
        ("t = Tank()\nfor x in xs:\n    t = Tank(f(t.level))", r"'t' from the item|which the item before made"),
    ],
)
def test_an_object_that_goes_from_item_to_item_is_refused(cell: str, why: str) -> None:
    ran = run(cell)
    assert refusal_of(ran).line is not None
    assert re.search(why, str(refusal_of(ran)))
    assert ran.left.error is None


@pytest.mark.parametrize("apart", [False, True])
def test_a_module_that_was_edited_and_loaded_again_is_followed(
    apart: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"edited_{apart}.py"
    path.write_text("def work(v):\n    return v + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(path.stem)
    namespace = {**plainly.fresh(SETUP), "work": module.work}
    cell = "r = [work(x) for x in xs]"
    programs.bound(cell, namespace)
    path.write_text("import math\n\nDEPTH = 2\n\n\ndef work(v):\n    return math.floor(v) * 2 + DEPTH\n")
    if apart:  # as `%autoreload 2` does it: the new definition is compiled by itself, and takes the old one's place
        code = compile(ast.parse(ast.unparse(ast.parse(path.read_text()).body[-1])), str(path), "exec")
        namespace["work"].__code__ = next(part for part in code.co_consts if isinstance(part, types.CodeType))
        vars(module).update(math=math, DEPTH=2)
    else:
        namespace["work"] = importlib.reload(module).work
    assert "work(x)" in programs.head_of(programs.bound(cell, namespace)[1])
    path.write_text("def work(v):\n    return print(v)\n")  # edited, and not loaded again
    linecache.checkcache(str(path))
    with pytest.raises(CellRefused, match="the source of `work` cannot be found"):
        programs.bound(cell, namespace)


def test_a_file_edited_after_import_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "edited_module.py"
    module.write_text("def work(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace = plainly.fresh("import edited_module\nxs = [1, 2]")
    programs.bound("r = [edited_module.work(x) for x in xs]", namespace)
    module.write_text("log = []\ndef work(x, other):\n    return log\n")
    linecache.checkcache()
    with pytest.raises(CellRefused, match="source of `work` cannot be found"):
        programs.bound("r = [edited_module.work(x) for x in xs]", namespace)


def test_a_local_module_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "local_module.py").write_text("log = []\ndef work(x):\n    log.append(x)\n    return len(log)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace = plainly.fresh("import local_module\nxs = [1, 2]")
    with pytest.raises(CellRefused, match="log"):
        programs.bound("r = [local_module.work(x) for x in xs]", namespace)


def test_a_connection_is_made_where_it_is_used() -> None:
    cell = "for x in xs:\n    c = sqlite3.connect(':memory:')\n    c.execute('select 1')\n    late.append(c)"
    ran = run(cell)
    assert ran.left.error is None
    assert len(ran.left.names["late"]) == len(ran.left.names["xs"])


def test_a_refusal_has_every_reason_with_its_line() -> None:
    cell = "for x in xs:\n    prev = f(prev) + x\n    log.append(read_log(x))\n    out.append(random.random())"
    refusal = refusal_of(run(cell))
    lines = [reason.partition(":")[0] for reason in refusal.reasons]
    assert lines[:2] == ["line 2", "line 3"]
    assert refusal.reasons[0] == str(refusal)


def test_a_cached_function_says_that_its_cache_stays_behind() -> None:
    (hazard,) = lift("r = [cached(x) for x in xs]").hazards
    assert "the cache of `cached` does not come back from workers" in hazard


def test_files_written_in_a_function_are_a_hazard() -> None:
    save = "def save(p):\n    p.with_suffix('.out').write_text('x')\n    return 1\n"
    cell = save + "r = [save(p) for p in [pathlib.Path('a')]]"
    assert any("writes or deletes files" in sentence for sentence in lift(cell).hazards)


def test_random_numbers_that_all_items_share_are_told_unless_every_item_has_its_own_stream() -> None:
    with pytest.raises(CellRefused, match="`draw` draws from random numbers that all items share"):
        lift("r = [draw(x) for x in xs]")
    assert lift("r = [draw(x) for x in xs]", seeded=True).hazards == ()


def test_assume_pure_accepts_what_cannot_be_seen() -> None:
    cell = "for x in xs:\n    out.append(found.get('g', f)(x))"
    assert run(cell, assume_pure=True).left.names["out"] == [2, 5, 10, 17, 26, 37]


def test_assume_pure_does_not_accept_what_can_be_seen() -> None:
    with pytest.raises(CellRefused, match="log"):
        lift("r = [append_log(x) for x in xs]", assume_pure=True)


def test_an_async_function_of_the_cell_is_awaited_for_each_item() -> None:
    assert run("async def g(v):\n    return f(v)", over="xs").left.value == [2, 5, 10, 17, 26, 37]


@pytest.mark.parametrize("name", ["f", "half"])
def test_a_function_of_the_notebook_can_be_named(name: str) -> None:
    assert lift("", over="xs", function=name).name == name


def test_a_function_that_counts_is_refused_with_its_items() -> None:
    with pytest.raises(CellRefused, match="count"):
        lift("", over="xs", function="step")


def test_a_function_that_changes_its_items_changes_those_of_the_notebook() -> None:
    cell = "def g(row):\n    row['z'] = f(1)\n    return row"
    left = run(cell, over="rows").left
    assert left.error is None
    assert all(one is other for one, other in zip(left.value, left.names["rows"], strict=True))
    assert {row["z"] for row in left.value} == {2}


def test_a_missing_function_is_a_bad_option() -> None:
    with pytest.raises(BadOption, match="--function nope: neither the cell nor the notebook has it"):
        lift("def g(v):\n    return v", over="xs", function="nope")
    assert run("from math import sqrt as given", over="xs", function="given").left.value[0] == 1.0


def test_a_cell_s_name_that_hides_a_builtin_is_what_it_says() -> None:
    cell = "def sum(values):\n    return list(values)\nr = sum([f(x) for x in xs])"
    ran = run(cell)
    assert ran.left.names["r"] == [2, 5, 10, 17, 26, 37]
    assert ran.cell.lifted


def test_a_report_in_the_notebook_is_not_followed() -> None:
    setup = "from concompare import Report\nkept = Report.__new__(Report)\ndef count(n):\n    return sum(range(n))"
    lifted = programs.bound("r = [count(20) for _ in range(4)]", plainly.fresh(setup))[1]
    assert (lifted.notes, lifted.hazards) == ((), ())


def test_a_progress_bar_around_the_items_is_the_user_s(capsys: pytest.CaptureFixture[str]) -> None:
    cell = "for x in tqdm(xs, leave=False):\n    out.append(f(x))"
    ran = programs.run(cell, SETUP + "\nfrom tqdm import tqdm\n", "threads")
    assert ran.left.names["out"] == [2, 5, 10, 17, 26, 37]
    assert ran.cell.lifted
    capsys.readouterr()


def test_task_of_collects_the_values() -> None:
    task = task_of(abs, [-1, 2])
    assert (task.count, task.name, task.kind) == (2, "abs", "function")
    assert not task.apply(0, 1)
    task.apply(1, 2)
    assert task.finish({}) == [1, 2]


def test_annotations_stay_text_where_an_earlier_cell_asked_for_it() -> None:
    setup = "from __future__ import annotations\nfound, xs = [], [1, 2]\ndef f(x): return x + 1"
    cell = "def g(x: Missing) -> Missing:\n    return f(x)\nfor x in xs:\n    y: Missing = g(x)\n    found.append(y)"
    ran = programs.run(cell, setup, "processes")
    assert ran.left.error is None
    assert ran.left.names["__annotations__"] == {"y": "Missing"}
    assert ran.left.names["found"] == [2, 3]
    assert ran.cell.lifted
