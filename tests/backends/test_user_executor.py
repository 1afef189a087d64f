"""Backends of other packages, and executors of the notebook's own, whatever they are."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from concompare import api, backends, engine
from concompare.errors import BackendNotInstalled, BadOption, UnknownBackend
from concompare.report.report import from_json
from concompare.testing import BackendContract, FarContract, define

PLUGIN = Path(__file__).parents[1] / "plugin"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example package, installed into a folder as pip would."""
    shutil.copytree(PLUGIN / "concompare_beside", tmp_path / "concompare_beside")
    about = tmp_path / "concompare_beside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: concompare-beside\nVersion: 1.0\n")
    shutil.copy(PLUGIN / "entry_points.txt", about)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    engine.close_pools()


@pytest.mark.usefixtures("no_leaks", "installed")
class TestBackendOfAnotherPackage(BackendContract):
    backend = "beside"

    def test_it_is_named_among_the_others(self) -> None:
        assert "beside" in backends.all_names()
        with pytest.raises(UnknownBackend, match=r"there is no backend 'besid' \(did you mean 'beside'\?\)"):
            backends.find("besid")

    def test_its_workers_run_the_items(self) -> None:
        names = api.map(
            define("import threading\ndef f(x): return threading.current_thread().name"), [1], backend="beside"
        )
        assert names[0].startswith("beside_")

    @pytest.mark.usefixtures("unhurried")
    def test_a_comparison_records_what_its_workers_are_like(self) -> None:
        square = define("def f(x): return x * x")
        report = api.compare(square, range(8), backends=["beside", "apart"], workers=2, budget=60)
        kinds = {trial.backend: (trial.isolation, trial.traits.worker) for trial in report.comparison.trials}
        assert kinds == {"serial": ("none", ""), "beside": ("thread", ""), "apart": ("process", "worker apart")}
        assert all(trial.problem is None for trial in report.comparison.trials)
        assert from_json(report.to_json()).comparison == report.comparison

    def test_what_it_lacks_is_said_in_one_line(self) -> None:
        with pytest.raises(BackendNotInstalled, match="nowhere is not installed: pip install nowhere"):
            backends.find("missing")
        with pytest.raises(
            UnknownBackend, match="backend 'broken' of concompare-beside cannot be loaded: ImportError: it is too old"
        ):
            backends.find("broken")
        with pytest.raises(
            UnknownBackend,
            match="backend 'halfway' of concompare-beside is a object and no backend: it has no name, label",
        ):
            backends.find("halfway")


# -------------------------------------------------------------------------------------- executors of other packages


def pickled(call: Any) -> Any:
    """Cross as to another machine."""
    return cloudpickle.loads(cloudpickle.dumps(call))


class LikeMpi:
    """Behaves as mpi4py's: one thread gives out calls and runs all callbacks; futures of the standard library."""

    def __init__(self, workers: int) -> None:
        self.calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.threads = [threading.Thread(target=self.serve, daemon=True) for _ in range(workers)]
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.threads.append(threading.Thread(target=self.hand_back, daemon=True))
        for thread in self.threads:
            thread.start()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.calls.put((future, cloudpickle.dumps((fn, args, kwargs))))
        return future

    def map(self, fn: Any, *iterables: Any) -> Iterator[Any]:
        return iter([self.submit(fn, *items).result() for items in zip(*iterables, strict=False)])

    def serve(self) -> None:
        while (entry := self.calls.get()) is not None:
            future, call = entry
            fn, args, kwargs = cloudpickle.loads(call)
            future.set_running_or_notify_cancel()
            self.done.put((future, pickled(fn(*args, **kwargs))))

    def hand_back(self) -> None:
        while (entry := self.done.get()) is not None:
            entry[0].set_result(entry[1])

    def shutdown(self, wait: bool = True) -> None:
        for _ in self.threads[:-1]:
            self.calls.put(None)
        for thread in self.threads[:-1]:
            thread.join()
        self.done.put(None)
        self.threads[-1].join()


class LikeExecutorlib(LikeMpi):
    """Behaves as executorlib's: what a call needs is said with it, by a keyword that is not the function's."""

    def submit(self, fn: Any, /, *args: Any, resource_dict: dict[str, Any] | None = None, **kwargs: Any) -> Future[Any]:
        assert (resource_dict or {}).keys() <= {"cores", "cwd"}
        return super().submit(fn, *args, **kwargs)


@pytest.mark.usefixtures("no_leaks")
class TestExecutorLikeMpi(FarContract):
    test_display_arrives_with_its_item = None  # type: ignore[assignment]  # in threads of this process, `display` is the notebook's

    @pytest.fixture
    def kind(self) -> Iterator[Any]:
        mine = LikeMpi(2)
        yield backends.find("mine", {"mine": mine})
        engine.close_pools()
        assert mine.submit(abs, -1).result(timeout=500) == 1, "it is the user's, and stays open"
        mine.shutdown()


def test_an_executor_may_have_keywords_of_its_own(no_leaks: None) -> None:
    mine = LikeExecutorlib(2)
    values = api.map(define("K = 4\ndef f(x): return x * K"), range(5), backend=mine)  # type: ignore[arg-type]
    assert values == [0, 4, 8, 12, 16]
    mine.shutdown()


def test_what_only_maps_is_no_executor() -> None:
    class OnlyMap:
        def map(self, fn: Any, items: Any) -> Any:
            return map(fn, items)

    with pytest.raises(UnknownBackend, match="the notebook's mine is a OnlyMap, not an Executor"):
        backends.find("mine", {"mine": OnlyMap()})


def test_an_address_needs_a_kind_of_cluster() -> None:
    with pytest.raises(BadOption, match="address is 'tcp://there': name a kind of cluster for it, such as -b dask"):
        api.map(abs, [1], backend="threads", address="tcp://there")
