"""What is tried in a throw-away process is not seen."""

from __future__ import annotations

import subprocess
import sys

from concompare.worker.state_watch import Watch

TRY = """
import os, pickle
import cloudpickle
from concompare.worker.state_watch import try_items

def f(x):
    print("printed", x)
    os.write(1, b"written")
    os.write(2, b"written")
    return x + 1

tried = try_items(cloudpickle.dumps(f), tuple(map(pickle.dumps, range(3))), 5.0)
os._exit([pickle.loads(value) for value in tried.values] != [1, 2, 3])
"""


def test_what_tried_items_write_past_python_is_not_shown() -> None:
    ran = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, timeout=500, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


RAISE = """
import asyncio, os, pickle
import cloudpickle
from concompare.worker.state_watch import try_items

def f(x):
    raise asyncio.CancelledError(x) if x else SystemExit("over")

tried = try_items(cloudpickle.dumps(f), tuple(map(pickle.dumps, range(2))), 5.0)
os._exit([pickle.loads(value) for value in tried.values] != [("SystemExit", "over"), ("CancelledError", "1")])
"""


def test_a_tried_item_may_raise_any_exception() -> None:
    ran = subprocess.run([sys.executable, "-c", RAISE], capture_output=True, text=True, timeout=500, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_the_state_of_what_a_worker_has_made_itself_is_nobodys_loss() -> None:
    made, sent = {"open": 0}, {"open": 0}

    def use(item: int) -> int:
        made["open"] += item
        sent["open"] += item
        return item

    all_of, others = Watch(use), Watch(use, [made])
    use(1)
    assert set(all_of.changed()) == {"made", "sent"}
    assert others.changed() == ("sent",)
