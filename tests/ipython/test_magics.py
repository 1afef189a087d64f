"""The magics in a real shell: results, names, values, what is shown, errors."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import concompare
from concompare import Report
from concompare.engine.cpu_timeline import can_sample
from concompare.errors import BadOption, BadSyntax, CellRefused
from tests.ipython.conftest import Shell

KINDS = ("serial", "threads", "processes")
CELLS = {
    "comprehension": "results = [square(n) for n in xs]",
    "append": "results = []\nfor n in xs:\n    value = square(n)\n    results.append(value)",
    "dictionary": "table = {}\nfor n in xs:\n    table[n % 3] = square(n)",
    "running sum": "total = 0.1\nfor n in xs:\n    total += square(n) / 7",
    "running maximum": "best = -1\nfor n in xs:\n    s = square(n)\n    if s > best:\n        best = s",
    "before and after": "start = 5\nresults = [square(n) + start for n in xs]\nlast = results[-1]\nlast",
    "map": "results = list(map(square, xs))",
    "sum": "total = sum(square(n) for n in xs)\ntotal",
    "value": "[square(n) for n in xs]",
    "silent": "[square(n) for n in xs];",
    "prints": "for n in xs:\n    print(n, square(n))",
}


def prepare(shell: Shell) -> None:
    shell.run("def square(n):\n    return n * n\nxs = [3, 1, 4, 1, 5, 9, 2, 6]")


def public(names: dict[str, Any]) -> dict[str, Any]:
    """Return the user's own names that hold data."""
    hidden = {"In", "Out", "exit", "quit", "open", "get_ipython", "square", "divide"}
    return {name: value for name, value in names.items() if not name.startswith("_") and name not in hidden}


@pytest.mark.parametrize("backend", KINDS)
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_parallel_leaves_exactly_what_the_plain_cell_leaves(cell: str, backend: str, shell: Shell) -> None:
    prepare(shell)
    plain = shell.run(cell)
    expected = public(shell.names)
    shell.shell.reset(new_session=True)
    prepare(shell)
    ran = shell.run(f"%%parallel -b {backend} -w 2 --quiet\n{cell}")
    assert public(shell.names) == expected
    assert ran.value == plain.value
    assert ran.stdout == plain.stdout
    assert ran.displays == []


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_concompare_leaves_exactly_what_the_plain_cell_leaves(cell: str, shell: Shell) -> None:
    prepare(shell)
    plain = shell.run(cell)
    expected = public(shell.names)
    shell.shell.reset(new_session=True)
    prepare(shell)
    ran = shell.run(f"%%concompare --no-plot -b serial,threads -w 2 --quiet --budget 0.3\n{cell}")
    assert public(shell.names) == expected
    assert isinstance(ran.value, Report)
    assert ran.stdout.startswith(plain.stdout.rpartition("Out[")[0])


def test_parallel_shows_a_summary_beside_the_value(shell: Shell) -> None:
    prepare(shell)
    ran = shell.run("%%parallel -b threads -w 2\n[square(n) for n in xs]")
    assert ran.value == [9, 1, 16, 1, 25, 81, 4, 36]
    assert len(ran.displays) == 1
    assert {"text/plain", "text/html"} <= set(ran.displays[0])
    assert "8 items" in ran.shown
    assert "threads" in ran.shown


def test_the_line_form_takes_an_expression_or_a_statement(shell: Shell) -> None:
    prepare(shell)
    assert shell.run("%parallel -b threads -w 2 [square(n) for n in xs]").value == [9, 1, 16, 1, 25, 81, 4, 36]
    shell.run("%parallel -b threads results = [square(n) for n in xs]")
    assert shell.names["results"][-1] == 36
    shell.run("found = %parallel -b threads [square(n) for n in xs]")
    assert shell.names["found"] == shell.names["results"]


def test_the_report_is_the_value_of_concompare(shell: Shell) -> None:
    prepare(shell)
    ran = shell.run("r = %concompare -b serial,threads -w 1,2 --budget 0.3 --quiet [square(n) for n in xs]")
    report = shell.names["r"]
    assert isinstance(report, Report)
    assert report.results == [9, 1, 16, 1, 25, 81, 4, 36]
    assert {(t.backend, t.workers) for t in report.comparison.trials} == {("serial", 1), ("threads", 1), ("threads", 2)}
    assert ran.displays == []
    assert report.comparison.subject.items == 8


