"""The pick as plain `concurrent.futures` source that runs as a script without concompare.

The cell is taken apart again as an AST: what its loop or comprehension computes per item becomes a function, what is
left of it stays as written. A cell for which the simple rules here do not hold gets no code rather than wrong code.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from concompare.records import Comparison, Subject

PLACE = "# Put here what the cell uses of other cells: imports, functions, constants"
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
CONSUMERS = {ast.ListComp: "list", ast.SetComp: "set", ast.DictComp: "dict", ast.GeneratorExp: ""}
THREADS = {"threads", "mp-threads", "thread-per-item"}
METHODS = {"fork": "fork", "forkserver": "forkserver", "spawn": "spawn"}
"""Start methods by backend; the others that are processes use this platform's safe one."""
PROCESSES = {*METHODS, "processes", "mp-pool", "process-per-item"}


@dataclass(frozen=True, slots=True)
class PoolCode:
    """How a pool is opened in source.

    Attributes:
        imports: Import lines.
        opening: The call, with `{more}` for further arguments.
        processes: Whether workers are processes, which need a main guard, and values sent to them.
        chunk: Items per message; 1 where it does not matter.
    """

    imports: tuple[str, ...]
    opening: str
    processes: bool
    chunk: int = 1


@dataclass
class Rewrite:
    """A cell taken apart.

    Attributes:
        function: The function that workers run.
        before: Statements before, `inside` with the pool open, `after` behind it.
        items: Source of the items where they get a name of their own.
    """

    function: ast.FunctionDef | None
    before: list[ast.stmt]
    inside: list[ast.stmt]
    after: list[ast.stmt] = field(default_factory=list)
    items: ast.expr | None = None


def takeaway(comparison: Comparison, backend: str, workers: int) -> str:
    """Return the source that runs the cell on this backend without concompare; empty where there is none.

    The plain loop's is the cell as written.
    """
    subject = comparison.subject
    if backend == "serial":
        return subject.source.strip()
    pool = pool_code(comparison, backend, workers)
    if pool is None or comparison.scaling != "strong":
        return ""
    try:
        tree = ast.parse(subject.source)
    except SyntaxError:
        return ""
    found = rewrite(tree, subject, pool)
    return source_of(found, subject, pool) if found is not None else ""


def pool_code(comparison: Comparison, backend: str, workers: int) -> PoolCode | None:
    """Return how the backend's pool is opened, or None for one that has no short form."""
    if backend in THREADS:
        name = "ThreadPoolExecutor"
        return PoolCode((f"from concurrent.futures import {name}",), f"{name}({workers})", processes=False)
    chunk = chunk_of(comparison, backend, workers)
    if backend == "loky":
        opening = f"get_reusable_executor({workers}{{more}})"
        return PoolCode(("from loky import get_reusable_executor",), opening, processes=True, chunk=chunk)
    if backend == "interpreters":
        name = "InterpreterPoolExecutor"
        return PoolCode((f"from concurrent.futures import {name}",), f"{name}({workers}{{more}})", True, chunk)
    if backend not in PROCESSES:
        return None
    method = METHODS.get(backend) or comparison.environment.start_method or "spawn"
    return PoolCode(
        ("import multiprocessing", "from concurrent.futures import ProcessPoolExecutor"),
        f'ProcessPoolExecutor({workers}, mp_context=multiprocessing.get_context("{method}"){{more}})',
        processes=True,
        chunk=chunk,
    )


