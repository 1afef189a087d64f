"""What the backends have in common whose workers belong to a cluster: by address, by a client, or a local one."""

from __future__ import annotations

import importlib.util
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from concompare.backends.base import NotInstalled, Start
from concompare.backends.clusters.cluster import Cluster, executor_on
from concompare.backends.clusters.executor import LaneExecutor
from concompare.backends.traits import Handling, Isolation, Traits
from concompare.machine import usable_cpus


@dataclass(frozen=True, slots=True)
class ClusterBackend:
    """The workers of a cluster that is there, or of one that is started here.

    Attributes:
        package: What has to be installed.
        worker: What one of its workers is called.
        cost: Place among the backends from the one that costs least to have.
        address: Of a cluster that is there, or None.
        client: The notebook's own, or None.
    """

    package: ClassVar[str]
    worker: ClassVar[str]
    cost: ClassVar[int]
    handling: ClassVar[Handling] = Handling(lasting=True)
    name: str = ""
    label: str = ""
    isolation: Isolation = "cluster"
    chunk: int | None = None
    ephemeral: bool = False
    address: str | None = None
    client: Any = None

    @property
    def traits(self) -> Traits:
        """Return what the workers are like; those of a cluster that is there need no start."""
        return Traits(self.worker, cost=self.cost, starts=not self.there)

    @property
    def there(self) -> bool:
        """Return whether it is an existing cluster."""
        return self.address is not None or self.client is not None

    def unavailable(self) -> str | None:
        """Return None, or that the package is not installed."""
        if importlib.util.find_spec(self.package) is None:
            return NotInstalled(f"{self.name} is not installed: pip install 'concompare[{self.name}]'")
        return None

    def at(self, address: str | None, client: Any = None) -> Self:
        """Return the backend for the cluster at an address, or for that of a client."""
        return replace(self, address=address, client=client)

    def open(self, workers: int, start: Start) -> Executor:
        """Return an executor on the cluster."""
        return executor_on(self.cluster(workers, start.state, start.variables), workers)

    def capacity(self) -> int:
        """Return the workers that an existing cluster has, else how many CPUs there are for a local one."""
        if not self.there:
            return usable_cpus()
        return max(1, sum(self.cluster(0, "", {}).members().values()))

    def cluster(self, workers: int, state: str, variables: dict[str, str]) -> Cluster:
        """Return the cluster, connected now or before."""
        raise NotImplementedError

    def processes(self, executor: Executor) -> list[Any]:
        """Return none: they are the cluster's."""
        return []

    def kill(self, executor: LaneExecutor) -> None:
        """End what is computed, as far as the workers obey."""
        executor.stop()
