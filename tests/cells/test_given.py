"""What installed functions and methods change among what they are given is never lost."""

from __future__ import annotations

import logging
import math

import pytest

from tests.cells import plainly, programs

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
collections.ChainMap(D).popitem(); D[str(i)] = i; D["z"] = i
np.recarray((1,), [("a", "i4")], buf).a[0] = i + 2
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


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("statement", CHANGING)
def test_what_was_given_and_changed_is_changed_here(statement: str, how: str) -> None:
    cell = f"for i in range(3):\n    {statement}\n    out.append(f(i))"
    plain = plainly.run_plain(cell, SETUP)
    assert plainly.difference(plain, plainly.run_plain("out.extend([0, 1, 4]); i = 2", SETUP)) is not None, "it changes"
    difference, _ = programs.compared(cell, SETUP, how)
    assert difference is None


@pytest.mark.parametrize("call", QUIET)
def test_calls_that_change_nothing_run_in_workers(call: str) -> None:
    ran = programs.run(f"for i in range(3):\n    out.append(({call}, f(i)))", SETUP, "processes")
    assert (len(ran.left.names["out"]), ran.reasons) == (3, "")


def test_a_system_s_random_numbers_have_no_state_to_share() -> None:
    """What is drawn from the system differs between workers anyway; a seed would not change it either."""
    ran = programs.run("tokens = [secrets.token_hex(8) for _ in range(4)]", SETUP, "processes")
    assert (len(set(ran.left.names["tokens"])), ran.reasons) == (4, "")


@pytest.mark.parametrize("how", programs.WAYS)
def test_what_everything_may_read_is_set_by_the_plain_loop(how: str) -> None:
    tau = math.tau
    try:
        ran = programs.run("for i in range(3):\n    setattr(math, 'tau', i)\n    out.append(f(i))", SETUP, how)
        assert (math.tau, ran.left.names["out"]) == (2, [0, 1, 4])
    finally:
        math.tau = tau  # type: ignore[misc]
    assert "changes what everything else may read" in ran.reasons


def test_a_logger_is_changed_here() -> None:
    before = logging.getLogger("concompare-given").level
    cell = "for i in range(3):\n    logging.getLogger('concompare-given').setLevel(10 + i)\n    out.append(f(i))"
    try:
        ran = programs.run(cell, SETUP, "processes")
        assert ran.left.names["out"] == [0, 1, 4]
        assert logging.getLogger("concompare-given").level == 12
    finally:
        logging.getLogger("concompare-given").setLevel(before)


def test_a_logger_may_be_asked_for_to_log() -> None:
    ran = programs.run(
        "for i in range(3):\n    logging.getLogger('a').debug('%d', i)\n    out.append(f(i))", SETUP, "processes"
    )
    assert (ran.left.names["out"], ran.reasons) == ([0, 1, 4], "")
