from concurrent.futures import BrokenExecutor

from concompare.errors import ConcompareError
from concompare.executors.broken import ExecutorBroken


def test_a_broken_executor_is_one_of_the_standard_library_s_too() -> None:
    assert issubclass(ExecutorBroken, BrokenExecutor)
    assert issubclass(ExecutorBroken, ConcompareError)
