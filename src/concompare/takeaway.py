"""The pick as plain `concurrent.futures` source that runs as a script without concompare.

What the loop or comprehension computes per item becomes a function, the rest of the cell stays as written. A cell for
which the simple rules here do not hold gets the reason in a comment, rather than wrong code.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from concompare.cells import names
from concompare.records import Comparison, Subject

PLACE = "# Put here what the cell uses of other cells: imports, functions, constants"
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
CONSUMERS = {ast.ListComp: "list", ast.SetComp: "set", ast.DictComp: "dict", ast.GeneratorExp: ""}
THREADS = {"threads", "mp-threads", "thread-per-item"}
METHODS = {"fork": "fork", "forkserver": "forkserver", "spawn": "spawn"}
"""Start methods by backend; the others that are processes use this platform's safe one."""
PROCESSES = {*METHODS, "processes", "mp-pool", "process-per-item"}


NATIVE_SHARE = 0.25
"""Share of the CPU seconds that native threads computed, from which on their number is said."""
NATIVE = """# Workers read this when they load numpy
os.environ.update(OMP_NUM_THREADS="{native}", OPENBLAS_NUM_THREADS="{native}", MKL_NUM_THREADS="{native}")"""


@dataclass(frozen=True, slots=True)
class PoolCode:
    """How a pool is opened in source.

    Attributes:
        imports: Import lines.
        opening: The call, with `{more}` for further arguments.
        processes: Whether workers are processes, which need a main guard, and values sent to them.
        chunk: Items per message; 1 where it does not matter.
        before: Statements right before the pool is opened.
    """

    imports: tuple[str, ...]
    opening: str
    processes: bool
    chunk: int = 1
    before: str = ""


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


class NoShortForm(Exception):
    """Raised where a cell has no short form: with the reason, as the rest of a sentence."""


def takeaway(comparison: Comparison, backend: str, workers: int, native: int | None = None) -> str:
    """Return the source that runs the cell on this backend without concompare; a comment where there is none.

    The plain loop's is the cell as written. `native` limits the threads of BLAS and OpenMP pools in each worker.
    """
    subject = comparison.subject
    if backend == "serial":
        return subject.source.strip()
    try:
        return script(comparison, backend, workers, native)
    except NoShortForm as reason:
        limit = f" --native-threads {native}" if native is not None else ""
        return f"# No script for this cell: {reason}.\n# Run it with: %%parallel -b {backend} -w {workers}{limit}\n"


def script(comparison: Comparison, backend: str, workers: int, native: int | None = None) -> str:
    """Return the source, or raise why there is none."""
    subject = comparison.subject
    if comparison.scaling != "strong":
        raise NoShortForm("every worker did the same work, so there is none to share out")
    pool = pool_code(comparison, backend, workers, native)
    if pool is None:
        raise NoShortForm(f"{backend} has no short form in plain Python")
    try:
        tree = ast.parse(subject.source)
    except SyntaxError:
        raise NoShortForm("its source is not plain Python") from None
    if any(isinstance(node, ast.Name) and node.id == "get_ipython" for node in ast.walk(tree)):
        raise NoShortForm("it uses IPython's own syntax")
    if any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(tree)):
        raise NoShortForm("it awaits")
    return source_of(rewrite(tree, subject, pool), subject, pool)


def pool_code(comparison: Comparison, backend: str, workers: int, native: int | None = None) -> PoolCode | None:
    """Return how the backend's pool is opened, or None for one that has no short form."""
    if backend in THREADS:
        name = "ThreadPoolExecutor"
        imports, opening = [f"from concurrent.futures import {name}"], f"{name}({workers})"
        if native is not None:  # OpenMP keeps its limit by thread, BLAS by process
            imports.append("from threadpoolctl import threadpool_limits")
            limited = f"{name}({workers}, initializer=threadpool_limits, initargs=({native},))"
            opening = f"threadpool_limits({native}), {limited}"
        return PoolCode(tuple(imports), opening, processes=False)
    return of_processes(comparison, backend, workers, native)