@pytest.mark.slow
def test_a_plain_call_is_compared_with_one_call_for_every_worker(shell: Shell) -> None:
    shell.run("def work(n):\n    return sum(range(n))")
    ran = shell.run("%%concompare --no-plot -b serial,threads -w 1,2 --budget 2 --quiet\nanswer = work(20_000)")
    assert shell.names["answer"] == sum(range(20_000))
    assert ran.value.comparison.scaling == "weak"
    assert {(t.backend, t.workers) for t in ran.value.comparison.trials} >= {("threads", 1), ("threads", 2)}
    assert shell.run("%parallel -b threads --quiet work(10)").value == 45


def test_several_configurations_are_run_each_and_bound_once(shell: Shell) -> None:
    prepare(shell)
    shell.run("log = []")
    loop = "results = []\nfor n in xs:\n    results.append(square(n))\n    log.append(n)"
    ran = shell.run(f"%%parallel -b serial,threads,processes -w 1,2 --no-plot\n{loop}")
    assert shell.names["results"] == [9, 1, 16, 1, 25, 81, 4, 36]
    assert shell.names["log"] == [3, 1, 4, 1, 5, 9, 2, 6]
    for row in ("plain loop", "threads", "processes"):
        assert row in ran.shown


def test_prints_come_once_with_several_configurations(shell: Shell) -> None:
    prepare(shell)
    shell.run("def speak(n):\n    print('item', n)\n    return n")
    ran = shell.run("%%parallel -b threads,serial -w 2 --quiet\nresults = [speak(n) for n in range(4)]")
    assert ran.stdout == "item 0\nitem 1\nitem 2\nitem 3\n"


FAILING = "results = []\nfor n in range(8):\n    value = divide(n)\n    results.append(value)\nafter = 1"


def left_by_the_plain_loop(shell: Shell) -> dict[str, Any]:
    """Return the names that a failing loop leaves, with the shell ready to run it in another way."""
    shell.run("def divide(n):\n    return 10 // (4 - n)")
    shell.fails(FAILING)
    expected = public(shell.names)
    shell.run("del results, value, n")
    return expected


@pytest.mark.parametrize("backend", ["serial,threads", "threads,serial", "processes", "threads"])
def test_a_failing_item_leaves_what_the_plain_loop_leaves(backend: str, shell: Shell) -> None:
    expected = left_by_the_plain_loop(shell)
    ran = shell.fails(f"%%parallel -b {backend} -w 2\n{FAILING}")
    assert isinstance(ran.error, ZeroDivisionError)
    assert public(shell.names) == expected


def test_concompare_with_a_failing_item_leaves_what_the_plain_loop_leaves(shell: Shell) -> None:
    expected = left_by_the_plain_loop(shell)
    ran = shell.fails(f"%%concompare -b serial,threads -w 2 --budget 0.3 --quiet\n{FAILING}")
    assert isinstance(ran.error, ZeroDivisionError)
    assert public(shell.names) == expected


def test_failures_can_be_kept(shell: Shell) -> None:
    ran = shell.run("%%parallel -b threads -w 2 --on-error keep\nresults = [10 // (4 - n) for n in range(8)]")
    results = shell.names["results"]
    assert [bool(result) or result == 0 for result in results].count(False) == 1
    assert isinstance(results[4], concompare.Failure)
    assert isinstance(results[4].error, ZeroDivisionError)
    assert ran.error is None


@pytest.mark.parametrize("backend", KINDS)
@pytest.mark.parametrize("blank", ["", "\n\n", "  \n# comment\n"])
def test_a_traceback_shows_the_cell_s_own_lines(backend: str, blank: str, shell: Shell) -> None:
    ran = shell.fails(f"%%parallel -b {backend} -w 2\n{blank}results = [\n    10 // (4 - n)\n    for n in range(8)\n]")
    line = 3 + blank.count("\n")
    assert re.search(rf"-+> {line} +10 // \(4 - n\)", ran.stdout), ran.stdout
    assert "concompare/" not in ran.stdout
    assert "run_cell_magic" not in ran.stdout
    assert "item 4" in ran.stdout


