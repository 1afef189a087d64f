from __future__ import annotations

from concompare.report.view.naming import configuration, name_of
from tests.records import bare


def test_a_trial_is_called_by_its_backend_and_its_workers() -> None:
    assert configuration(bare("threads", 4)) == "threads × 4"
    assert configuration(bare("serial", 1, label="plain loop")) == "plain loop"


def test_native_threads_are_named_where_they_were_limited() -> None:
    assert name_of(bare("threads", 4, native_threads=1)) == "threads (1 BLAS thread)"
