"""Names that stand in texts: of what `getattr(model, name)(x)` calls, and what `df.query("v > @least")` looks up."""

from __future__ import annotations

import ast
import itertools
import re
import types
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.entries import Beginning
from concompare.cells.effects.scopes import Scope, look_up
from concompare.cells.ir import INLINED, Loop
from concompare.cells.objects import ATOM, Value
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

MOST = 50
"""Items of which the texts are looked at."""
MOST_LABELS = 10_000
"""Items of which the labels are looked at."""
IN_QUERIES, IN_EXPRESSIONS = re.compile(r"@([^\W\d]\w*)"), re.compile(r"(?<![\w.])([^\W\d]\w*)")
"""How names of the notebook stand in a query of a frame, and in what `pandas.eval` evaluates."""
LOOKED_INTO = r"\s*[.(\[]"
"""What follows a name there of whose object more is asked than its value, which may run code of the user's."""
QUIET = frozenset({"expr", "inplace", "engine", "parser"})
"""Arguments that leave alone where names are looked up."""
WALKED: tuple[type, ...] = (list, tuple, dict, set, frozenset, type({}.items()), type({}.keys()))
"""Types of items that walking does not use up."""


def texts_of(loop: Loop, items: Any, fixed: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the texts that targets of a loop stand for, of those that its items give and nothing else changes.

    Args:
        loop: The loop.
        items: What it walks, evaluated; without that, what is written out in the code counts.
        fixed: The names that only the loop itself gives values.
    """
    rows = [*items] if type(items) in WALKED and len(items) <= MOST else written_out(loop.items)
    return {
        name: frozenset(values)
        for name, values in by_name(loop.target, rows).items()
        if name in fixed and all(type(value) is str for value in values)
    }


def by_name(target: ast.expr | None, rows: list[Any]) -> dict[str, list[Any]]:
    """Return what each name of a loop's target stands for, item by item; nothing where that cannot be told."""
    if isinstance(target, ast.Name) and rows:
        return {target.id: rows}
    if not isinstance(target, ast.Tuple) or not all(type(row) is tuple for row in rows):
        return {}
    parts = [part.id for part in target.elts if isinstance(part, ast.Name)]
    if len(parts) < len(target.elts) or {len(row) for row in rows} != {len(parts)}:
        return {}
    return {name: [row[at] for row in rows] for at, name in enumerate(parts)}


def labels_of(loop: Loop, items: Any, fixed: frozenset[str]) -> dict[str, list[Any]]:
    """Return what names of a loop's target stand for, item by item, where these are labels that nobody can change.

    Args:
        loop: The loop.
        items: What it walks, evaluated; without that, what is written out in the code counts.
        fixed: The names that only the loop itself gives values.
    """
    rows: list[Any] = []
    if type(items) in (*WALKED, range) or is_index(items):
        rows = [*items] if len(items) <= MOST_LABELS else []
    elif type(items) in (enumerate, zip):
        rows = given_by(items)
    rows = rows or written_out(loop.items)
    return {
        name: values
        for name, values in by_name(loop.target, rows).items()
        if name in fixed and len(values) <= MOST_LABELS and all(type(value) in (str, int) for value in values)
    }


def given_by(items: Any) -> list[Any]:
    """Return what a copy of an iterator gives, as far as labels are looked at; nothing where it cannot be copied."""
    from concompare.cells.distribution.ahead import shadows

    if not shadows.can_copy(items):
        return []
    try:
        return [*itertools.islice(shadows.shadow_of(items), MOST_LABELS + 1)]
    except ValueError:  # of what `zip` walks, one is shorter than it must be
        return []


def is_index(items: Any) -> bool:
    """Tell whether items are the labels of a frame."""
    return type(items).__module__.startswith("pandas") and type(items).__name__ in ("Index", "RangeIndex")


def written_out(node: ast.expr | None) -> list[Any]:
    """Return the elements of a list or tuple that is written out with constants, else nothing."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return []
    try:
        return [*ast.literal_eval(node)]
    except ValueError:
        return []


@dataclass(frozen=True)
class Asked:
    """What is asked of an object by `getattr`: `names` are all that may be asked of what `holder` stands for."""

    holder: ast.expr
    names: frozenset[str]


def text_before(an: Interpreter, node: ast.Name, scope: Scope, *, anywhere: bool = False) -> Any:
    """Return the text that a name of a piece of code always has: given once, before, by a statement of its own.

    Args:
        an: The analysis.
        node: The name where it is read.
        scope: The scope of the code.
        anywhere: It is known that it is given before, whatever the lines say.
    """
    if not scope.body:
        return declared.UNSEEN
    first = scope.body[0]
    if first not in an.texts:
        an.texts[first] = texts_in(scope.body)
    line, text = an.texts[first].get(node.id, (node.lineno, declared.UNSEEN))
    return text if anywhere or line < node.lineno else declared.UNSEEN


def texts_in(body: Sequence[ast.stmt]) -> dict[str, tuple[int, Any]]:
    """Return the names to which code gives a text, and no other value, by a statement of its own, with its line."""
    found: dict[str, tuple[int, Any]] = {}
    for statement in body:
        text = seen_text(statement.value) if isinstance(statement, ast.Assign) else declared.UNSEEN
        if text is not declared.UNSEEN and isinstance(statement, ast.Assign):
            words = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            found |= dict.fromkeys(words, (statement.lineno, text))
    if not found:
        return found
    nodes = (part for statement in body for part in names.nodes_in(statement) if isinstance(part, ast.Name))
    given = Counter(part.id for part in nodes if not isinstance(part.ctx, ast.Load))
    return {name: told for name, told in found.items() if given[name] == 1}


def seen_text(node: ast.expr) -> Any:
    """Return a text that is written out, of one with values put in its beginning."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else declared.UNSEEN
    if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
        return Beginning(node.values[0].value)
    return declared.UNSEEN


def asked_by_name(an: Interpreter, node: ast.expr, scope: Scope) -> Asked | None:
    """Return what `getattr` is asked for where that is what is called, and all its names are known; else None."""
    if not isinstance(node, ast.Call) or len(node.args) != 2 or node.keywords:
        return None
    holder, name = node.args
    function = an.value(node.func, scope) if isinstance(node.func, ast.Name) else None
    if not function or any(obj.live != (getattr,) for obj in function):
        return None
    if not isinstance(holder, (ast.Name, ast.Attribute)):
        return None
    found = texts_of_argument(an, name, scope)
    return Asked(holder, found) if found else None


def texts_of_argument(an: Interpreter, node: ast.expr, scope: Scope) -> frozenset[str]:
    """Return all texts that an expression may be: one written out, those of the items or of an argument; else none."""
    if isinstance(node, ast.Constant):
        return frozenset({node.value}) if type(node.value) is str else frozenset()
    if not isinstance(node, ast.Name):
        return frozenset()
    if scope is not an.top:
        return scope.texts.get(node.id, frozenset())
    if node.id.startswith(INLINED):  # a parameter gets its value before anything of its function runs, or by default
        own = node.id in scope.local
        seen = text_before(an, node, scope, anywhere=True) if own else an.world.namespace.get(node.id)
        return frozenset({seen}) if type(seen) is str else frozenset()
    return an.item_texts.get(node.id, frozenset()) if node.id not in an.given else frozenset()


def texts_given(
    definition: names.FunctionNode, node: ast.AST, given: Arguments, function: Any
) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return all texts that parameters may be which have the name in a `getattr`, as far as they are known.

    Args:
        definition: The definition of the function.
        node: The call.
        given: The arguments.
        function: The function, where it is a live one.
    """
    words = asking_parameters(definition)
    if not words or given.spread is not None:
        return ()
    places = names.signature_of(definition).positional
    found = defaults_of(function, places) if calls_directly(node, given) else {}
    found = {
        name: texts for name, texts in found.items() if name not in {*places[: len(given.positional)], *given.named}
    }
    for place, texts in given.texts.items():
        name = place if isinstance(place, str) else places[place] if place < len(places) else ""
        found[name] = texts
    return tuple((name, found[name]) for name in sorted(words & found.keys()))


def calls_directly(node: ast.AST, given: Arguments) -> bool:
    """Tell whether a function is given the arguments that stand in a call, behind a receiver at most, and no others."""
    if not isinstance(node, ast.Call) or {part.arg for part in node.keywords} != given.named.keys():
        return False
    return len(given.positional) - len(node.args) in (0, 1)


def defaults_of(function: Any, places: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the live defaults of parameters that are texts."""
    if not isinstance(function, types.FunctionType):
        return {}
    values = function.__defaults__ or ()
    pairs = [*zip(places[len(places) - len(values) :], values, strict=True), *(function.__kwdefaults__ or {}).items()]
    return {name: frozenset({value}) for name, value in pairs if type(value) is str}


def asking_parameters(definition: names.FunctionNode) -> frozenset[str]:
    """Return the parameters of a function that have the name in a `getattr`, and only one value, found once."""
    found: frozenset[str] | None = definition.__dict__.get("concompare_asking")
    if found is None:
        nodes = list(names.nodes_in(definition))
        calls = [node for node in nodes if isinstance(node, ast.Call) and len(node.args) == 2]
        asked = [node.args[1] for node in calls if isinstance(node.func, ast.Name) and node.func.id == "getattr"]
        words = {part.id for part in asked if isinstance(part, ast.Name)} & {*names.parameters(definition)}
        given = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        given |= names.signature_of(definition).written
        found = definition.__dict__["concompare_asking"] = frozenset(words - given)
    return found


def looked_up_by_text(an: Interpreter, node: ast.AST, this: Value, given: Arguments) -> Value:
    """Follow looking up the names that stand in the text of a query or expression; returns what they stand for.

    Args:
        an: The analysis.
        node: The call.
        this: The frame that is queried; nothing where names that are no columns are the notebook's without a mark.
        given: The arguments, which have the text.
    """
    scope = an.calling.get(node)
    if scope is None or not isinstance(node, ast.Call):
        return ATOM
    texts = [value for value in given.flags.values() if isinstance(value, str)]
    for part in [*node.args, *[keyword.value for keyword in node.keywords]]:
        for one in names.nodes_in(part):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                texts.append(one.value)
            elif isinstance(one, ast.Name) and scope is an.top:
                texts += sorted(an.item_texts.get(one.id, ()))
    pattern = IN_QUERIES if this else IN_EXPRESSIONS
    words = [word for text in texts for word in pattern.findall(text) if is_there(an, word, scope)]
    own = an.assigned.intersection(words)
    an.now.globals |= own  # no name in the code says that they are read
    if own and scope is an.top and is_plain_query(node, pattern) and is_in_frame(scope.body, node):
        an.in_texts[node] = own
    return ATOM.union(*[look_up(an, word, scope) for word in dict.fromkeys(words)])


def is_plain_query(node: ast.Call, pattern: re.Pattern[str]) -> bool:
    """Tell whether a call has its text written out, does no more with the names in it, and finds them in its frame."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("query", "eval"):
        return False
    texts = [*node.args[:1], *[keyword.value for keyword in node.keywords if keyword.arg == "expr"]]
    if len(node.args) > 1 or {keyword.arg for keyword in node.keywords} - QUIET or len(texts) != 1:
        return False
    text = texts[0].value if isinstance(texts[0], ast.Constant) else None
    return isinstance(text, str) and re.search(pattern.pattern + LOOKED_INTO, text) is None


def is_in_frame(body: Sequence[ast.stmt], node: ast.AST) -> bool:
    """Tell whether a part of some code runs in its own frame: it is in no function or comprehension in there."""
    waiting: list[ast.AST] = [*body]
    while waiting:
        part = waiting.pop()
        if part is node:
            return True
        if not isinstance(part, (*names.FUNCTIONS, *names.COMPREHENSIONS, ast.ClassDef)):
            waiting += names.children_of(part)
    return False


def is_there(an: Interpreter, name: str, scope: Scope) -> bool:
    """Tell whether a name has a value where a piece of code stands, beside those of the builtins."""
    around: Scope | None = scope
    while around is not None:
        if name in around.local or name in around.holders:
            return True
        module = around.module
        around = around.outer
    return name in (module if module is not None else an.world.namespace) or name in an.visible