@pytest.mark.parametrize("backend", KINDS)
def test_an_error_in_a_function_s_loop_shows_the_user_s_frames_only(backend: str, shell: Shell) -> None:
    cell = (
        "def run(numbers):\n    found = []\n    for n in numbers:\n        found.append(10 // (4 - n))\nrun(range(8))"
    )
    ran = shell.fails(f"%%parallel -b {backend} -w 2\n{cell}")
    assert re.search(r"in run\((numbers)?\)[\s\S]*-+> 5 +found.append", ran.stdout), ran.stdout
    assert "concompare/" not in ran.stdout
    assert "_concompare" not in ran.stdout


@pytest.mark.parametrize(
    "cell",
    [
        "last = 1\nfor n in range(3):\n    last = abs(last) // (1 - n)",
        "def run(last):\n    for n in range(3):\n        last = abs(last) // (1 - n)\nrun(1)",
        "import functools\nlast = []\nsorted([1, 2], key=lambda n: last.append(n) or 1 // (2 - n))",
    ],
)
def test_an_error_of_the_plain_loop_is_the_only_one_shown(cell: str, shell: Shell) -> None:
    ran = shell.fails(f"%%parallel -b threads\n{cell}")
    assert isinstance(ran.error, ZeroDivisionError)
    assert ran.error.__context__ is None
    assert "During handling" not in ran.stdout
    assert "concompare/" not in ran.stdout


def test_the_traceback_of_a_line_magic_names_its_line(shell: Shell) -> None:
    ran = shell.fails("a = 1\nb = 2\n%parallel -b threads [10 // (4 - n) for n in range(8)]")
    assert re.search(r"-+> 3 +\[10 // \(4 - n\) for n in range\(8\)\]", ran.stdout), ran.stdout


def test_an_error_shown_once_can_still_be_pickled(shell: Shell) -> None:
    ran = shell.fails("%%parallel -b threads -w 2\n[10 // (4 - n) for n in range(8)]")
    assert isinstance(pickle.loads(pickle.dumps(ran.error)), ZeroDivisionError)


def test_an_error_before_the_loop_is_the_plain_cell_s(shell: Shell) -> None:
    ran = shell.fails("%%parallel -b threads\nbase = undefined_name\n[n + base for n in range(3)]")
    assert isinstance(ran.error, NameError)
    assert re.search(r"-+> 2 +base = undefined_name", ran.stdout), ran.stdout
    assert "concompare/" not in ran.stdout


def test_an_error_after_the_loop_is_the_plain_cell_s(shell: Shell) -> None:
    ran = shell.fails("%%parallel -b threads\nresults = [abs(n) for n in range(3)]\nresults[7]")
    assert isinstance(ran.error, IndexError)
    assert re.search(r"-+> 3 +results\[7\]", ran.stdout), ran.stdout
    assert shell.names["results"] == [0, 1, 2]


def test_a_syntax_error_points_at_the_user_s_line(shell: Shell) -> None:
    ran = shell.fails("%%parallel -b threads\nresults = [n for n in range(3)]\nif results\n    pass")
    assert isinstance(ran.error, BadSyntax)
    assert "(line 3)" in str(ran.error)
    assert re.search(r"if results\n +\^", ran.stdout)
    assert "concompare/" not in ran.stdout


CARRIED = (
    "reached = True\nvalue = 1\nvalues = []\nfor n in xs:\n    value = square(value % 97) + n\n    values.append(value)"
)


def test_a_cell_that_cannot_run_in_parallel_runs_as_it_is_and_says_why_in_one_line(shell: Shell) -> None:
    prepare(shell)
    ran = shell.run(f"%%parallel -b threads\n{CARRIED}")
    assert shell.names["values"] == [4, 17, 293, 5, 30, 909, 1298, 1375]
    assert ran.stdout.splitlines() == [next(line for line in ran.stdout.splitlines() if line.startswith("ran as the"))]
    assert "line 6: needs 'value' from the item before" in ran.stdout
    assert ran.displays == []
    assert shell.run(f"%%parallel -b threads --quiet\n{CARRIED}").stdout == ""


def test_the_reason_of_a_plain_loop_is_not_repeated_below_the_table(shell: Shell) -> None:
    prepare(shell)
    text = str(shell.run(f"%%concompare --no-plot -b serial,threads,processes\n{CARRIED}").value)
    assert "needs 'value' from the item before" in text
    assert "Why not the others" not in text
    assert "What ran in the workers" not in text


