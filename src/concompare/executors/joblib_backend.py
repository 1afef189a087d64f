"""The joblib backend "concompare": `Parallel` and everything that has `n_jobs` on our workers.

It is loaded when joblib asks for it, and loads joblib.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import joblib
from joblib.parallel import AutoBatchingMixin, FallbackToBackend, ParallelBackendBase, SequentialBackend

from concompare.backends.traits import shares_objects
from concompare.executors.batches import Batch
from concompare.executors.futures_executor import ForFuture
from concompare.executors.opening import backend_of, session_for
from concompare.executors.session import Session
from concompare.worker.calls import ITEM, CallOf, call

NAME = "concompare"


class JoblibBackend(AutoBatchingMixin, ParallelBackendBase):
    """Workers of ours for one `joblib.Parallel` after the other.

    Args:
        kind: The name of a backend, such as "processes" or "threads".
        options: Those of joblib's backends.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True

    def __init__(self, kind: str = "processes", **options: Any) -> None:
        super().__init__(**options)
        self.kind = kind
        self.uses_threads = self.supports_sharedmem = shares_objects(backend_of(kind))
        self.session: Session | None = None
        self.call: Callable[[Any], Any] = call

    def __reduce__(self) -> Any:
        """Cross to a worker as a new backend, for what is nested in a call."""
        return made, (self.kind, self.nesting_level)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many workers there are where so many are asked for.

        Raises:
            ValueError: None are.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None or n_jobs == 1:
            return 1
        inside = "a daemonic process" if multiprocessing.current_process().daemon else ""
        if not self.uses_threads and not self.in_main_thread() and self.nesting_level:
            inside = inside or "a thread of another Parallel"
        if inside:
            text = f'the joblib backend "{NAME}" starts no workers inside {inside}: setting n_jobs=1'
            warnings.warn(text, UserWarning, stacklevel=3)
            return 1
        return max(joblib.cpu_count() + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Get ready for a `Parallel` and return how many workers it has; for one the plain loop does.

        Of the options that are for other backends (`max_nbytes`, `temp_folder`, …) none is needed here.
        """
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.terminate()
        name = f'joblib backend "{NAME}"'
        native = getattr(self, "inner_max_num_threads", None)
        given = {**getattr(self, "backend_kwargs", {}), **options}
        initializer, arguments = given.get("initializer"), tuple(given.get("initargs", ()))
        self.session = session_for(
            self.kind, n_jobs, initializer, arguments, name=name, named=False, native_threads=native
        )
        self.call = call if self.session.setup is None else CallOf(call, ITEM, self.session.setup)
        self.parallel = parallel
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Future[Any]:
        """Submit some calls and return the future of their results."""
        assert self.session is not None
        future: Future[Any] = Future()
        if callback is not None:
            future.add_done_callback(callback)
        self.session.add(Batch(self.call, ForFuture(future), fixed=1, keep_going=True), [func])
        return future

    def apply_async(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Future[Any]:
        """Do as `submit`, which older versions of joblib call so."""
        return self.submit(func, callback)

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return the results of a future that is done."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End what runs; the workers are there again with the next call."""
        if self.session is not None:
            self.session.give_up()
        if not ensure_ready:
            self.terminate()

    def terminate(self) -> None:
        """Give the workers back; they stay warm for the next `Parallel`."""
        session, self.session = self.session, None
        if session is not None:
            session.shutdown(wait=False)
        self.reset_batch_stats()


def made(kind: str, nesting_level: int | None) -> JoblibBackend:
    """Return a backend."""
    return JoblibBackend(kind, nesting_level=nesting_level)


def register_joblib(*, make_default: bool = False) -> None:
    """Let joblib know the backend "concompare": `joblib.parallel_config(backend="concompare")`.

    Where joblib was imported before concompare, it does already.

    Args:
        make_default: Whether `Parallel` uses it where no backend is named.
    """
    joblib.register_parallel_backend(NAME, JoblibBackend, make_default=make_default)
