"""What we rely on of pandas that it does not document."""

from __future__ import annotations

import pytest

pandas = pytest.importorskip("pandas")


def test_a_frame_takes_the_contents_of_another_in_place() -> None:
    """`worker.transfer.item_state`: frames that items change in workers could not be given back to the notebook."""
    ours, theirs = pandas.DataFrame({"a": [1, 2]}), pandas.DataFrame({"b": [3.5]}, index=[7])
    theirs.attrs["unit"] = "m"
    ours._update_inplace(theirs)
    object.__setattr__(ours, "_attrs", theirs.attrs)
    pandas.testing.assert_frame_equal(ours, theirs)
    assert ours.attrs == {"unit": "m"}
