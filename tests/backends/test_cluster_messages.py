"""What clusters are told and asked, seen without one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from concompare import engine
from concompare.errors import BackendUnavailable

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"python": "3.9.1"}, r"the worker has Python 3.9.1 and this notebook has \S+: functions cannot cross"),
        ({"implementation": "pypy"}, "the worker has Python pypy and this notebook has"),
        ({"cloudpickle": "99.0"}, "the worker has cloudpickle 99.0 and this notebook has"),
        ({"cloudpickle": None}, "the worker has no cloudpickle: pip install cloudpickle=="),
    ],
)
def test_another_python_or_cloudpickle_is_said_before_the_first_item(answer: dict[str, Any], message: str) -> None:
    from concompare.backends.clusters import must_match
    from concompare.outpost import WHO, expression

    mine = eval(expression(WHO, "who"))
    must_match(mine, "the worker")
    with pytest.raises(BackendUnavailable, match=message):
        must_match({**mine, **answer}, "the worker")


def test_workers_without_concompare_are_sent_what_they_need(tmp_path: Path) -> None:
    """In an interpreter that sees nothing of ours, nor anything that is installed."""
    from concompare.outpost import TAKE, expression, sources
    from concompare.parcels import Parcel, pack

    (tmp_path / "take").write_text(expression(TAKE, "take", sources()))
    program = f"""
import sys
eval(open({str(tmp_path / "take")!r}).read())
from concompare import outpost, worker
from concompare.parcels import Parcel
import pickle
request = worker.Request("key", pickle.dumps(abs), 0, Parcel(pickle.dumps([-1, 2, -3])), True)
message, beside = outpost.call_as_bytes(worker.run, (request,))
print(pickle.loads(pickle.loads(message, buffers=beside).values.data), outpost.fingerprint() == "")
"""
    done = subprocess.run([sys.executable, "-ISc", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.stdout, done.stderr) == ("[1, 2, 3] True\n", "")
    assert Parcel(pack([1])).places == ()


def test_engines_that_came_and_went_are_not_waited_for() -> None:
    from types import SimpleNamespace

    from concompare.backends import ipyparallel

    told: list[str] = []
    cluster = object.__new__(ipyparallel.IpyparallelCluster)
    cluster.keeper = SimpleNamespace(tell=told.append)  # type: ignore[assignment]
    cluster.asked_for, cluster.came_ever, cluster.asked = 2, 0, time.monotonic()
    for ids, wanted in (
        ([], []),  # both are on their way
        ([0, 1], []),
        ([], ["2"]),  # they are gone, so two more
        ([], ["2"]),  # which are on their way
    ):
        cluster.client = SimpleNamespace(ids=ids)
        cluster.members()
        cluster.scale(2)
        assert told == wanted
    cluster.asked -= ipyparallel.COMING + 1
    cluster.scale(2)
    assert told == ["2", "2"], "they have not come in time"


def test_a_lost_message_runs_again_in_pieces_and_then_item_by_item() -> None:
    from types import SimpleNamespace

    from concompare.engine.chunks import Chunk
    from concompare.engine.deaths import Inquest

    inquest = Inquest(SimpleNamespace(lasting=True), engine.PassOptions(), clock=lambda: 0.0)  # type: ignore[arg-type]
    verdicts, pieces = inquest.judge([Chunk(100, list(range(900)), True)], None)
    assert verdicts == []
    assert [(chunk.first, len(chunk.items)) for chunk in pieces] == [(100 + 30 * n, 30) for n in range(30)]
    _, pieces = inquest.judge(pieces[:1], None)
    assert [len(chunk.items) for chunk in pieces] == [5] * 6
    _, singles = inquest.judge(pieces[:1], None)
    assert [(chunk.first, chunk.items) for chunk in singles] == [(100 + n, [n]) for n in range(5)]
    verdicts, again = inquest.judge(singles[:1], None)
    assert (verdicts, again) == ([], singles[:1])
    ((_, index, error),), again = inquest.judge(again, None)
    assert (index, again) == (100, [])
    assert "while computing item 100 (0)" in str(error)


def test_messages_are_worth_what_they_cost() -> None:
    from concompare.engine.chunks import Chunker

    cheap, dear = Chunker(2, 10_000), Chunker(2, 10_000, cost=0.02)
    for chunker in (cheap, dear):
        chunker.learn(16, 0.016, 0)
    assert cheap.next() == 10, "10 ms of items of 1 ms"
    assert dear.next() == 200, "ten times 20 ms"
    dear.taken = 9_990
    assert dear.measured_size() == 60, "three times 20 ms at the end"
