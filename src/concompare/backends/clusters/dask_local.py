"""A local dask cluster in a process of its own.

    python -m concompare.backends.clusters.dask_local FOLDER WORKERS

Prints the scheduler's address and the dashboard's when it is there; obeys one number a line, of workers to have.
"""

from __future__ import annotations

import sys
import warnings

from concompare.backends.clusters.cluster import LOOPBACK, keep, unmask


def main(folder: str, workers: int) -> None:
    """Start the cluster and keep it until the notebook is gone."""
    import dask
    from distributed import LocalCluster

    unmask()
    dask.config.set({"distributed.worker.memory.terminate": False, "distributed.comm.timeouts.connect": "10s"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:0",
            memory_limit=None,
            local_directory=folder,
            silence_logs=False,
        )
    sys.stdout.write(f"{cluster.scheduler_address} {cluster.dashboard_link}\n")
    sys.stdout.flush()

    def scale(line: str) -> None:
        if line.isdecimal() and int(line) > len(cluster.worker_spec):
            cluster.scale(int(line))

    keep(folder, scale)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
