"""A local ipyparallel cluster in a process of its own.

    python -m concompare.backends.clusters.ipyparallel_local FOLDER WORKERS

Prints the connection file when the controller is there; obeys one number a line, of engines to add.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from concompare.backends.clusters.cluster import LOOPBACK, keep, unmask

BEAT, MISSED = 500, 60
"""Milliseconds between heartbeats, and how many an engine may miss: it is registered after two, and lost after 30 s."""


def main(folder: str, workers: int) -> None:
    """Start the cluster and keep it until the notebook is gone."""
    import ipyparallel

    unmask()
    cluster = ipyparallel.Cluster(
        n=workers,
        controller_ip=LOOPBACK,
        controller_args=[f"--HeartMonitor.period={BEAT}", f"--HeartMonitor.max_heartmonitor_misses={MISSED}"],
        profile_dir=str(Path(folder, "profile")),
        cluster_id="",
        delay=0,  # engines wait for the controller by themselves
        log_level=40,
    )
    cluster.start_cluster_sync(n=workers)
    security = Path(folder, "profile", "security")
    while not (files := list(security.glob("*-client.json"))):
        time.sleep(0.05)
    sys.stdout.write(f"{files[0]}\n")
    sys.stdout.flush()

    def more(line: str) -> None:
        if line.isdecimal():
            cluster.start_engines_sync(n=int(line))

    keep(folder, more)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
