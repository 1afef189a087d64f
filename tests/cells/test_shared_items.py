"""Loops whose items share objects that they change: the changes keep their order, and the work goes to the workers."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import itertools
import random

class Club:
    def __init__(self, name, attack):
        self.name, self.attack, self.elo, self.form = name, attack, 1500.0, ""
class League:
    def __init__(self, *clubs, k=24):
        self.clubs, self.k, self.results = list(clubs), k, {}
    def kick(self, home, away, number):
        slow(number)
        return home.attack + away.attack
    def kick2(self, home, away, number):
        rng = random.Random(number)
        g = [0, 0]
        g[0] += rng.random() < home.attack
        slow(3)
        return tuple(g)
    def rate(self, home, away, goals):
        home.elo += self.k * goals
        away.elo -= self.k * goals
        home.form += "W"
    def rate2(self, home, away, goals):
        home.elo += self.k * goals[0]
        away.elo -= self.k * goals[1]
    def season(self):
        for number, (home, away) in enumerate(itertools.permutations(self.clubs, 2)):
            goals = self.kick(home, away, number)
            self.results[home.name, away.name] = goals
            self.rate(home, away, goals)
        return 1
    def season2(self):
        for number, (home, away) in enumerate(itertools.permutations(self.clubs, 2)):
            goals = self.kick2(home, away, number)
            self.rate2(home, away, goals)
        return 1
league = League(Club("a", 0.2), Club("b", 0.3), Club("c", 0.4))
clubs = league.clubs
"""
)
LIFTED = cells_of("""
### a season in a method
x = league.season()
### goals in a tuple
x = league.season2()
### pairs that are drawn
for n, (h, a) in enumerate(itertools.permutations(clubs, 2)):
    g = league.kick(h, a, n)
    league.rate(h, a, g)
### a list of them
for n, (h, a) in enumerate(list(itertools.permutations(clubs, 2))):
    g = league.kick(h, a, n)
    h.elo += g
### a list that is there
pairs = list(itertools.permutations(clubs, 2))
for h, a in pairs:
    g = league.kick(h, a, 2)
    h.elo += g
    a.elo -= g
### a method that changes both
pairs = list(itertools.permutations(clubs, 2))
for h, a in pairs:
    g = league.kick(h, a, 2)
    league.rate(h, a, g)
### results that show what changed
pairs = list(itertools.permutations(clubs, 2))
out = []
for h, a in pairs:
    g = league.kick(h, a, 2)
    h.elo += g
    out.append((h.elo, a.elo, a.form))
    a.form += "x"
### one object all the time
same = [clubs[0]] * 4
for c in same:
    c.elo += slow(int(c.attack * 10))
### results that hold it
same = [clubs[0]] * 4
out = []
for c in same:
    v = slow(int(c.attack * 10))
    c.form += "x"
    out.append((v, c))
### stored beside
same = [clubs[0]] * 4
for c in same:
    v = slow(int(c.attack * 10))
    league.results[c.name, v] = c
    league.k += 1
    c.elo += league.k
""")
PLAIN = cells_of("""
### what the item before has changed
pairs = list(itertools.permutations(clubs, 2))
out = []
for h, a in pairs:
    g = slow(int(h.elo))
    h.elo += g
    a.elo -= g
    out.append(g)
### the attribute that is read
same = [clubs[0]] * 4
for c in same:
    v = slow(int(c.attack * 10))
    c.attack += v
### all attributes
same = clubs * 2
for c in same:
    v = slow(len(vars(c)))
    c.extra = v
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_work_that_reads_no_changed_attribute_goes_to_workers(name: str, how: str) -> None:
    ran = programs.alike(LIFTED[name], SETUP, how)
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_work_that_may_read_one_stays_in_the_notebook(name: str, how: str) -> None:
    assert not programs.alike(PLAIN[name], SETUP, how).cell.lifted
