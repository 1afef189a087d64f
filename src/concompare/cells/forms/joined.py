"""Threads and processes that code starts one by one and joins again: where, and what it does between the two."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from concompare.cells.ir import OURS
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

THREADS = OURS + "threads"
"""The name under which the code finds what starts and joins in the place of threads themselves."""
START, JOIN, CALL = "start", "join", "call"
GETTING = frozenset({"get", "recv"})
"""Methods that wait for what a thread or process gives."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
UNSEEN = (
    *(ast.While, ast.With, ast.AsyncWith, ast.AsyncFor, ast.Await, ast.Try, ast.TryStar, ast.Match),
    *(ast.Yield, ast.YieldFrom, ast.Return, ast.Break, ast.Continue, ast.Global, ast.Nonlocal),
)
"""What may wait for a thread in a way that nobody sees, or leave before they are joined."""
PLAIN = frozenset([
    *("append", "add", "range", "enumerate", "zip", "len", "list", "tuple", "print", "sorted", "sum", "min", "max"),
    *(START, JOIN, *GETTING),
])  # fmt: skip
BLOCKS = ("body", "orelse", "finalbody")


@dataclass
class Windows:
    """The places of a piece of code where threads or processes are started, and joined in the same block.

    Attributes:
        words: What stands at the calls of these places, by identity: start, join, or another call.
        calls: The calls themselves.
        ends: The statements that are the last of each.
        changed: The names that are given values there, and `mutated`: those whose objects are seen to change.
        local: These are variables of a function.
        looks: Whether the code asks queues how much is in them, or for what is there by now.
    """

    words: dict[int, str] = field(default_factory=dict)
    calls: list[ast.Call] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    mutated: set[str] = field(default_factory=set)
    local: bool = False
    looks: bool = False

    def __bool__(self) -> bool:
        return bool(self.ends)

    @property
    def line(self) -> int:
        """The line where the first thread is started."""
        return min(call.lineno for call in self.calls if self.words[id(call)] == START)

    def holds(self, node: ast.AST) -> bool:
        """Tell whether a node has a start or a join inside it, or is in the middle of such a place."""
        return any(id(part) in self.words for part in names.nodes_in(node))

    def instead(self, node: ast.AST, copy: Callable[[ast.AST], ast.AST | None]) -> ast.AST | None:
        """Return what stands in the place of a node, or None."""
        if id(node) in self.ends:
            assert isinstance(node, ast.stmt)
            whole = names.copied(node, lambda part: copy(part) if part is not node else None)
            ended = located(ast.Expr(located(ast.Call(asked("end", node), [], []), node)), node)
            return located(ast.If(located(ast.Constant(True), node), [whole, ended], []), node)
        word = self.words.get(id(node))
        if word is None:
            return None
        assert isinstance(node, ast.Call)
        given = node.func.value if word != CALL and isinstance(node.func, ast.Attribute) else node.func
        limits = [*node.args, *[part.value for part in node.keywords]] if word == JOIN else []
        timed = [located(ast.Constant(part.value), node) for part in limits if isinstance(part, ast.Constant)]
        func = located(ast.Call(asked(word, node), [names.copied(given, copy), *timed], []), node.func)
        arguments = [names.copied(part, copy) for part in node.args]
        return located(ast.Call(func, arguments, [names.copied(part, copy) for part in node.keywords]), node)


def asked(word: str, place: ast.AST) -> ast.expr:
    """Return the method of ours that is asked at a place."""
    return located(ast.Attribute(located(ast.Name(THREADS, ast.Load()), place), word, ast.Load()), place)


def windows_of(statements: Sequence[ast.stmt]) -> Windows:
    """Return the places in statements, and in the blocks inside them, where threads are started and joined."""
    found = Windows()
    add(found, statements)
    return found


def add(found: Windows, statements: Sequence[ast.stmt]) -> None:
    """Add the places of a piece of code."""
    calls = [node for part in statements for node in names.nodes_in(part) if isinstance(node, ast.Call)]
    if not any(map(is_start, calls)) or not any(is_start(call) for part in statements for call in calls_in(part)):
        return
    add_block(found, statements)
    if found:
        found.looks = any(looks_at_queue(node) for part in statements for node in names.nodes_in(part))


