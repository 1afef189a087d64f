from __future__ import annotations

import sys
import types

import pytest

from concompare.worker.transfer import precision
from concompare.worker.transfer.pickling import Parcel, pack, unpack


class Context:
    prec = 53

    def zeta(self, x: int) -> int:
        return x * self.prec

    def __reduce__(self) -> str:
        raise TypeError("it cannot be taken apart")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("mpmath")
    monkeypatch.setattr(Context, "__module__", "mpmath.ctx_mp")
    vars(module).update(mp=Context(), iv=Context(), other=Context())
    monkeypatch.setitem(sys.modules, "mpmath", module)
    return module


def test_functions_get_the_other_side_s_own(package: types.ModuleType) -> None:
    names = {"__name__": "__main__", "mp": package.mp, "zeta": package.mp.zeta, "mpmath": package}
    exec("def f(x): return mp.zeta(x), zeta(x), mpmath.mp.zeta(x), mp is mpmath.mp", names)
    package.mp.prec = 100
    data = pack(names["f"])
    package.mp.prec = 53  # as it is in a process that has just begun
    assert unpack(Parcel(data))(2) == (200, 200, 200, True)
    assert package.mp.prec == 100


def test_what_the_package_does_not_hold_is_left_alone(package: types.ModuleType) -> None:
    assert precision.reduced(Context()) is None
    assert precision.reduced(package.other) is None
    assert precision.reduced(sys) is None
