"""A small process of its own that watches threads from outside: what the kernel has counted for each, every 2 ms.

It needs no rights and holds no GIL of anybody's. Linux counts for every thread the time it ran on a CPU and the time it
was ready to run without one (`/proc/PID/task/TID/schedstat`); the rest it was blocked. Started as a script:

    python sampler.py PERIOD PID:TID [PID:TID …] > samples

It writes `SAMPLE` records until its standard input ends, which it does with the process that started it.
"""

from __future__ import annotations

import os
import select
import struct
import sys
import time

SAMPLE = struct.Struct("<dIqq")
"""A moment (`perf_counter`), which thread, nanoseconds on a CPU, nanoseconds ready without one."""


def main() -> None:
    """Sample until standard input ends."""
    period = float(sys.argv[1])
    files: dict[int, int] = {}
    for place, word in enumerate(sys.argv[2:]):
        process, _, thread = word.partition(":")
        try:
            files[place] = os.open(f"/proc/{process}/task/{thread}/schedstat", os.O_RDONLY)
        except OSError:
            continue
    os.write(1, SAMPLE.pack(time.perf_counter(), 0xFFFFFFFF, 0, 0))
    due = time.perf_counter()
    while True:
        batch = bytearray()
        for place, file in list(files.items()):
            try:
                ran, waited, _ = os.pread(file, 96, 0).split()
            except (OSError, ValueError):
                del files[place]  # the thread has ended
                continue
            batch += SAMPLE.pack(time.perf_counter(), place, int(ran), int(waited))
        os.write(1, batch)
        due = max(due + period, time.perf_counter())
        if select.select([0], [], [], max(0.0, due - time.perf_counter()))[0]:
            return


if __name__ == "__main__":
    main()
