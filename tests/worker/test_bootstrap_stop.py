"""Items that are to end while they are computed."""

from __future__ import annotations

import threading

from concompare.worker import bootstrap, compute


def test_a_thread_is_stopped_at_its_next_line_and_loses_the_rest_of_its_chunk() -> None:
    begun, done = threading.Event(), compute.Computed()

    def spin(item: int) -> int:
        begun.set()
        while True:
            pass

    def run() -> None:
        compute.compute(spin, [1, 2, 3], done, keep_going=True)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(100)
    assert thread.ident is not None
    bootstrap.stop_thread(thread.ident)
    thread.join(100)
    assert not thread.is_alive()
    assert [(offset, type(error)) for offset, error in done.errors] == [(0, bootstrap.StopItem)]
    assert done.values == []