def chunk_of(comparison: Comparison, backend: str, workers: int) -> int:
    """Return the items per message that the trial used: the largest chunk of its last pass."""
    trials = [t for t in comparison.trials if (t.backend, t.workers) == (backend, workers)]
    counts = [m.count for t in trials for p in t.passes for m in p.messages]
    fair = max(1, comparison.subject.items // (4 * workers))
    return min(fair, max(counts)) if counts else 1


# ---- taking the cell apart


def rewrite(tree: ast.Module, subject: Subject, pool: PoolCode) -> Rewrite | None:
    """Take the cell apart by its kind, or return None where the simple rules do not hold."""
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    taken |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    fresh = Fresh(taken)
    if subject.kind == "function":
        return over_a_function(tree, subject, pool, fresh)
    for at, statement in enumerate(tree.body):
        before, after = tree.body[:at], tree.body[at + 1 :]
        found = None
        if subject.kind == "loop" and isinstance(statement, ast.For):
            found = loop(statement, subject, pool, fresh)
        elif subject.kind == "comprehension":
            found = comprehension(statement, subject, pool, fresh)
        elif subject.kind == "map":
            found = mapping(statement, pool, fresh)
        if found is not None:
            found.before, found.after = before, after
            return found
    return None


class Fresh:
    """Gives names that the cell does not use."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken

    def name(self, wanted: str) -> str:
        """Return the wanted name, numbered where it is taken."""
        names = itertools.chain((wanted,), (f"{wanted}_{n}" for n in itertools.count(2)))
        found = next(name for name in names if name not in self.taken)
        self.taken.add(found)
        return found


def loop(statement: ast.For, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite | None:
    """Split a loop where its tail begins, the expressions that do the work moved into the function."""
    if statement.orelse or any(isinstance(n, ast.Continue | ast.Break | ast.Await) for n in ast.walk(statement)):
        return None
    tail = ast.parse(subject.tail).body
    if len(tail) > len(statement.body):
        return None
    cut = len(statement.body) - len(tail)
    head, written = statement.body[:cut], statement.body[cut:]
    hoisted = Hoisted(frozenset(fresh.taken))
    if not all(matches(old, new, hoisted) for old, new in zip(written, tail, strict=True)):
        return None
    new_names = {name: fresh.name("value") for name in sorted(hoisted.found)}
    tail = [Renamed(new_names).visit(part) for part in tail]
    assigned = [n for n in stored(head) if n in loaded(tail)]
    outputs = [*assigned, *new_names.values()]
    results: list[ast.expr] = [*(load(n) for n in assigned), *(hoisted.found[name] for name in sorted(hoisted.found))]
    function = function_of(fresh.name("compute"), statement.target, [*head, *returning(results)], fresh)
    items = fresh.name("items")
    target = packed([statement.target, *([packed([store(n) for n in outputs])] if outputs else [])])
    each = mapped(pool, function.name, load(items))
    over = call("zip", load(items), each) if outputs else each
    if not outputs:
        target = store(fresh.name("done"))
    turn = ast.For(target=target, iter=over, body=tail or [ast.Pass()], orelse=[], lineno=0)
    return Rewrite(function, [], [turn], items=statement.iter)


def comprehension(statement: ast.stmt, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite | None:
    """Replace the comprehension whose element the workers compute by a map over its items."""
    for node in ast.walk(statement):
        if not isinstance(node, Comprehension) or any(g.is_async for g in node.generators):
            continue
        element = ast.Tuple([node.key, node.value], ast.Load()) if isinstance(node, ast.DictComp) else node.elt
        asked = node.value if isinstance(node, ast.DictComp) else node.elt
        called = [n for n in ast.walk(asked) if isinstance(n, ast.Call)]
        if not called or not any(ast.unparse(n) in subject.head for n in called):
            continue
        names = list(dict.fromkeys(stored_in(g.target for g in node.generators)))
        simple = len(node.generators) == 1 and not node.generators[0].ifs
        target = node.generators[0].target if len(node.generators) == 1 else packed([store(n) for n in names])
        function = function_of(fresh.name("compute"), target, [ast.Return(element)], fresh)
        items = node.generators[0].iter if simple else ast.ListComp(as_load(target), node.generators)
        each: ast.expr = mapped(pool, function.name, items)
        consumer = CONSUMERS[type(node)]
        replaced = put(node, call(consumer, each) if consumer else each, statement)
        return Rewrite(function, [], [replaced])
    return None


def mapping(statement: ast.stmt, pool: PoolCode, fresh: Fresh) -> Rewrite | None:
    """Replace a `map` or `starmap` by the pool's."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call) or len(node.args) < 2 or node.keywords:
            continue
        name = ast.unparse(node.func)
        if name == "map":
            function = lambda_named(node.args[0], fresh)
            used = function.name if function is not None else ast.unparse(node.args[0])
            return Rewrite(function, [], [put(node, mapped(pool, used, *node.args[1:]), statement)])
        if name in ("starmap", "itertools.starmap"):
            given = fresh.name("arguments")
            starred = ast.Call(node.args[0], [ast.Starred(load(given), ast.Load())], [])
            function = function_of(fresh.name("compute"), store(given), [ast.Return(starred)], fresh)
            return Rewrite(function, [], [put(node, mapped(pool, function.name, node.args[1]), statement)])
    return None


def lambda_named(function: ast.expr, fresh: Fresh) -> ast.FunctionDef | None:
    """Return a lambda as a function with a name, since lambdas cannot be sent; None for other functions."""
    if not isinstance(function, ast.Lambda):
        return None
    body: list[ast.stmt] = [ast.Return(function.body)]
    return ast.FunctionDef(fresh.name("compute"), function.args, body, [], lineno=0, type_params=[])  # type: ignore[call-arg,unused-ignore]


def over_a_function(tree: ast.Module, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite | None:
    """Map a function of the cell over items that the user has to fill in: their source is not in the cell."""
    if not any(isinstance(s, ast.FunctionDef) and s.name == subject.name for s in tree.body):
        return None
    items = fresh.name("items")
    results = ast.Assign(
        [store(fresh.name("results"))], call("list", mapped(pool, subject.name, load(items))), lineno=0
    )
    return Rewrite(None, tree.body, [results], items=ast.List([], ast.Load()))


@dataclass(frozen=True, slots=True)
class Hoisted:
    """Expressions that moved out of the tail, by the names that stand for them there: names the cell does not use.

    Attributes:
        taken: The names of the cell.
        found: The expressions, by name.
    """

    taken: frozenset[str]
    found: dict[str, ast.expr] = field(default_factory=dict)


def matches(old: ast.AST, new: ast.AST, hoisted: Hoisted) -> bool:
    """Say whether a statement of the tail is one as written, but for the hoisted expressions, which are collected."""
    if isinstance(new, ast.Name) and new.id not in hoisted.taken and isinstance(old, ast.expr):
        return ast.dump(hoisted.found.setdefault(new.id, old)) == ast.dump(old)
    if type(old) is not type(new):
        return False
    for name in old._fields:
        mine, theirs = getattr(old, name, None), getattr(new, name, None)
        if isinstance(mine, list) and isinstance(theirs, list):
            if len(mine) != len(theirs):
                return False
            if not all(same(a, b, hoisted) for a, b in zip(mine, theirs, strict=True)):
                return False
        elif not same(mine, theirs, hoisted):
            return False
    return True


def same(one: object, other: object, hoisted: Hoisted) -> bool:
    """Say whether two parts of statements match."""
    if isinstance(one, ast.AST) and isinstance(other, ast.AST):
        return matches(one, other, hoisted)
    return one == other


class Renamed(ast.NodeTransformer):
    """Gives names other names."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Rename one."""
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


class Replaced(ast.NodeTransformer):
    """Puts an expression in the place of another."""

    def __init__(self, old: ast.AST, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the one node, leave the others."""
        return self.new if node is self.old else super().visit(node)


def put(old: ast.AST, new: ast.expr, statement: ast.stmt) -> ast.stmt:
    """Return the statement with one expression in the place of another."""
    return cast(ast.stmt, Replaced(old, new).visit(statement))


# ---- small pieces of AST


def load(name: str) -> ast.Name:
    """Return a name as it is read."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """Return a name as it is assigned to."""
    return ast.Name(name, ast.Store())


def as_load(target: ast.expr) -> ast.expr:
    """Return a target as an expression."""
    return ast.parse(ast.unparse(target), mode="eval").body


def packed(parts: Sequence[ast.expr]) -> ast.expr:
    """Return one part as it is, several as a tuple to assign to."""
    return parts[0] if len(parts) == 1 else ast.Tuple(list(parts), ast.Store())


def returning(results: Sequence[ast.expr]) -> list[ast.stmt]:
    """Return the statement that gives back the results, if there are any."""
    if not results:
        return []
    return [ast.Return(results[0] if len(results) == 1 else ast.Tuple(list(results), ast.Load()))]


def call(name: str, *arguments: ast.expr) -> ast.Call:
    """Return a call of a function by name."""
    return ast.Call(load(name), list(arguments), [])


def mapped(pool: PoolCode, function: str, *items: ast.expr) -> ast.Call:
    """Return the pool's map, with its chunk size where that matters."""
    keywords = [ast.keyword("chunksize", ast.Constant(pool.chunk))] if pool.processes and pool.chunk > 1 else []
    attribute = ast.Attribute(load("pool"), "map", ast.Load())
    return ast.Call(attribute, [ast.parse(function, mode="eval").body, *items], keywords)


def function_of(name: str, target: ast.expr, body: Iterable[ast.stmt], fresh: Fresh) -> ast.FunctionDef:
    """Return a function of one item; an item of several parts is taken apart in its first line."""
    lines = list(body)
    argument = target.id if isinstance(target, ast.Name) else fresh.name("item")
    if not isinstance(target, ast.Name):
        lines.insert(0, ast.Assign([target], load(argument), lineno=0))
    arguments = ast.arguments([], [ast.arg(argument)], None, [], [], None, [])
    return ast.FunctionDef(name, arguments, lines or [ast.Pass()], [], lineno=0, type_params=[])  # type: ignore[call-arg,unused-ignore]


def stored_in(nodes: Iterable[ast.AST]) -> list[str]:
    """Return the names assigned in these nodes, in order."""
    names = (n for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return list(dict.fromkeys(n.id for n in names))


def stored(statements: Sequence[ast.stmt]) -> list[str]:
    """Return the names that statements assign."""
    return stored_in(statements)


def loaded(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that nodes read."""
    names = (n for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return {n.id for n in names}


# ---- putting it together


def source_of(found: Rewrite, subject: Subject, pool: PoolCode) -> str:
    """Return the script."""
    fixed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [s for s in found.before if isinstance(s, fixed)]
    before = [s for s in found.before if not isinstance(s, fixed)]
    functions = [*(s for s in top if not isinstance(s, ast.Import | ast.ImportFrom)), *filter(None, (found.function,))]
    shared = shared_names(functions, before, subject) if pool.processes else []
    more = f", initializer=begin, initargs=({{{', '.join(f'{n!r}: {n}' for n in shared)}}},)" if shared else ""
    blocks = ["\n".join([*pool.imports, *(ast.unparse(s) for s in top if isinstance(s, ast.Import | ast.ImportFrom))])]
    blocks.append(PLACE + (" (workers import this file)." if pool.processes else "."))
    blocks += [text(function) for function in functions]
    if shared:
        blocks.append("def begin(values):  # runs once in every worker\n    globals().update(values)")
    main = [text(statement) for statement in before]
    items = found.items
    if items is not None:
        empty = isinstance(items, ast.List) and not items.elts
        main.append("items = []  # the items of --over" if empty else f"items = list({text(items)})")
    opening = pool.opening.replace("{more}", more)
    main.append("\n".join([f"with {opening} as pool:", *(indented(text(s)) for s in found.inside)]))
    main += [text(statement) for statement in found.after]
    if pool.processes:
        main = ['if __name__ == "__main__":', *(indented(part) for part in main)]
    return "\n\n\n".join(blocks) + "\n\n\n" + "\n".join(main) + "\n"


def shared_names(functions: Sequence[ast.stmt], before: Sequence[ast.stmt], subject: Subject) -> list[str]:
    """Return the values that workers need and do not get by importing the file: assigned in the cell, or large."""
    used, own = loaded(functions), set(stored(list(functions)))
    large = [name for name, _ in subject.captured if name.isidentifier() and name in used]
    assigned = [name for name in stored(before) if name in used]
    return [name for name in dict.fromkeys([*large, *assigned]) if name not in own]


def text(node: ast.AST) -> str:
    """Return a node as source."""
    return ast.unparse(ast.fix_missing_locations(node))


def indented(source: str) -> str:
    """Return source four spaces further in."""
    return "\n".join(f"    {line}" if line else line for line in source.splitlines())
