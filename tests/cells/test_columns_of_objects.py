"""Loops over the objects that a column or an array holds, which the loop changes, and pandas' own calls with them."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import numpy as np
import pandas as pd

class Account:
    def __init__(self, cents):
        self.cents, self.history = cents, []
    def close(self, fee):
        self.history.append(slow(int(fee)))
        self.cents -= fee
        return self.cents
    def __eq__(self, other):
        return vars(self) == vars(other)
    __hash__ = None

accounts = pd.Series({name: Account(10 * place) for place, name in enumerate("abcdef")})
df = pd.DataFrame({"k": list("aabbcc"), "v": np.arange(6.0), "o": [Account(place) for place in range(6)]})
one = Account(1)
same = pd.Series([one, one, Account(2)])
"""
)
LIFTED = {
    "loop": "found = []\nfor account in accounts:\n    found.append(account.close(3))\ndel account",
    "comprehension": "found = [account.close(3) for account in df.o]",
    "array": "found = [account.close(3) for account in accounts.to_numpy()]",
    "items": "found = {}\nfor name, account in accounts.items():\n    found[name] = account.close(2)\ndel account",
    "zip": "found = [(k, account.close(v)) for k, v, account in zip(df.k, df.v, df['o'])]",
    "enumerate": "found = [account.close(place) for place, account in enumerate(accounts)]",
    "apply": "found = accounts.apply(lambda account: account.close(3))",
    "map": "found = df['o'].map(lambda account: account.close(3))",
}
PLAIN = {
    "one object twice": "found = [account.close(3) for account in same]",
    "one object twice, apply": "found = same.apply(lambda account: account.close(3))",
    "the column itself": "for name, account in accounts.items():\n    accounts[name] = account.close(2)\ndel account",
    "a shared part": "accounts.iloc[0].history = accounts.iloc[1].history\n"
    "found = [account.close(3) for account in accounts]",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_objects_of_a_column_are_items(name: str, how: str) -> None:
    ran = programs.alike(LIFTED[name], SETUP, how)
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_objects_that_items_share_stay_in_the_notebook(name: str, how: str) -> None:
    assert not programs.alike(PLAIN[name], SETUP, how).cell.lifted
