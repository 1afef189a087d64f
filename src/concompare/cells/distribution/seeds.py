"""Parts that are in the tail by themselves: changes of the notebook's objects, and steps that need an order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from concompare.cells.distribution import figures
from concompare.cells.distribution.nodes import jumps_in
from concompare.cells.distribution.staging import Body, Rules
from concompare.cells.distribution.touches import Touch, Touches
from concompare.cells.distribution.uses import START
from concompare.cells.effects.arguments import Partial
from concompare.cells.ir import Doubt, Effects, Loop, Order, Place, Why
from concompare.cells.objects import Obj, Origin, reachable
from concompare.cells.syntax import names

FATAL = {Why.OPAQUE, Why.FORBIDDEN, Why.FUNCTION}
TAKERS = frozenset({"list", "tuple", "set", "frozenset", "dict", "sum", "max", "min", "sorted", "any", "all"})
"""Builtins that take all values of an iterator before they return."""
IN_ONE = frozenset({Order.ONE_FILE, Order.APPENDS})
MODE = re.compile(r"'[rwxabt+]{0,3}'")
"""How a file is opened, among what may be its path."""
FILES = frozenset({Order.FILES})
LASTING = frozenset({Order.FILES, Order.PROGRAMS})
"""What a worker has done for an item that the plain loop does not come to, and nobody takes back."""
DELETING = frozenset({*("unlink", "remove", "rmdir", "removedirs", "rename", "renames", "replace", "rmtree", "move")})
"""Names of what deletes files or gives them other names."""
ORDERED = (Order.RANDOM, Order.INPUT, Order.ONE_FILE, Order.APPENDS, Order.CACHED, Order.FIGURE)


def targets_of(loop: Loop) -> set[str]:
    """Return the names that a comprehension gives values, those of its inner loops as well."""
    assert loop.target is not None
    found = names.stored(loop.target)
    for node in names.nodes_in(loop.node):
        if isinstance(node, names.COMPREHENSIONS) and found & names.stored(node.generators[0].target):
            found = found.union(*[names.stored(part.target) for part in node.generators])
    return found


def kept_by(objects: Iterable[Obj]) -> Iterator[Obj]:
    """Yield all that objects may hold, partial functions with what they were given."""
    stack, seen = list(objects), set[Obj]()
    while stack:
        for obj in reachable([stack.pop()]):
            if obj not in seen:
                seen.add(obj)
                yield obj
                stack += obj.code.function | obj.code.given.all if isinstance(obj.code, Partial) else ()


def read_late(node: ast.AST) -> set[str]:
    """Return the names that a function or generator reads when it is called or walked."""
    if isinstance(node, ast.Lambda):
        return set(names.free_names(node))
    assert isinstance(node, ast.GeneratorExp)
    first, *others = node.generators
    own = set[str]().union(*[names.stored(part.target) for part in node.generators])
    inner = [part for other in others for part in (other.iter, *other.ifs)]
    return names.reads(node.elt, *first.ifs, *inner) - own


class Own:
    """Tells the object that an iteration makes from those that the iterations before made at the same place.

    Args:
        body: The body.
        obj: Stands for all of them.
    """

    def __init__(self, body: Body, obj: Obj) -> None:
        self.body, self.obj = body, obj
        self.known: dict[ast.AST, bool] = {}

    def changes_own(self, node: ast.AST) -> bool:
        """Tell whether a part of the body that changes the object got it in this iteration, and from nowhere else."""
        return all(self.is_own(part) for part in names.nodes_in(node))

    def is_own(self, node: ast.AST) -> bool:
        """Tell whether a node has no object of an iteration before: by no name, and by no object of the notebook."""
        if node not in self.known:
            self.known[node] = False  # what depends on itself
            self.known[node] = self.found_own(node)
        return self.known[node]

    def found_own(self, node: ast.AST) -> bool:
        """Find whether a node has none."""
        found = self.body.analysed.of(node)
        touched = {place.obj for place in found.reads | found.writes if place.obj is not None} | found.deep
        if found.doubts or any(self.obj in held_by([obj]) for obj in touched if obj.outer):
            return False
        if not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Store):
            return not isinstance(node, (*names.FUNCTIONS, ast.ClassDef))
        if not self.body.analysed.values.get(node):
            return True
        reads = self.body.uses.reads.get(node)
        if reads is None:  # a name of the notebook
            return self.obj not in held_by(self.body.analysed.values[node])
        values = [self.body.value_node(part) for part in reads if part is not START]
        return len(values) == len(reads) and all(value is not None and self.changes_own(value) for value in values)


def held_by(objects: Iterable[Obj]) -> set[Obj]:
    """Return all that objects may hold, what bound methods and parts belong to among it."""
    found: set[Obj] = set()
    stack = list(objects)
    while stack:
        new = set(kept_by([stack.pop()])) - found
        found |= new
        stack += [owner for obj in new for owner in obj.owner if owner not in found]
    return found


class Seeds(Rules):
    """Puts into the tail what needs no other part to be there."""

    def __init__(self, body: Body, touches: Touches) -> None:
        super().__init__(body)
        self.touches = touches
        self.given = {*reachable(self.analysed.element)}

    def refuse_fatal(self) -> None:
        """Note what forbids workers wherever it stands."""
        for found in self.analysed.effects.values():
            self.staged.reasons += [doubt for doubt in found.doubts if doubt.why in FATAL]
        if self.loop.collects and self.loop.target is not None:
            self.refuse_late_names()

    def refuse_late_names(self) -> None:
        """A function that a comprehension keeps sees what its targets stand for at the end, not for its own item."""
        bound = targets_of(self.loop)
        late = {node: sorted(bound & read_late(node)) for node in self.body.nodes_of(ast.Lambda, ast.GeneratorExp)}
        late = {node: words for node, words in late.items() if words and not self.is_only_called(node)}
        if not late:
            return
        written = {place.obj for found in self.analysed.effects.values() for place in found.writes}
        kept = set(kept_by(obj for obj in [self.analysed.result, *written] if obj is not None))
        for node, words in late.items():
            if not kept.isdisjoint(self.analysed.values.get(node, ())):
                text = f"keeps a function that reads '{words[0]}' when it is called, as it then is for all items"
                remedy = f"Give it the value as a default: `{words[0]}={words[0]}`"
                self.staged.reasons.append(Doubt(Why.FUNCTION, self.body.line(node), text, remedy))

    def is_only_called(self, node: ast.AST) -> bool:
        """Tell whether a function is an argument of a call that does not keep it."""
        above = self.body.parent.get(node)
        above = self.body.parent.get(above) if isinstance(above, ast.keyword) else above
        if not isinstance(above, ast.Call) or node is above.func:
            return False
        if isinstance(node, ast.GeneratorExp) and isinstance(above.func, ast.Name) and above.func.id in TAKERS:
            return True
        if isinstance(above.func, ast.Name) and above.func.id in ("map", "filter"):
            taker = self.body.parent.get(above)
            return isinstance(taker, ast.Call) and isinstance(taker.func, ast.Name) and taker.func.id in TAKERS
        return above in self.analysed.calling_only

    def seed(self) -> None:
        """Put into the tail what changes objects of the notebook, or needs an order that workers lack."""
        self.seed_nodes()
        for obj, touches in self.touches.by_object.items():
            self.seed_object(obj, touches)
        self.seed_sums()
        for name in self.body.assigned:
            if self.uses.exposed(name) or name in self.analysed.given:
                self.staged.both |= self.uses.defs.get(name, set())

    def seed_sums(self) -> None:
        """Put into the tail as a whole what adds to a name that a called function gives values: it is read first."""
        for node in self.body.nodes_of(ast.AugAssign):
            if self.analysed.given & {getattr(node.target, "id", "")}:  # type: ignore[attr-defined]
                for part in names.nodes_in(node):
                    self.body.to_tail(part)

    def seed_nodes(self) -> None:
        """Put into the tail what each node asks for by itself."""
        self.seed_files()
        self.seed_deletions()
        self.seed_databases()
        drawing = any(Order.FIGURE in found.order for found in self.analysed.effects.values())
        own = drawing and figures.are_own(self.analysed)
        free = {order for order, is_free in ((Order.RANDOM, self.body.seeded), (Order.FIGURE, own)) if is_free}
        for node, found in self.analysed.effects.items():
            for doubt in found.doubts:
                if doubt.why is Why.ALIAS:
                    self.body.to_tail(node, doubt)
            for order in sorted(found.order - free) if found.order else ():
                if order in ORDERED:
                    self.body.to_tail(node, self.reason_of_order(order, node, found))
            if found.writes or found.globals or self.analysed.given:
                self.globals_of(node, found)

    def seed_files(self) -> None:
        """Put into the tail what touches files, where items may see what others do with theirs."""
        effects = self.analysed.effects
        ends = any(isinstance(jump, ast.Break) for jump in {*jumps_in(self.loop.body)} - self.analysed.decided)
        if self.loop.stops is not None or ends:
            for node in [node for node, found in effects.items() if found.order & LASTING]:
                text = "writes files or starts programs, which items behind the last one must not"
                self.body.to_tail(node, Doubt(Why.ORDER, self.body.line(node), text))
        paths = {path for found in effects.values() for path in found.paths}
        stepless = [path for _, path in paths]
        shared = "" in stepless or len(stepless) > len(set(stepless))
        one = {path for found in effects.values() if found.order & IN_ONE for path in found.paths}
        one = {(path, other) for path, other in one if not MODE.fullmatch(path)}
        if any("database-changes" in found.sees for found in effects.values()):
            opened = {path for found in effects.values() if Order.FILES in found.order for path in found.paths}
            one |= {(path, other) for path, other in opened if self.is_of_all(path)}
        for node, found in effects.items() if one else ():
            if found.paths & one:
                text = "touches a file that all items write to"
                self.body.to_tail(node, Doubt(Why.ORDER, self.body.line(node), text))
        if not shared or not any(Order.FILES in found.order for found in effects.values()):
            return
        for node, found in effects.items():
            if "files" in found.sees or Order.FILES in found.order:
                text = "touches files that other items may change"
                self.body.to_tail(node, Doubt(Why.ORDER, self.body.line(node), text))

    def seed_deletions(self) -> None:
        """Put into the tail what deletes or renames files after all else that an iteration does with files.

        An item that fails ends the plain loop: the files of those behind it have to stay.
        """
        effects, order = self.analysed.effects, self.analysed.order
        if not any(found.heavy and not found.order & FILES for found in effects.values()):
            return
        seen = [order.get(node, 0) for node, found in effects.items() if "files" in found.sees or found.order & FILES]
        for node in self.body.nodes_of(ast.Call):
            assert isinstance(node, ast.Call)
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found = effects.get(node)
            deletes = name in DELETING and found is not None and bool(found.order & FILES)
            if deletes and order.get(node, 0) >= max(seen):
                self.body.to_tail(node, Doubt(Why.ORDER, self.body.line(node), "deletes a file in its turn"))

    def is_of_all(self, path: str) -> bool:
        """Tell whether a path, as written, is that of one file for all items."""
        read = names.reads(ast.parse(path or "()", mode="eval"))
        known = self.loop.__dict__.get("namespace", {})
        return bool(path) and all(name in known and name not in self.body.assigned for name in read)

    def seed_databases(self) -> None:
        """Put into the tail what looks something up in a database that the loop may change."""
        effects = self.analysed.effects
        if any("database-changes" in found.sees or Order.PROGRAMS in found.order for found in effects.values()):
            for node, found in effects.items():
                if "database" in found.sees:
                    text = "looks something up in a database, which the loop may change"
                    self.body.to_tail(node, Doubt(Why.ORDER, self.body.line(node), text))

    def seed_object(self, obj: Obj, touches: list[Touch]) -> None:
        """Put into the tail what changes one object, by where the object comes from."""
        if obj.origin is Origin.FUNCTION:
            for _, node, _, writes in touches:
                if writes:
                    self.body.to_tail(node)
        elif obj.origin is Origin.MADE:
            if obj in self.analysed.shared:
                self.carried_object(obj, touches)
            elif obj.several and obj in self.given and any(writes for _, _, _, writes in touches):
                self.staged.items_change = True
        elif obj.origin is Origin.ITEM:
            self.staged.items_change = True
        else:
            self.outer_object(obj, touches)

    def carried_object(self, obj: Obj, touches: list[Touch]) -> None:
        """An object that one iteration hands to the next changes in the notebook only."""
        own = Own(self.body, obj)
        for _, node, _, writes in touches:
            if writes and not own.changes_own(node):
                text = f"changes {obj.label}, which the item before made"
                self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text, about=obj))

    def outer_object(self, obj: Obj, touches: list[Touch]) -> None:
        """Changes of the notebook's objects, and what reads them, keep the plain loop's order."""
        effects = self.analysed.effects
        if self.body.seeded and all(Order.RANDOM in effects[node].order for _, node, _, writes in touches if writes):
            return  # each item draws from a stream of its own
        fields = {name for _, _, name, _ in touches}
        own = len(fields) == 1 and next(iter(fields)).startswith("[") and next(iter(fields)) != "[]"
        own = own and not self.loop.shared
        if own:
            self.staged.own_index[obj] = next(iter(fields))[1:-1]
        others = [node for _, node, _, _ in touches if node is not self.loop.filled]
        if others and any(node is self.loop.filled for _, node, _, _ in touches):
            text = f"uses {obj.shown}, which takes the values one by one"
            self.staged.reasons.append(
                Doubt(Why.FORBIDDEN, self.body.line(others[0]), text, "Make a list of them first")
            )
        written = {name for _, _, name, writes in touches if writes}
        for _, node, name, writes in touches:
            meets = any(Place(obj, name).meets(Place(obj, other)) for other in written)
            if writes:
                self.body.to_tail(node, Doubt(Why.CHANGES, self.body.line(node), f"changes {obj.shown}", about=obj))
            elif meets and not own:
                text = f"reads {obj.shown}, which the loop changes"
                self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text, about=obj))

    def reason_of_order(self, order: Order, node: ast.AST, found: Effects) -> Doubt:
        """Return why something that needs an order stays in the notebook."""
        what = f"`{found.called[0]}` " if found.called else ""
        if order is Order.RANDOM:
            text = f"{what}draws from random numbers that all items share, so the results depend on the order"
            return Doubt(Why.RANDOM, self.body.line(node), text, "Use --seed N, or make a generator inside the loop")
        if order in (Order.ONE_FILE, Order.APPENDS):
            how = "writes to one file in all items" if order is Order.ONE_FILE else "appends to a file"
            text = f"{what}{how}, so what stands in it depends on the order"
            return Doubt(
                Why.ORDER, self.body.line(node), text, "Return what is to be written, and write it in the loop"
            )
        if order is Order.FIGURE:
            text = f"{what}draws into the current figure, which the items share"
            remedy = "Make a figure for each item, save it, and close it"
            return Doubt(Why.ORDER, self.body.line(node), text, remedy)
        if order is Order.CACHED:
            text = f"{what}does something, or gives one object to several, by what its cache has of the items before"
            return Doubt(Why.ORDER, self.body.line(node), text, "Leave the cache out, or call it before the loop")
        words = {Order.INPUT: "asks for input", Order.PROCESS: "changes the whole process", Order.LOG: "logs"}
        return Doubt(Why.ORDER, self.body.line(node), f"{what}{words.get(order, 'needs the order of the plain loop')}")

    def globals_of(self, node: ast.AST, found: Effects) -> None:
        """A function that reads a name of the notebook which the loop assigns is called in the notebook."""
        given = {place.field for place in found.writes if place.obj is None} if found.writes else set()
        if given:
            given &= found.globals | self.declared(node, given)
        for place in found.writes if given else ():
            if place.obj is None and place.field in given:
                text = f"gives the name '{place.field}' a value"
                self.body.to_tail(node, Doubt(Why.CHANGES, self.body.line(node), text, about=place.field))
        for name in sorted(found.globals & self.body.visible - self.own_names(node)) if found.globals else ():
            text = f"reads the name '{name}', which the loop gives values"
            why = Doubt(Why.CARRIED, self.body.line(node), text, "Hand it to the function as an argument")
            self.body.to_tail(node, why)
            for definition in self.uses.defs.get(name, ()):
                self.staged.both.add(definition)
        if self.analysed.reads_given(found):
            text = "reads a name that a function which the loop calls gives values"
            self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text))

    def own_names(self, node: ast.AST) -> frozenset[str]:
        """Return the names in the text of a call that it finds wherever it is made: this iteration gave them values."""
        found = self.analysed.in_texts.get(node, frozenset())
        return found if START not in self.uses.reads.get(node, {START}) else frozenset()

    def declared(self, node: ast.AST, found: set[str]) -> set[str]:
        """Return the names among those that a part gives values to which what it calls does: they are no targets."""
        return found if isinstance(node, ast.Call) else found & self.analysed.given - {getattr(node, "id", "")}
