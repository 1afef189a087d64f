"""Why it is not faster: ordered checks, each from a comparison to a finding or None.

To add a finding, write a function `(Comparison) -> Finding | None` in the module it belongs to and name it in `CHECKS`.
Those that make others doubtful come first. No two contradict each other: each leaves out what another one explains.
"""

from __future__ import annotations

from collections.abc import Callable

from concompare.diagnose import costs, gil, pythons, results, surroundings
from concompare.records import Comparison, Finding

CHECKS: tuple[Callable[[Comparison], Finding | None], ...] = (
    results.results_differ,
    results.hidden_state,
    results.shared_random,
    gil.gil_re_enabled,
    gil.contention,
    surroundings.machine_busy,
    surroundings.too_noisy,
    costs.too_small,
    gil.gil_bound,
    gil.releases_gil,
    gil.waits,
    costs.transfer_bound,
    costs.startup_bound,
    costs.stopped,
    costs.too_few_items,
    costs.uneven_items,
    surroundings.oversubscribed,
    surroundings.memory_bound,
    results.scales_well,
    pythons.other_python,
)
"""All checks, in the order in which their findings are shown."""


def find(comparison: Comparison) -> tuple[Finding, ...]:
    """Return all findings of a comparison, live or saved, in the order of `CHECKS`."""
    return tuple(finding for check in CHECKS if (finding := check(comparison)) is not None)
