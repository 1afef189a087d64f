"""What installed functions and methods change among what they are given is never lost: it is done here, or refused."""

from __future__ import annotations

import logging

import pytest

from concompare.errors import CellRefused
from tests.cells import plainly

SETUP = """
import array, bisect, collections, csv, io, json, logging, math, operator, random, secrets, struct
import numpy as np
L = [3, 1, 2, 5, 4, 6]; D = {"a": [1], "b": [2]}; LL = [[1], [2], [3]]; S = {1, 2}
A = np.arange(9); B = np.ones((3, 3)); buf = bytearray(16); words = array.array("i", [3, 1, 2])
missing = collections.defaultdict(list); out = []; text = io.StringIO()
system = random.SystemRandom()
def f(x): return x * x
"""

CHANGING = """
random.Random(3).shuffle(L)
random.Random(3).shuffle(x=L)
np.random.default_rng(1).shuffle(A)
np.random.RandomState(1).shuffle(A)
np.random.default_rng(1).standard_normal(9, np.float64, B.reshape(9))
bisect.insort_right(a=L, x=i)
struct.pack_into("i", buf, 0, i)
io.BytesIO(b"abcd").readinto(buf)
collections.ChainMap(D).update({str(i): 1})
collections.ChainMap(D)["q"] = i
json.dump(i, fp=text)
np.add(A, 1, A)
np.add.at(A, [0], 1)
np.add.reduce(B, 0, None, B[0])
np.cumsum(A, 0, None, A)
np.clip(A, 2, 5, A)
np.take(A, [1, 2, 3], None, A[:3])
np.dot(B, B + 1, B)
np.copyto(dst=A, src=i)
np.place(arr=A, mask=A > 2, vals=[i])
np.einsum("ij->ij", B)[0] = 4
np.lib.stride_tricks.as_strided(A, (2,))[0] = 9
np.ma.masked_array(A, copy=False)[0] = i + 3
np.matrix(B, copy=False)[0] = i + 3
np.ndarray((16,), np.uint8, buf)[0] = i + 1
A.astype(int, copy=False)[0] = i + 3
A.clip(2, 5, A)
A.cumsum(0, None, A)
A.byteswap(True)
memoryview(buf)[0] = i
words.byteswap()
words.fromlist([i])
words.frombytes(b"abcd")
S.__ior__({i + 9})
missing.__missing__("k")
""".strip().splitlines()

QUIET = """
secrets.token_hex(4)
secrets.randbelow(9)
secrets.SystemRandom().random()
np.add(A, 1)
np.clip(A, 2, 5)
np.cumsum(A, 0)
A.astype(int, copy=True).sum()
A.sum(0)
A.clip(2, 5)
bytes(memoryview(buf)[2:4])
struct.pack("i", i)
random.Random(i).random()
""".strip().splitlines()


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("statement", CHANGING)
def test_what_was_given_and_changed_is_changed_here_or_the_cell_is_refused(statement: str, how: str) -> None:
    cell = f"for i in range(3):\n    {statement}\n    out.append(f(i))"
    plain = plainly.run_plain(cell, SETUP)
    assert plainly.difference(plain, plainly.run_plain("out.extend([0, 1, 4]); i = 2", SETUP)) is not None, "it changes"
    try:
        lifted = plainly.run_lifted(cell, SETUP, how)
    except CellRefused:
        return
    assert plainly.difference(plain, lifted) is None


@pytest.mark.parametrize("call", QUIET)
def test_calls_that_change_nothing_are_lifted(call: str) -> None:
    assert (
        len(plainly.run_lifted(f"for i in range(3):\n    out.append(({call}, f(i)))", SETUP, "processes").names["out"])
        == 3
    )


def test_a_system_s_random_numbers_have_no_state_to_share() -> None:
    """What is drawn from the system differs between workers anyway; a seed would not change it either."""
    left = plainly.run_lifted("tokens = [secrets.token_hex(8) for _ in range(4)]", SETUP, "processes")
    assert len(set(left.names["tokens"])) == 4


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("csv.field_size_limit(1000 + i)", "changes the interpreter"),
        ("setattr(math, 'tau', i)", "changes a module"),
    ],
)
def test_settings_of_the_process_are_not_changed_in_workers(statement: str, why: str) -> None:
    with pytest.raises(CellRefused, match=why):
        plainly.run_lifted(f"for i in range(3):\n    {statement}\n    out.append(f(i))", SETUP, "processes")


def test_a_logger_is_changed_here() -> None:
    before = logging.getLogger("concompare-given").level
    cell = "for i in range(3):\n    logging.getLogger('concompare-given').setLevel(10 + i)\n    out.append(f(i))"
    try:
        left = plainly.run_lifted(cell, SETUP, "processes")
        assert left.names["out"] == [0, 1, 4]
        assert logging.getLogger("concompare-given").level == 12
    finally:
        logging.getLogger("concompare-given").setLevel(before)


def test_a_logger_may_be_asked_for_to_log() -> None:
    cell = "for i in range(3):\n    logging.getLogger('a').debug('%d', i)\n    out.append(f(i))"
    assert plainly.run_lifted(cell, SETUP, "processes").names["out"] == [0, 1, 4]
