"""Why a heavy call stays in the notebook, and what its user can do about it."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Iterator
from dataclasses import replace

from concompare.cells.distribution.nodes import BLOCKS
from concompare.cells.distribution.staging import Body, Rules
from concompare.cells.distribution.touches import Touches
from concompare.cells.distribution.uses import START
from concompare.cells.ir import OURS, Doubt, Why
from concompare.cells.objects import Obj
from concompare.cells.syntax import names
from concompare.cells.syntax.own_code import is_installed_file

LONGEST = 40
"""Characters of a call's name that a message takes."""
ONE_EACH = "Make a new one for each item inside the loop, if no item needs what another one changed"
UNDER_WITH = "Call before the `with`, and only store the value under it"


class Advice(Rules):
    """Finds the reasons in the dependence graph of a body whose parts have their stages."""

    def __init__(self, body: Body, touches: Touches) -> None:
        super().__init__(body)
        self.touches = touches
        self.writers: dict[Obj, list[ast.AST]] = {}
        self.touched: dict[ast.AST, set[Obj]] = {}
        for obj, found in touches.by_object.items():
            for _, node, _, writes in found:
                self.touched.setdefault(node, set()).add(obj)
                if writes:
                    self.writers.setdefault(obj, []).append(node)

    def of(self, node: ast.AST) -> Doubt:
        """Return why a heavy part stays in the notebook, with what would help."""
        part, why = self.reason(node)
        if why.remedy or why.about is None:
            return why
        name = self.carried_name(node) if isinstance(why.about, Obj) else None
        if name is not None:
            text = f"needs '{name}' from the item before"
            return self.of_need(node, part, Doubt(Why.CARRIED, self.body.line(node), text, about=name))
        changing = self.change_in(node, why.about)
        if why.why is Why.CHANGES or (why.why is Why.CARRIED and changing is not None):
            return self.of_change(node, changing or part, why)
        if why.why in (Why.CARRIED, Why.AFTER):
            return self.of_need(node, part, why)
        return why

    def reason(self, node: ast.AST) -> tuple[ast.AST, Doubt]:
        """Return what put a part into the tail, and why: something in it, or else what decides about it."""
        found = self.first(names.nodes_in(node))
        below, above = node, self.body.parent.get(node)
        while found is None and above is not None:
            decided = self.staged.because.get(above)
            if decided is not None and decided.why is Why.CONTROL:
                return above, decided
            heads = heads_of(above)
            parts = [part for head in heads for part in names.nodes_in(head)] if below not in heads else []
            found = self.first([above, *parts] if isinstance(above, BLOCKS) else parts)
            if found is not None and found[0] is not above and isinstance(above, (ast.With, ast.AsyncWith)):
                context = ", ".join(map(ast.unparse, heads))
                text = f"is under `with {context}`, which stays in the notebook"
                found = above, Doubt(Why.CONTEXT, self.body.line(above), text, UNDER_WITH)
            below, above = above, self.body.parent.get(above)
        above = self.body.parent.get(node)
        while found is None and above is not None:
            found = self.first(names.nodes_in(above))
            above = self.body.parent.get(above)
        return found or (node, Doubt(Why.AFTER, self.body.line(node), "depends on what stays in the notebook"))

    def first(self, parts: Iterable[ast.AST]) -> tuple[ast.AST, Doubt] | None:
        """Return the first part that has a reason, and its reason."""
        return next(((part, self.staged.because[part]) for part in parts if part in self.staged.because), None)

    def carried_name(self, node: ast.AST) -> str | None:
        """Return a name in a part whose value comes from the item before."""
        for part in names.nodes_in(node):
            if isinstance(part, ast.Name) and START in self.uses.reads.get(part, ()) and self.uses.defs.get(part.id):
                return part.id
        return None

    def change_in(self, node: ast.AST, about: Obj | str) -> ast.AST | None:
        """Return the call inside a part that changes a name or an object, where nothing else of the loop changes it."""
        inner = names.nodes_in(node)
        if isinstance(about, str):
            return next((part for part in inner if self.is_named_by(part, about)), None)
        writers = self.writers.get(about, [])
        return next(iter(writers)) if writers and all(part in inner for part in writers) else None

    def is_named_by(self, node: ast.AST, name: str) -> bool:
        """Tell whether a call gives a name of the notebook a value."""
        places = self.analysed.of(node).writes if isinstance(node, ast.Call) else ()
        return any(place.obj is None and place.field == name for place in places)

    def of_change(self, node: ast.AST, part: ast.AST, why: Doubt) -> Doubt:
        """Say who changes what the items share, and what would help."""
        about = why.about
        called = name_of(part) or written(part)
        if not called or (not name_of(part) and isinstance(about, str)):
            return why
        shared = f"changes {about.shown}, which the items share" if isinstance(about, Obj) else why.text
        if self.takes_from(part, about):
            assert isinstance(about, Obj)
            shared = f"takes values from {about.shown}, which the items share"
        if self.loop.kind == "call":
            return replace(why, who=called)
        why = replace(why, who=called, text=shared, line=self.body.line(part))
        goes_on = isinstance(node, ast.Call) and part in names.nodes_in(node.func)
        apart = (part is not node and not goes_on) or self.takes_from(part, about)
        if apart and node not in self.before([part]) - {part}:
            heavy = f"`{name_of(node)}`" if name_of(node) and part is not node else "what needs them"
            verb = "Call" if isinstance(part, ast.Call) else "Compute"
            remedy = f"{verb} `{called}` in a loop of its own first and keep the values in a list; then {heavy} can run"
            return replace(why, remedy=f"{remedy} in parallel over that list")
        return replace(why, remedy=self.of_changer(part, called, about))

    def of_changer(self, part: ast.AST, called: str, about: Obj | str | None) -> str:
        """Return what helps where a call changes something for the items that follow."""
        what = f"'{about}'" if isinstance(about, str) else "it"
        functions = self.analysed.values.get(part.func, frozenset()) if isinstance(part, ast.Call) else frozenset()
        own = [thing for obj in functions for thing in obj.live if isinstance(thing, types.FunctionType)]
        if own and not any(is_installed_file(thing.__code__.co_filename) for thing in own):
            return f"Let `{called}` return the value instead, and change {what} in the loop itself"
        if isinstance(about, str):
            return f"Change {what} in the loop itself"
        return ONE_EACH

    def takes_from(self, node: ast.AST, about: Obj | str | None) -> bool:
        """Tell whether a call takes the next value of an iterator."""
        return any(place.obj is about and place.field == "next" for place in self.analysed.of(node).writes)

    def of_need(self, node: ast.AST, part: ast.AST, why: Doubt) -> Doubt:
        """Tell apart what needs the results of the items before, and what could be computed in a loop before."""
        about = why.about
        assert about is not None
        shown = f"`{name_of(node)}`" if name_of(node) else "the call"
        sources: Iterable[ast.AST] = (
            self.uses.defs.get(about, ()) if isinstance(about, str) else self.writers.get(about, ())
        )
        slice_ = self.before(sources)
        receiver = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
        if receiver is not None and about in self.analysed.values.get(receiver, ()):
            return replace(why, remedy=ONE_EACH)
        if node not in slice_:
            what = f"'{about}'" if isinstance(about, str) else f"what {shown} needs of {about.shown}"
            remedy = f"Compute {what} in a loop of its own first and keep the values in a list; then {shown} can run in"
            return replace(why, remedy=f"{remedy} parallel over that list")
        if isinstance(about, Obj) and not self.is_one_place(about):
            asked = part if isinstance(part, ast.Compare) else self.body.parent.get(part)
            if isinstance(asked, ast.Compare) and isinstance(asked.ops[0], (ast.In, ast.NotIn)):
                return replace(why, remedy="Compute each different key once, in a loop over these keys before")
            remedy = "If no item needs what another one stored, store into a new object and copy it over after the loop"
            return replace(why, remedy=f"{remedy}; else the loop has to stay as it is", lasting=True)
        if why.why is Why.AFTER:
            why = self.carried_in(slice_, node) or why
        shown = f"call of {shown}" if name_of(node) else "call"
        remedy = f"Each {shown} needs the result of the one before, so this loop has to stay as it is; several such"
        return replace(why, remedy=f"{remedy} loops can run in parallel, as calls of a function", lasting=True)

    def carried_in(self, nodes: Iterable[ast.AST], node: ast.AST) -> Doubt | None:
        """Return that a name comes from the item before, of those that close the circle through a heavy part."""
        found = [self.staged.because[part] for part in nodes if part in self.staged.because]
        carried = [why for why in found if why.why is Why.CARRIED and isinstance(why.about, str)]
        closing = [why for why in carried if node in self.before(self.uses.defs.get(str(why.about), ()))]
        return min(closing, key=lambda why: (why.line, str(why.about)), default=None)

    def is_one_place(self, obj: Obj) -> bool:
        """Tell whether what the loop uses of an object it changes is at one place for all items: `s.v`, `d["v"]`."""
        places: set[str] = set()
        for node in self.touched:
            if obj not in self.touched[node]:
                continue
            if not isinstance(node, (ast.Attribute, ast.Subscript)):
                return False
            if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
                return False
            places.add(ast.unparse(node))
        return len(places) == 1

    def before(self, nodes: Iterable[ast.AST]) -> set[ast.AST]:
        """Return what nodes depend on, in their own item and those before: the slice (Weiser, 1981)."""
        found: set[ast.AST] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if node not in found:
                self.analysed.budget.step()
                found.add(node)
                stack += self.needs(node)
        return found

    def needs(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node depends on itself."""
        yield from names.children_of(node) if not isinstance(node, BLOCKS) else ()
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            value, above = self.body.value_node(node), self.body.parent.get(node)
            yield from [part for part in (value, above) if part is not None and not isinstance(part, BLOCKS)]
        for definition in self.uses.reads.get(node, ()):
            if definition is not START:
                yield definition
            else:
                for name in [node.id] if isinstance(node, ast.Name) else names_of(node):
                    yield from self.uses.defs.get(name, ())
        for obj in self.touched.get(node, ()):
            yield from self.writers.get(obj, ())
        below, above = node, self.body.parent.get(node)
        while above is not None:
            yield from heads_of(above)
            if isinstance(above, (ast.Try, ast.TryStar)) and below not in above.body:
                yield from [part for tried in above.body for part in names.nodes_in(tried)]  # what raises decides
            below, above = above, self.body.parent.get(above)


def heads_of(node: ast.AST) -> list[ast.AST]:
    """Return what decides whether, or how often, other parts of a node run."""
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return [node.test]
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return [node.iter]
    if isinstance(node, ast.Match):
        return [node.subject]
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [item.context_expr for item in node.items]
    return [node.values[0]] if isinstance(node, ast.BoolOp) else []


def names_of(node: ast.AST) -> list[str]:
    """Return the names that a node reads without naming them."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return list(names.free_names(node)) if isinstance(node, names.FUNCTIONS) else []


def name_of(node: ast.AST) -> str:
    """Return the name of what is called, as the user wrote it; nothing where it is no short name."""
    if not isinstance(node, ast.Call):
        return ""
    func: ast.expr = node.func
    whole = all(isinstance(part, (ast.Name, ast.Attribute, ast.expr_context)) for part in ast.walk(func))
    found = ast.unparse(func) if whole else getattr(func, "attr", "")
    return found if len(found) <= LONGEST and OURS not in found else ""


def written(node: ast.AST) -> str:
    """Return a short expression as the user wrote it, nothing for others."""
    found = ast.unparse(node) if isinstance(node, (ast.Subscript, ast.Attribute)) else ""
    return found if len(found) <= LONGEST and OURS not in found else ""
