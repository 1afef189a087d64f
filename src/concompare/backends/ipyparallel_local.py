"""A local ipyparallel cluster in a process of its own: python -m concompare.backends.ipyparallel_local FOLDER WORKERS.

Prints the connection file when the controller is there; obeys one number a line, of engines to add.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from concompare.backends.clusters import LOOPBACK, keep, unmask


def main(folder: str, workers: int) -> None:
    """Start the cluster and keep it until the notebook is gone."""
    import ipyparallel

    unmask()
    cluster = ipyparallel.Cluster(
        n=workers, controller_ip=LOOPBACK, profile_dir=str(Path(folder, "profile")), cluster_id="", log_level=40
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
