"""The process of a background run, as the notebook hears of it."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from concompare.cells.wishes import Wishes
from concompare.errors import CellRefused
from concompare.run.background import exchange
from concompare.run.background.background_child import Channel, Order, Stream, own_part, runner_of
from concompare.run.background.background_run import started


def test_what_streams_are_given_becomes_messages() -> None:
    file = io.BytesIO()
    print("one", 2, file=Stream(Channel(file), "stdout"))
    file.seek(0)
    assert exchange.receive(file) == ("stdout", "one")
    assert exchange.receive(file) == ("stdout", " ")


def test_a_traceback_begins_in_the_cell() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("def f():\n    return 1 / 0\nf()", "<the cell>", "exec"))
    assert own_part(caught.value, "<the cell>").tb_frame.f_code.co_name == "<module>"
    assert own_part(caught.value, "<another>") is None


def messages(order: Order) -> list[Any]:
    """Return what a process sends for an order."""
    process: Any = started()
    exchange.send(process.stdin, order)
    found = [exchange.receive(process.stdout)]
    while found[-1][0] != "end":
        found.append(exchange.receive(process.stdout))
    process.communicate()
    return found


def order_of(source: str, namespace: dict[str, Any], *names: str, **options: Any) -> Order:
    blob = exchange.packed_names({name: namespace[name] for name in names}, namespace)
    return Order(source, Wishes("<the cell>"), blob, ("serial",), options=options)


def test_a_cell_runs_there_with_its_prints_and_its_value() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__", "xs": [1, 2, 3]}
    source = "import os\nhere, r = os.getpid(), []\nfor x in xs:\n    print('f', x)\n    r.append(str(6 // x))\nr"
    order = order_of(source, namespace, "xs")
    *said, (_, answer) = messages(order)
    assert "".join(text for kind, text in said if kind == "stdout") == "f 1\nf 2\nf 3\n['6', '3', '2']\n"
    values = exchange.Seen(namespace).load(answer["names"])
    assert values["r"] == ["6", "3", "2"]
    assert values["here"] != os.getpid()


def test_a_loop_that_would_run_as_it_is_is_refused_unless_it_only_moves_data() -> None:
    refusal = CellRefused("needs the item before", 3)
    runner = runner_of(None, None)
    with pytest.raises(CellRefused, match="line 3: needs the item before"):
        runner.plainly(None, refusal, lambda: pytest.fail("it ran"))
    refusal.idle = True
    assert runner.plainly(None, refusal, lambda: "ran") == "ran"


def test_progress_stays_in_its_place() -> None:
    from concompare.report.progress import stays_in_place

    channel: Any = None
    streams: list[Any] = [Stream(channel, "progress"), Stream(channel, "stdout")]
    assert list(map(stays_in_place, streams)) == [True, False]
