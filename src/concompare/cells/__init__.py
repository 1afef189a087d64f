"""From a cell's source to a Task: find the loop, split it into head and tail, bind it. Runs nothing but `bind`."""

from concompare.cells.lifting import Lifted, lift
from concompare.cells.task import Task, task_of

__all__ = ["Lifted", "Task", "lift", "task_of"]
