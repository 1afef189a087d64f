"""Items that a loop changes, copied for every run of several: the notebook's own change once, at the end."""

from __future__ import annotations

import copy
import copyreg
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from concompare.cells.syntax.own_code import is_user_module
from concompare.cells.telling_classes import telling_when_pickled
from concompare.worker.transfer import strided
from concompare.worker.transfer.class_objects import base_of
from concompare.worker.transfer.item_state import parts_of

if TYPE_CHECKING:
    from concompare.cells.task import Task

PICKLING = (
    *("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__", "__del__"),
)
"""Methods by which a class says what of its objects is sent to a process, and what becomes of them there."""
COPYING = (*PICKLING, "__copy__", "__deepcopy__", "__new__", "__setattr__", "__init_subclass__")
"""Methods by which a class says how its objects are copied."""
REGISTERED = {("matplotlib.figure", "Figure"), ("ipywidgets.widgets.widget", "Widget")}
"""Classes of libraries that keep a list of their objects: every copy is entered there, and shown as one more."""
WRITING = frozenset({"dataclasses", "collections", "namedtuple"})
"""The modules that methods are of which libraries write for classes of the user's, up to the name of the class."""
METHODS = (types.FunctionType, staticmethod)
WHY = "the loop changes its items, and an item cannot be copied as it is ({})"


class Copies(Sequence[Any]):
    """The items of a task as they are now, of which everybody who asks for one gets a copy.

    The items themselves may change meanwhile: a comparison binds the first results before the last run. What they share
    and only read stays itself.

    Args:
        items: The items.
        shared: The `id` of each object that they share.
    """

    def __init__(self, items: Sequence[Any], shared: frozenset[int] = frozenset()) -> None:
        self.shared = {id(part): part for item in items for part in parts_of(item) if id(part) in shared}
        self.items = list(map(self.copied, items))

    def copied(self, item: Any) -> Any:
        """Return a copy of an item."""
        return copy.deepcopy(item, dict(self.shared))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: Any) -> Any:
        return list(map(self.copied, self.items[place])) if isinstance(place, slice) else self.copied(self.items[place])


def for_each_run(task: Task, items: Sequence[Any]) -> Sequence[Any]:
    """Return the items for runs that are made several times: copies where the loop changes them."""
    return Copies(items, task.shared) if task.changing else items


def why_not(task: Task) -> str:
    """Return why a task cannot run several times: its items change, and cannot be copied; empty where it can."""
    if not task.changing:
        return ""
    for item in task.items if isinstance(task.items, Sequence) else ():
        parts = [part for part in parts_of(item) if id(part) not in task.shared]
        odd = next((part for part in (item, *parts) if is_walked(part) or is_copied_its_way(part)), None)
        if odd is not None:
            return WHY.format(type(odd).__name__)
        try:
            [copied] = Copies([item], task.shared).items
        except Exception as error:
            return WHY.format(f"{type(error).__name__}: {error}")
        if [type(part) for part in parts_of(copied)] != [type(part) for part in parts_of(item)]:
            return WHY.format(type(item).__name__)
    return ""


def is_walked(thing: Any) -> bool:
    """Tell whether using a thing once leaves it another, of which there is no copy: an iterator or a file."""
    return hasattr(type(thing), "__next__") or hasattr(type(thing), "read")


def is_copied_its_way(thing: Any) -> bool:
    """Return whether the class of a thing says how it is copied, which may leave something out, count or register."""
    if any((kind.__module__, kind.__name__) in REGISTERED for kind in type(thing).__mro__):
        return True
    if strided.has_attributes(thing) or is_registered(type(thing)):
        return True
    if base_of(type(thing)) is not None:
        return True
    return has_own(type(thing), COPYING) or telling_when_pickled([type(thing)]) is not None


def is_registered(kind: type) -> bool:
    """Return whether the user has told `copyreg` how objects of a class of the user's are pickled."""
    return kind in copyreg.dispatch_table and any(is_user_module(base.__module__) for base in kind.__mro__)


def has_own(kind: type, words: Sequence[str]) -> bool:
    """Return whether a class has methods of the user's with one of these names; some are written by libraries."""
    kinds = [base for base in kind.__mro__ if is_user_module(base.__module__)]
    found = [vars(base).get(word) for base in kinds for word in words]
    own = [getattr(method, "__func__", method) for method in found if isinstance(method, METHODS)]
    return any((method.__module__ or "").partition("_")[0] not in WRITING for method in own)