@pytest.mark.parametrize("magic", ["parallel", "concompare"])
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("y = 3\ny", "ran as it is: nothing in it works through items"),
        ("%%time\nr = [n for n in range(3)]", "ran as it is: %%time runs the code itself. Write it above this magic"),
    ],
)
def test_a_cell_without_loops_says_so(magic: str, cell: str, said: str, shell: Shell) -> None:
    assert said in shell.run(f"%%{magic}\n{cell}").stdout.splitlines()
    assert said not in shell.run(f"%%{magic} --quiet\n{cell}").stdout


def test_a_name_without_a_value_is_the_reason(shell: Shell) -> None:
    ran = shell.fails("%%parallel\nfor n in range(3):\n    missing(n)")
    assert isinstance(ran.error, NameError)
    assert "ran as the plain loop: line 3: `missing` has no value when the loop begins" in ran.stdout
    assert "--assume-pure" not in ran.stdout


def test_with_strict_it_is_refused_in_one_line(shell: Shell) -> None:
    prepare(shell)
    ran = shell.fails(f"%%parallel -b threads --strict\n{CARRIED}")
    assert isinstance(ran.error, CellRefused)
    assert ran.error.code == "carried"
    assert ran.error.line == 6
    assert "values" in shell.names
    assert shell.names["values"] == []
    assert len(ran.stdout.splitlines()) <= 2
    assert ran.stdout.startswith("CellRefused: line ")


def test_a_loop_that_only_moves_data_is_not_spoken_of_beside_one_that_works(shell: Shell) -> None:
    prepare(shell)
    cell = "total = 0\nfor n in xs:\n    total += n\nsquares = [square(n) for n in xs]"
    assert shell.run(f"%%parallel -b threads -w 2\n{cell}").stdout == ""
    assert "ran as the plain loop: line 3: " in shell.run("%%parallel\ntotal = 0\nfor n in xs:\n    total += n").stdout
    assert shell.names["total"] == 31


def test_every_loop_of_a_cell_is_run_and_shown(shell: Shell) -> None:
    prepare(shell)
    cell = "if xs:\n    first = [square(n) for n in xs]\nsecond = {n: square(n) for n in first}\nlen(second)"
    ran = shell.run(f"%%parallel -b threads -w 2\n{cell}")
    assert ran.value == 7
    assert sorted(re.findall(r"line \d", ran.shown)) == ["line 3", "line 4"]
    report = shell.run(f"%%concompare -b serial,threads -w 2 --budget 2 --no-plot\n{cell}")
    assert isinstance(report.value, Report)
    assert shell.names["second"] == {n * n: n**4 for n in [3, 1, 4, 1, 5, 9, 2, 6]}


def test_items_given_aside_for_a_function(shell: Shell) -> None:
    cell = "def cube(n):\n    return n ** 3"
    assert shell.run(f"%%parallel -b threads --over range(4)\n{cell}").value == [0, 1, 8, 27]
    both = f"{cell}\ndef half(n):\n    return n / 2"
    assert shell.run(f"%%parallel -b threads --over range(3) --function half\n{both}").value == [0.0, 0.5, 1.0]


def test_an_executor_of_the_user_s_is_used(shell: Shell) -> None:
    prepare(shell)
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as mine:
        shell.names["mine"] = mine
        shell.run("import threading")
        names = shell.run("%parallel -b mine --quiet [threading.current_thread().name for n in range(4)]").value
        assert all(name.startswith("mine") for name in names)
        assert mine.submit(int).result() == 0


def test_what_cannot_be_sent_is_named(shell: Shell) -> None:
    shell.run("import threading\nguard = threading.Lock()\ndef guarded(n):\n    with guard:\n        return n")
    ran = shell.run("%%parallel -b processes -w 2\nresults = [guarded(n) for n in range(4)]")
    assert shell.names["results"] == [0, 1, 2, 3]
    assert "guard" in ran.stdout + ran.shown
    failed = shell.fails("%%parallel -b processes -w 2 --strict\nresults = [guarded(n) for n in range(4)]")
    assert type(failed.error).__name__ in ("CannotShip", "CellRefused")
    assert "guard" in str(failed.error)


def test_a_backend_that_cannot_run_the_task_is_a_row(shell: Shell) -> None:
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    shell.names["closed"] = closed
    ran = shell.run("%%parallel -b threads,closed -w 2 --no-plot\nresults = [abs(n) for n in range(4)]")
    assert shell.names["results"] == [0, 1, 2, 3]
    assert "closed" in ran.shown
    assert "shutdown" in ran.shown


