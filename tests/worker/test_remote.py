"""Workers of a cluster that have nothing of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_workers_without_concompare_are_sent_what_they_need(tmp_path: Path) -> None:
    """In an interpreter that sees nothing of ours, nor anything that is installed."""
    from concompare.worker.remote import TAKE, expression, sources
    from concompare.worker.transfer.pickling import Parcel, pack

    (tmp_path / "take").write_text(expression(TAKE, "take", sources()))
    program = f"""
import sys
eval(open({str(tmp_path / "take")!r}).read())
from concompare.worker import remote as outpost; from concompare.worker import chunk as worker
from concompare.worker.transfer.pickling import Parcel
import pickle
request = worker.Request("key", pickle.dumps(abs), 0, Parcel(pickle.dumps([-1, 2, -3])), True)
message, beside = outpost.call_as_bytes(worker.run, (request,))
print(pickle.loads(pickle.loads(message, buffers=beside).values.data), outpost.fingerprint() == "")
"""
    done = subprocess.run([sys.executable, "-ISc", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.stdout, done.stderr) == ("[1, 2, 3] True\n", "")
    assert Parcel(pack([1])).places == ()
