from __future__ import annotations

import json
from collections import Counter

from tests.cells.work_calls import Tally


def test_a_tally_adds_that_of_another_process_which_came_as_plain_data() -> None:
    here = Tally(wrong={"a"}, in_workers=3, by_reason=Counter({"carried": 2}), shares=0.5)
    there = Tally(wrong={"b"}, in_workers=4, by_reason=Counter({"carried": 1, "order": 5}), shares=0.25)
    here.add(json.loads(json.dumps(there.as_data())))
    assert (here.wrong, here.in_workers, here.shares) == ({"a", "b"}, 7, 0.75)
    assert here.by_reason == {"carried": 3, "order": 5}