def test_a_single_backend_that_cannot_run_the_task_is_an_error(shell: Shell) -> None:
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    shell.names["closed"] = closed
    assert isinstance(shell.fails("%parallel -b closed [abs(n) for n in range(4)]").error, concompare.ConcompareError)


def test_inside_a_function_a_magic_is_refused(shell: Shell) -> None:
    shell.run("def inside():\n    ys = [1, 2]\n    return get_ipython().run_line_magic('parallel', '[y for y in ys]')")
    ran = shell.fails("inside()")
    assert isinstance(ran.error, BadOption)
    assert "use concompare.map(function, items) there" in str(ran.error)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["json", "html", "csv", "png"])
def test_the_report_is_saved(suffix: str, shell: Shell, tmp_path: Path) -> None:
    prepare(shell)
    path = tmp_path / f"report.{suffix}"
    options = "-b serial,threads -w 1,2 --budget 0.3 --quiet"
    shell.run(f"%%concompare {options} --save {path}\nresults = [square(n) for n in xs]")
    assert path.stat().st_size > 100


def test_a_saved_report_loads_back(shell: Shell, tmp_path: Path) -> None:
    prepare(shell)
    path = tmp_path / "report.json"
    shell.run(f"r = %concompare -b serial,threads -w 2 --budget 0.3 --quiet --save {path} [square(n) for n in xs]")
    assert concompare.load(path).comparison == shell.names["r"].comparison


@pytest.mark.slow
def test_no_plot_means_no_picture(shell: Shell) -> None:
    prepare(shell)
    options = "-b serial,threads -w 1,2 --budget 0.3 --quiet"
    with_plots = shell.run(f"%concompare {options} [square(n) for n in xs]").value
    without = shell.run(f"%concompare {options} --no-plot [square(n) for n in xs]").value
    assert "<img" in with_plots._repr_mimebundle_()["text/html"]
    assert "<img" not in without._repr_mimebundle_()["text/html"]


def test_the_last_pass_is_at_hand(shell: Shell) -> None:
    prepare(shell)
    shell.run("%parallel -b threads -w 2 --quiet [square(n) for n in xs]")
    assert concompare.last().record.items == 8


def test_the_last_pass_keeps_results_that_take_little(shell: Shell) -> None:
    shell.run("%parallel -b threads -w 2 --quiet [bytes(n) for n in range(4)]")
    assert concompare.last().values == [bytes(n) for n in range(4)]
    shell.run("%parallel -b threads -w 2 --quiet [bytes(4_000_000 + n) for n in range(4)]")
    assert concompare.last().values == []
    assert concompare.last().record.items == 4


def test_unloading_takes_the_magics_away(shell: Shell) -> None:
    shell.run("%unload_ext concompare")
    try:
        assert "parallel" not in shell.shell.magics_manager.magics["cell"]
        assert "concompare" not in shell.shell.magics_manager.magics["line"]
    finally:
        shell.run("%load_ext concompare")
    assert shell.run("%parallel -b serial [abs(n) for n in range(2)]").value == [0, 1]


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
@pytest.mark.parametrize("word", ["display", "IPython.display.display"])
def test_what_items_display_is_shown_once_in_item_order(word: str, backend: str, shell: Shell) -> None:
    shell.run(f"import IPython\ndef show(n):\n    {word}('shown', n)\n    return n")
    for magic in ("%%parallel --quiet", "%%concompare --no-plot --quiet --budget 0.3"):
        ran = shell.run(f"{magic} -b {backend} -w 2\nr = [show(n) for n in range(4)]\nNone;")
        shown = [display["text/plain"] for display in ran.displays if "concompare" not in display["text/plain"]]
        assert shown[:8] == [word for n in range(4) for word in ("'shown'", str(n))], magic


DRAW = "import random\ndef draw(n):\n    return n, random.random()"


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
def test_a_seed_gives_the_same_numbers_with_both_magics_on_every_backend(shell: Shell) -> None:
    shell.run(DRAW)
    numbers = []
    for how in ("%%parallel -b serial", "%%parallel -b threads -w 2", "%%parallel -b processes -w 2", "%%parallel"):
        shell.run(f"{how} --seed 3 --quiet\nr = [draw(n) for n in range(9)]")
        numbers.append(shell.names["r"])
    shell.run("%%concompare --no-plot -b threads,processes -w 2 --budget 60 --seed 3\nr = [draw(n) for n in range(9)]")
    assert all(same == numbers[0] for same in [*numbers, shell.names["r"]])
    assert len({number for _, number in numbers[0]}) == 9
    trials = shell.run("_.comparison.trials").value
    assert {trial.same for trial in trials if trial.backend != "serial"} == {True}


