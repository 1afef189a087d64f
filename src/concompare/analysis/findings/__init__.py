"""Why it is not faster: ordered checks, each from a comparison to a finding or None.

To add a finding, write a function `(Comparison) -> Finding | None` in the module it belongs to and name it in `CHECKS`.
Those that make others doubtful come first. No two contradict each other: each leaves out what another one explains.
"""

from __future__ import annotations

from collections.abc import Callable

from concompare.analysis.findings import correctness, gil, machine_load, other_pythons, overhead
from concompare.records import Comparison, Finding

CHECKS: tuple[Callable[[Comparison], Finding | None], ...] = (
    correctness.results_differ,
    correctness.hidden_state,
    correctness.shared_random,
    gil.gil_re_enabled,
    gil.contention,
    machine_load.machine_busy,
    machine_load.too_noisy,
    overhead.stays_in_notebook,
    overhead.too_small,
    gil.gil_bound,
    gil.releases_gil,
    gil.waits,
    overhead.transfer_bound,
    overhead.startup_bound,
    overhead.stopped,
    overhead.too_few_items,
    overhead.uneven_items,
    machine_load.oversubscribed,
    machine_load.memory_bound,
    correctness.scales_well,
    other_pythons.other_python,
)
"""All checks, in the order in which their findings are shown."""


def find(comparison: Comparison) -> tuple[Finding, ...]:
    """Return all findings of a comparison, live or saved, in the order of `CHECKS`."""
    return tuple(finding for check in CHECKS if (finding := check(comparison)) is not None)