def add_block(found: Windows, statements: Sequence[ast.stmt]) -> None:
    """Add the places of a block."""
    statements = list(statements)
    window = window_in(statements)
    if window:
        mark(found, window)
        statements = [part for part in statements if part not in window]
    for statement in statements:
        for block in blocks_of(statement):
            add_block(found, block)


def window_in(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a block from the first that starts a thread to the last that joins one, if any."""
    starts = [place for place, part in enumerate(statements) if any(is_start(call) for call in calls_in(part))]
    ends = [place for place, part in enumerate(statements) if any(is_end(call) for call in calls_in(part))]
    for end in reversed(ends):
        window = statements[starts[0] : end + 1] if starts else []
        joined = any(is_join(call) for part in window[1:] for call in calls_in(part))
        seen = not any(isinstance(node, UNSEEN) for part in window for node in parts_of(part))
        if joined and seen and not given_in(statements) & mutated_in(window):
            return window
    return []


def mutated_in(window: Sequence[ast.stmt]) -> set[str]:
    """Return the names whose objects statements are seen to change."""
    return {base for part in window for node in parts_of(part) if (base := changed_base(node))}


def given_in(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names that calls are given which may make a thread."""
    calls = [call for part in statements for call in calls_in(part) if not is_plain(call)]
    given = [part for call in calls for part in (*call.args, *[word.value for word in call.keywords])]
    return {part.id for node in given for part in names.nodes_in(node) if isinstance(part, ast.Name)}


def is_plain(call: ast.Call) -> bool:
    """Tell whether what is called is sure to make no thread, as its name says."""
    return (call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")) in PLAIN


def mark(found: Windows, window: Sequence[ast.stmt]) -> None:
    """Note the calls of one place."""
    found.ends.add(id(window[-1]))
    for statement in window:
        for call in calls_in(statement):
            found.words[id(call)] = START if is_start(call) else JOIN if is_join(call) else CALL
            found.calls.append(call)
        found.changed |= names.writes(statement)
    found.mutated |= mutated_in(window)


def blocks_of(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a statement."""
    if isinstance(statement, DEFINITIONS):
        return
    for word in BLOCKS:
        if block := getattr(statement, word, None):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def parts_of(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run with a statement, in the order of the text: not those of functions that it defines."""
    stack = [statement]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, DEFINITIONS):
            stack += reversed(names.children_of(node))


def calls_in(statement: ast.AST) -> list[ast.Call]:
    """Return the calls that a statement makes."""
    return [node for node in parts_of(statement) if isinstance(node, ast.Call)]


def is_start(call: ast.Call) -> bool:
    """Tell whether a call may start a thread."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == START and not call.args and not call.keywords


def is_join(call: ast.Call) -> bool:
    """Tell whether a call may join a thread: text is joined with an argument that is no number."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != JOIN or isinstance(call.func.value, ast.Constant):
        return False
    given = [*call.args, *[part.value for part in call.keywords]]
    return not given or (len(given) == 1 and isinstance(given[0], ast.Constant))


def is_end(call: ast.Call) -> bool:
    """Tell whether a call may wait for threads."""
    return is_join(call) or (isinstance(call.func, ast.Attribute) and call.func.attr in GETTING)


def changed_base(node: ast.AST) -> str:
    """Return the name whose object a node is seen to change, or nothing."""
    target: ast.AST | None = None
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        target = node
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        func = node.value.func
        quiet = isinstance(func, ast.Attribute) and func.attr in (START, JOIN, *GETTING)
        target = func if isinstance(func, ast.Attribute) and not quiet else None
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def looks_at_queue(node: ast.AST) -> bool:
    """Tell whether a node asks a queue how much is in it, or for what is in it by now."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    given = bool(node.args or node.keywords)
    return node.func.attr in ("empty", "full", "qsize", "get_nowait", "poll") or (node.func.attr == "get" and given)