def test_without_a_seed_shared_random_numbers_are_those_of_the_plain_loop(shell: Shell) -> None:
    shell.run(DRAW)
    loop = "random.seed(5)\nr = [draw(n) for n in range(9)]"
    shell.run(f"import random\n{loop}")
    expected = shell.names["r"]
    ran = shell.run(f"%%parallel\n{loop}")
    assert shell.names["r"] == expected
    assert "--seed" in ran.stdout


def test_an_item_over_its_time_is_ended_where_that_can_be_done(shell: Shell) -> None:
    shell.run("import time\ndef late(n):\n    time.sleep(30 if n == 2 else 0)\n    return n")
    shell.run("%%parallel -w 2 --timeout 0.5 --on-error keep --quiet\nr = [late(n) for n in range(4)]")
    kept = shell.names["r"]
    assert [kept[0], kept[1], kept[3]] == [0, 1, 3]
    assert "0.5" in str(kept[2].error)
    refused = shell.fails("%%parallel -b threads --timeout 0.5\nr = [late(n) for n in range(4)]")
    assert "nothing can stop a call in a thread from outside. Use processes" in str(refused.error)


def test_explain_says_what_would_run_and_runs_nothing(shell: Shell) -> None:
    shell.run("def square(n):\n    1 / 0")
    for magic in ("parallel", "concompare"):
        ran = shell.run(f"%%{magic} --explain\nmade = []\nfor n in range(4):\n    made.append(square(n))")
        assert "return square(n)" in ran.stdout
        assert "made.append(value)" in ran.stdout
        assert ran.value is None
    assert "made" not in shell.names


def test_pure_can_be_promised_for_what_cannot_be_seen(shell: Shell) -> None:
    shell.run("exec('def hidden(x): return abs(x)')\nxs = [-1, 2]")
    cell = "r = []\nfor x in xs:\n    r.append(hidden(x))"
    assert "--assume-pure" in str(shell.fails(f"%%parallel -b threads --strict\n{cell}").error)
    shell.run(f"%%parallel -b threads --assume-pure --quiet\n{cell}")
    assert shell.names["r"] == [1, 2]


@pytest.mark.slow
@pytest.mark.skipif(not can_sample(), reason="this system does not tell when a thread was on a CPU")
@pytest.mark.usefixtures("unhurried")
def test_a_timeline_is_drawn_where_it_is_asked_for(shell: Shell) -> None:
    shell.run("def work(n):\n    return sum(range(1_000_000 + n))")
    cell = "r = [work(n) for n in range(12)]"
    drawn = [shell.run(f"%%parallel -b processes -w 2{more}\n{cell}").displays[-1] for more in (" --timeline", "")]
    assert ["<img" in shown["text/html"] for shown in drawn] == [True, False]
    shell.run("report = %concompare -b processes -w 2 --budget 60 --timeline [work(n) for n in range(4)]")
    assert any(run.tracks for trial in shell.names["report"].comparison.trials for run in trial.passes)


@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
def test_scaling_can_be_weak_for_a_loop(shell: Shell) -> None:
    shell.run("def work(n):\n    return sum(range(20_000 + n))")
    shell.run("%%concompare --no-plot -b threads -w 2 --budget 60 --scaling weak\nr = [work(n) for n in range(6)]")
    comparison = shell.run("_.comparison").value
    assert comparison.scaling == "weak"
    items = {trial.backend: trial.passes[-1].items for trial in comparison.trials if trial.passes}
    assert items["threads"] == 2 * items["serial"]
    assert shell.names["r"] == [sum(range(20_000 + n)) for n in range(6)]


def test_values_of_a_loop_over_an_iterator_are_not_kept_twice(shell: Shell) -> None:
    shell.run("total = 0\ndef f(x): return x + 1")
    shell.run("%%parallel -b threads -w 2 --quiet\nfor x in (n for n in range(100)):\n    total += f(x)")
    assert shell.names["total"] == 5050
    assert concompare.last().values == []
    shell.run("%%parallel -b threads -w 2 --quiet\nfor x in range(100):\n    total += f(x)")
    assert concompare.last().values == list(range(1, 101))