def of_processes(comparison: Comparison, backend: str, workers: int, native: int | None) -> PoolCode | None:
    """Return how a pool outside of this process is opened; workers have the native threads they were measured with."""
    if native is None and evidently_native(comparison):
        native = max(1, comparison.environment.usable // workers)
    before = NATIVE.format(native=native) if native is not None else ""
    chunk = chunk_of(comparison, backend, workers)
    if backend == "loky":
        opening = f"get_reusable_executor({workers}{{more}})"
        return PoolCode(("from loky import get_reusable_executor",), opening, True, chunk, before)
    if backend == "interpreters":
        name = "InterpreterPoolExecutor"
        return PoolCode((f"from concurrent.futures import {name}",), f"{name}({workers}{{more}})", True, chunk)
    if backend not in PROCESSES:
        return None
    method = METHODS.get(backend) or comparison.environment.start_method or "spawn"
    return PoolCode(
        ("import multiprocessing", "from concurrent.futures import ProcessPoolExecutor"),
        f'ProcessPoolExecutor({workers}, mp_context=multiprocessing.get_context("{method}"){{more}})',
        True,
        chunk,
        before if method != "fork" else "",
    )


def evidently_native(comparison: Comparison) -> bool:
    """Say whether items use native threads, so that workers need their number said."""
    return (comparison.probe.native_share or 0.0) >= NATIVE_SHARE


def chunk_of(comparison: Comparison, backend: str, workers: int) -> int:
    """Return the items per message that the trial used: the largest chunk of its last pass."""
    trials = [t for t in comparison.trials if (t.backend, t.workers) == (backend, workers)]
    counts = [m.count for t in trials for p in t.passes for m in p.messages]
    fair = max(1, comparison.subject.items // (4 * workers))
    return min(fair, max(counts)) if counts else 1


# ---- taking the cell apart


def rewrite(tree: ast.Module, subject: Subject, pool: PoolCode) -> Rewrite:
    """Take the cell apart by its kind."""
    taken = {name for source in (subject.head, subject.tail) for name in names_in(ast.parse(source))} | names_in(tree)
    fresh = Fresh(taken)
    if subject.kind == "function":
        return over_a_function(tree, subject, pool, fresh)
    place = 0 if subject.statement is None and len(tree.body) == 1 else subject.statement
    if place is None or not 0 <= place < len(tree.body):
        raise NoShortForm("its source was not kept")
    before, statement, after = tree.body[:place], tree.body[place], tree.body[place + 1 :]
    if subject.kind == "loop" and isinstance(statement, ast.For):
        found = loop(statement, after, subject, pool, fresh, names_in(tree))
    elif subject.kind == "comprehension":
        found = comprehension(statement, subject, pool, fresh)
    elif subject.kind == "map":
        found = mapping(statement, pool, fresh)
    else:
        raise NoShortForm("it has no loop")
    found.before, found.after = before, after
    return found


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


def loop(
    statement: ast.For, after: list[ast.stmt], subject: Subject, pool: PoolCode, fresh: Fresh, cell: set[str]
) -> Rewrite:
    """Put the loop's head into a function and leave its tail in the loop, both as they were split for the workers.

    What the tail reads beyond the names of the cell (`cell`) stands for what the head gives back.
    """
    head, tail = ast.parse(subject.head).body, ast.parse(subject.tail).body
    if len(head) != 1 or not isinstance(head[0], ast.FunctionDef):
        raise NoShortForm("the function that ran in the workers was not kept")
    function, after = head[0], [*statement.orelse, *after]
    own, targets = names.writes(*function.body), names.writes(statement.target)
    taken_apart = targets if isinstance(statement.target, ast.Tuple) else set()
    changed = names.writes(*function.body[1 if taken_apart else 0 :])
    given = sorted(name for name in names.reads(*tail) if name not in cell and name not in own)
    if len(given) > 1:
        raise NoShortForm("what its workers give back has no names")
    outputs = sorted((own - (targets - changed)) & names.reads(*tail, *after)) + given
    seldom = [name for name in outputs if name not in {*given, *targets, *always(function.body)}]
    if lost := [name for name in seldom if name in names.reads(*after)]:
        raise NoShortForm(f"`{lost[0]}` is read after the loop and assigned for some items only")
    GivingBack(outputs, given).visit(function)
    if outputs and not isinstance(function.body[-1], ast.Return):
        function.body += returning([load(name) for name in outputs])
    function.body[:0] = [ast.Assign([store(name)], ast.Constant(None), lineno=0) for name in seldom]
    function.name = fresh.name("compute")
    items = fresh.name("items")
    each = mapped(pool, function.name, load(items))
    if outputs:
        target = packed([statement.target, packed([store(n) for n in outputs])])
        over = call("zip", load(items), each)
    else:
        target, over = packed([statement.target, store(fresh.name("done"))]), call("zip", load(items), each)
    turn = ast.For(target=target, iter=over, body=tail or [ast.Pass()], orelse=statement.orelse, lineno=0)
    return Rewrite(function, [], [turn], items=statement.iter)


def always(body: Sequence[ast.stmt]) -> set[str]:
    """Return the names that are assigned for sure wherever a function of these statements returns."""
    leaves = [any(isinstance(node, ast.Return) for node in ast.walk(statement)) for statement in body]
    return set(names.flow_of(body[: leaves.index(True)] if True in leaves else body).sure)


class GivingBack(ast.NodeTransformer):
    """Makes a head return its outputs, in order, instead of what it returned to the notebook."""

    def __init__(self, outputs: list[str], given: list[str]) -> None:
        self.outputs, self.given = outputs, given

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        """Replace one return."""
        value = node.value
        if isinstance(value, ast.Tuple) and len(value.elts) == 2 and names_alone(value.elts[1]):
            value = value.elts[0]  # the other half are the names that the cell leaves behind
        found: list[ast.stmt] = returning([load(name) for name in self.outputs]) or [ast.Return(None)]
        if self.given and value is not None:
            if self.outputs == self.given:
                return [ast.Return(value)]
            found.insert(0, ast.Assign([store(self.given[0])], value, lineno=0))
        return found

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave the returns of functions inside alone."""
        if not hasattr(self, "outermost"):
            self.outermost = node
            self.generic_visit(node)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """Leave lambdas alone."""
        return node


def names_alone(node: ast.expr) -> bool:
    """Say whether a dict is of names under their own names: {'y': y}."""
    return isinstance(node, ast.Dict) and all(
        isinstance(key, ast.Constant) and isinstance(value, ast.Name) and key.value == value.id
        for key, value in zip(node.keys, node.values, strict=True)
    )


def comprehension(statement: ast.stmt, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite:
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
    raise NoShortForm("its comprehension calls nothing")


def mapping(statement: ast.stmt, pool: PoolCode, fresh: Fresh) -> Rewrite:
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
    raise NoShortForm("its map is called in another way")


def lambda_named(function: ast.expr, fresh: Fresh) -> ast.FunctionDef | None:
    """Return a lambda as a function with a name, since lambdas cannot be sent; None for other functions."""
    if not isinstance(function, ast.Lambda):
        return None
    body: list[ast.stmt] = [ast.Return(function.body)]
    return ast.FunctionDef(fresh.name("compute"), function.args, body, [], lineno=0, type_params=[])  # type: ignore[call-arg,unused-ignore]


def over_a_function(tree: ast.Module, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite:
    """Map a function of the cell over items that the user has to fill in: their source is not in the cell."""
    if not any(isinstance(s, ast.FunctionDef) and s.name == subject.name for s in tree.body):
        raise NoShortForm("its function is not defined in the cell")
    items = fresh.name("items")
    results = ast.Assign(
        [store(fresh.name("results"))], call("list", mapped(pool, subject.name, load(items))), lineno=0
    )
    return Rewrite(None, tree.body, [results], items=ast.List([], ast.Load()))


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


def names_in(tree: ast.AST) -> set[str]:
    """Return all names of a piece of source, those of functions and their arguments too."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return found | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}


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
    needed = ("import os",) if pool.before else ()
    blocks = [
        "\n".join(
            [*needed, *pool.imports, *(ast.unparse(s) for s in top if isinstance(s, ast.Import | ast.ImportFrom))]
        )
    ]
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
    if pool.before:
        main.append(pool.before)
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