def test_an_executor_of_threads_leaves_the_notebooks_own_display_alone(shell: Shell) -> None:
    shell.run("import IPython\nfrom concurrent.futures import Executor, ThreadPoolExecutor as T\nthreads = T(2)")
    shell.run("class Mine(Executor):\n    def submit(self, *call, **more): return threads.submit(*call, **more)")
    shell.run("mine = Mine()\ndef f(x): return x")
    shell.run("%%parallel -b mine -w 2 --quiet\nr = [f(x) for x in range(4)]")
    assert [shown["text/plain"] for shown in shell.run("IPython.display.display(5)").displays] == ["5"]
    shell.run("threads.shutdown()")


def test_the_loops_inside_one_function_are_meant_by_its_name(shell: Shell) -> None:
    prepare(shell)
    shell.run("def all_of(ys):\n    return [square(y) for y in ys]\ndef main(ys):\n    return sum(all_of(ys))")
    cell = "first = [square(n) for n in xs]\ntotal = main(xs)"
    ran = shell.run(f"%%parallel -b threads -w 2 --in main\n{cell}")
    assert shell.names["total"] == sum(shell.names["first"]) == 9 + 1 + 16 + 1 + 25 + 81 + 4 + 36
    assert len(ran.displays) == 1
    failed = shell.fails(f"%%parallel --in nowhere\n{cell}")
    assert isinstance(failed.error, BadOption)
    assert "--in nowhere" in str(failed.error)


def test_an_exception_that_asks_for_less_is_named_and_its_items_are_tried_again(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concompare.engine import trying_again

    monkeypatch.setattr(trying_again, "FIRST_WAIT", 0.0)
    shell.names["folder"] = tmp_path
    shell.run(
        "import os\nclass TooMany(Exception): pass\n"
        "def ask(n):\n    try:\n        os.mkdir(folder / str(n))\n    except FileExistsError:\n        return n * n\n"
        "    raise TooMany(n)"
    )
    cell = "%%parallel -b threads -w 2 --quiet --assume-pure --back-off TooMany\nout = [ask(n) for n in range(10)]"
    shell.run(cell)
    assert shell.names["out"] == [n * n for n in range(10)]
    error = shell.run(cell.replace("TooMany", "Missing"), check=False).error
    assert "--back-off Missing: that is no exception here. Import it first, or mind its name" in str(error)


def test_a_loop_beside_others_that_takes_next_to_nothing_runs_as_it_is_the_next_time(shell: Shell) -> None:
    """To hand its items to processes takes longer than they do; the heavy one is handed out each time."""
    shell.run(
        "from threading import get_ident\ndef heavy(n):\n    return sum(k % 7 for k in range(200_000 + n)), get_ident()"
    )
    shell.run("def light(n):\n    return n + 1, get_ident()")
    cell = "a = [heavy(n) for n in range(4)]\nb = [light(n) for n in range(4)]"
    shown = []
    for _ in range(2):
        shown.append(shell.run(f"%%parallel -b processes -w 2\n{cell}"))
        assert [value for value, _ in shell.names["b"]] == [1, 2, 3, 4]
    assert "two loops" in shown[0].shown or shown[0].shown.count("items in") == 2
    assert shown[1].shown.count("items in") == 1
    strict = shell.run(f"%%parallel -b processes -w 2 --strict\n{cell}")
    assert strict.error is None
    assert strict.shown.count("items in") == 2


STEPS = """
def half(n):
    return sum(k / 2 for k in range(n))
def steps(count):
    made = []
    for i in range(count):
        made.append((half(i), lambda: abs(i)))
    return made
"""


@pytest.mark.parametrize("magic", ["%%parallel -b threads", "%%concompare --budget 0.2 --no-plot"])
def test_a_loop_in_a_function_that_cannot_run_in_parallel_is_told(magic: str, shell: Shell) -> None:
    shell.run(STEPS)
    printed = shell.run(f"{magic}\nkept = steps(4)\nlen(kept)").stdout
    assert "ran as the plain loop: in `steps`, line 5: it keeps functions that see the names of the function" in printed
    assert "in `steps`" not in shell.run(f"{magic} --quiet\nkept = steps(4)").stdout
