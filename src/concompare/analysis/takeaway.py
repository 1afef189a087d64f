"""The pick as plain `concurrent.futures` source that runs as a script without concompare.

What the loop or comprehension computes per item becomes a function, the rest of the cell stays as written. A cell for
which the simple rules here do not hold gets the reason in a comment, rather than wrong code.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from concompare.cells.short_form import Fresh, load, packed, store
from concompare.cells.short_steps import NoShortForm
from concompare.records import Comparison, ShortForm, Subject, Traits

PLACE = "# Put here what the cell uses of other cells: imports, functions, constants"
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
CONSUMERS = {ast.ListComp: "list", ast.SetComp: "set", ast.DictComp: "dict", ast.GeneratorExp: ""}

SHOWN = "# Workers print as they go, not in the order of the items"
NATIVE_SHARE = 0.25
"""Share of the CPU seconds that native threads computed, from which on their number is said."""
NATIVE = """# Workers read this when they load numpy
os.environ.update(OMP_NUM_THREADS="{native}", OPENBLAS_NUM_THREADS="{native}", MKL_NUM_THREADS="{native}")"""


@dataclass(frozen=True, slots=True)
class PoolCode:
    """How a pool is opened in source, and the name it gets there.

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
    name: str = "pool"


@dataclass
class Rewrite:
    """A cell taken apart.

    Attributes:
        function: The function that workers run.
        before: Statements before, `inside` with the pool open, `after` behind it.
        items: Source of the items where they get a name of their own.
        name: That name; `pool`: the one of the pool, `begin`: the one of what runs once in every worker.
        shows: The function shows lines.
    """

    function: ast.FunctionDef | None
    before: list[ast.stmt]
    inside: list[ast.stmt]
    after: list[ast.stmt] = field(default_factory=list)
    items: ast.expr | None = None
    name: str = "items"
    pool: str = "pool"
    begin: str = "begin"
    shows: bool = False


def takeaway(comparison: Comparison, backend: str, workers: int, native: int | None = None) -> str:
    """Return the source that runs the cell on this backend without concompare; a comment where there is none.

    The plain loop's is the cell as written. `native` limits the threads of BLAS and OpenMP pools in each worker.
    """
    subject = comparison.subject
    trial = next((trial for trial in comparison.trials if trial.backend == backend), None)
    if trial is not None and trial.plain:
        return subject.source.strip()
    try:
        if trial is None:
            raise NoShortForm(f"{backend} was not measured")
        return script(comparison, backend, workers, native, trial.traits)
    except NoShortForm as reason:
        limit = f" --native-threads {native}" if native is not None else ""
        return f"# No script for this cell: {reason}.\n# Run it with: %%parallel -b {backend} -w {workers}{limit}\n"


def script(comparison: Comparison, backend: str, workers: int, native: int | None, traits: Traits) -> str:
    """Return the source, or raise why there is none."""
    subject = comparison.subject
    if comparison.scaling != "strong":
        raise NoShortForm("every worker did the same work, so there is none to share out")
    pool = pool_code(comparison, backend, workers, native, traits)
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


def pool_code(
    comparison: Comparison, backend: str, workers: int, native: int | None, traits: Traits
) -> PoolCode | None:
    """Return how the backend's pool is opened, or None for one that has no short form."""
    name = traits.script
    if name == "ThreadPoolExecutor":
        imports, opening = [f"from concurrent.futures import {name}"], f"{name}({workers})"
        if native is not None:  # OpenMP keeps its limit by thread, BLAS by process
            imports.append("from threadpoolctl import threadpool_limits")
            limited = f"{name}({workers}, initializer=threadpool_limits, initargs=({native},))"
            opening = f"threadpool_limits({native}), {limited}"
        return PoolCode(tuple(imports), opening, processes=False)
    return of_processes(comparison, backend, workers, native, traits)


def of_processes(
    comparison: Comparison, backend: str, workers: int, native: int | None, traits: Traits
) -> PoolCode | None:
    """Return how a pool outside of this process is opened; workers have the native threads they were measured with."""
    if native is None and evidently_native(comparison):
        native = max(1, comparison.environment.usable // workers)
    before = NATIVE.format(native=native) if native is not None else ""
    chunk = chunk_of(comparison, backend, workers)
    name = traits.script
    if name == "get_reusable_executor":
        return PoolCode((f"from loky import {name}",), f"{name}({workers}{{more}})", True, chunk, before)
    if name == "InterpreterPoolExecutor":
        return PoolCode((f"from concurrent.futures import {name}",), f"{name}({workers}{{more}})", True, chunk)
    if name != "ProcessPoolExecutor":
        return None
    method = traits.method or comparison.environment.start_method or "spawn"
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
    short = subject.short or ShortForm()
    fresh = Fresh(
        {*names_in(tree), *names_in(ast.parse(short.function)), *names_in(ast.parse(short.turn)), *short.taken}
    )
    pool = replace(pool, name=fresh.name("pool"))
    found = taken_apart(tree, subject, pool, fresh)
    found.pool, found.begin, found.shows = pool.name, fresh.name("begin"), short.shows
    return found


def taken_apart(tree: ast.Module, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite:
    """Take the cell apart with names that nothing else has."""
    if subject.kind == "function":
        return over_a_function(tree, subject, pool, fresh)
    if subject.short is not None and subject.short.reason:
        raise NoShortForm(subject.short.reason)
    place = 0 if subject.statement is None and len(tree.body) == 1 else subject.statement
    if place is None or not 0 <= place < len(tree.body):
        raise NoShortForm("its source was not kept")
    before, statement, after = tree.body[:place], tree.body[place], tree.body[place + 1 :]
    if subject.kind == "loop" and isinstance(statement, ast.For):
        found = loop(subject, pool)
    elif subject.kind in ("comprehension", "generator"):
        found = comprehension(tree, statement, subject, pool, fresh)
    elif subject.kind in ("map", "starmap"):
        found = mapping(statement, subject, pool, fresh)
    else:
        raise NoShortForm("its loop is written in a way that has no short form")
    found.before, found.after = before, after
    return found


def loop(subject: Subject, pool: PoolCode) -> Rewrite:
    """Return the loop in its short form, with the pool's map in the place of the plain one."""
    short = subject.short
    if short is None:
        raise NoShortForm("the function that ran in the workers was not kept")
    (function,), (turn,) = ast.parse(short.function).body, ast.parse(short.turn).body
    if not isinstance(function, ast.FunctionDef) or not isinstance(turn, ast.For):
        raise NoShortForm("its source was not kept")
    calls = [node for node in ast.walk(turn.iter) if isinstance(node, ast.Call)]
    plain = next(node for node in calls if ast.unparse(node.func) == "map")
    items = ast.unparse(plain.args[1])
    turn.iter = cast(ast.expr, Replaced(plain, mapped(pool, function.name, load(items))).visit(turn.iter))
    return Rewrite(function, [], [turn], items=ast.parse(short.items, mode="eval").body, name=items)


def comprehension(tree: ast.Module, statement: ast.stmt, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite:
    """Replace the comprehension whose element or condition the workers compute by a map over its items."""
    for node in ast.walk(part_of(statement, subject)):
        if not isinstance(node, Comprehension) or any(g.is_async for g in node.generators):
            continue
        inside = {part for part in ast.walk(node) if isinstance(part, ast.NamedExpr)}
        bound = stored_in(inside)
        if bound and any(
            n.id in bound for n in ast.walk(tree) if isinstance(n, ast.Name) and n not in set(ast.walk(node))
        ):
            raise NoShortForm(f"`{bound[0]}` is assigned inside its comprehension and read elsewhere")
        last = node.generators[-1].ifs
        if bound or any(in_head(test, subject) for test in last):
            if any(
                part in inside
                for g in node.generators
                for test in [g.iter, *g.ifs]
                if test not in last
                for part in ast.walk(test)
            ):
                raise NoShortForm(f"`{bound[0]}` is assigned where its comprehension finds the items")
            return choosing(node, statement, pool, fresh)
        if subject.short is None and not in_head(element_of(node), subject):
            continue
        target, items = walked_by(node.generators)
        function = function_of(fresh.name("compute"), target, [ast.Return(element_of(node))], fresh)
        each: ast.expr = mapped(pool, function.name, items)
        consumer = CONSUMERS[type(node)]
        return Rewrite(function, [], [put(node, call(consumer, each) if consumer else each, statement)])
    raise NoShortForm("its comprehension calls nothing")


def choosing(node: Comprehension, statement: ast.stmt, pool: PoolCode, fresh: Fresh) -> Rewrite:
    """Replace a comprehension whose condition takes long: the function gives back a list of one value or none."""
    *outer, last = node.generators
    target, items = walked_by([*outer, ast.comprehension(last.target, last.iter, [], 0)])
    test = last.ifs[0] if len(last.ifs) == 1 else ast.BoolOp(ast.And(), last.ifs)
    given = ast.Return(ast.List([element_of(node)], ast.Load()))
    body: list[ast.stmt] = [ast.If(test, [given], []), ast.Return(ast.List([], ast.Load()))]
    if not last.ifs:
        body = [given]
    function = function_of(fresh.name("compute"), target, body, fresh)
    found, value = fresh.name("found"), fresh.name("value")
    new: ast.expr
    walked = [ast.comprehension(store(found), mapped(pool, function.name, items), [], 0)]
    if isinstance(node, ast.DictComp):
        key = fresh.name("key")
        walked.append(ast.comprehension(packed([store(key), store(value)]), load(found), [], 0))
        new = ast.DictComp(load(key), load(value), walked)
    else:
        walked.append(ast.comprehension(store(value), load(found), [], 0))
        new = type(node)(load(value), walked)
    return Rewrite(function, [], [put(node, new, statement)])


def element_of(node: Comprehension) -> ast.expr:
    """Return what a comprehension gives for each item."""
    return ast.Tuple([node.key, node.value], ast.Load()) if isinstance(node, ast.DictComp) else node.elt


def in_head(node: ast.expr, subject: Subject) -> bool:
    """Tell whether an expression calls what the workers called."""
    return any(isinstance(part, ast.Call) and ast.unparse(part) in subject.head for part in ast.walk(node))


def walked_by(generators: list[ast.comprehension]) -> tuple[ast.expr, ast.expr]:
    """Return what the items of a comprehension are bound to, and the items."""
    names = list(dict.fromkeys(stored_in(g.target for g in generators)))
    target = generators[0].target if len(generators) == 1 else packed([store(n) for n in names])
    simple = len(generators) == 1 and not generators[0].ifs
    return target, generators[0].iter if simple else ast.ListComp(as_load(target), generators)


def part_of(statement: ast.stmt, subject: Subject) -> ast.AST:
    """Return the part of a statement that ran in parallel, or all of it where that was not kept."""
    place = subject.short.part if subject.short is not None else 0
    return next(itertools.islice(ast.walk(statement), place, None), statement)


def mapping(statement: ast.stmt, subject: Subject, pool: PoolCode, fresh: Fresh) -> Rewrite:
    """Replace a `map` or `starmap` by the pool's."""
    for node in ast.walk(part_of(statement, subject)):
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


def as_load(target: ast.expr) -> ast.expr:
    """Return a target as an expression."""
    return ast.parse(ast.unparse(target), mode="eval").body


def call(name: str, *arguments: ast.expr) -> ast.Call:
    """Return a call of a function by name."""
    return ast.Call(load(name), list(arguments), [])


def mapped(pool: PoolCode, function: str, *items: ast.expr) -> ast.Call:
    """Return the pool's map, with its chunk size where that matters."""
    keywords = [ast.keyword("chunksize", ast.Constant(pool.chunk))] if pool.processes and pool.chunk > 1 else []
    attribute = ast.Attribute(load(pool.name), "map", ast.Load())
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
    more = f", initializer={found.begin}, initargs=({{{', '.join(f'{n!r}: {n}' for n in shared)}}},)" if shared else ""
    needed = ("import os",) if pool.before else ()
    blocks = [
        "\n".join(
            [*needed, *pool.imports, *(ast.unparse(s) for s in top if isinstance(s, ast.Import | ast.ImportFrom))]
        )
    ]
    blocks.append(PLACE + (" (workers import this file)." if pool.processes else "."))
    blocks += [text(function) for function in functions]
    if shared:
        blocks.append(f"def {found.begin}(values):  # runs once in every worker\n    globals().update(values)")
    main = [text(statement) for statement in before]
    items = found.items
    if items is not None:
        empty = isinstance(items, ast.List) and not items.elts
        name = found.name
        main.append(f"{name} = []  # the items of --over" if empty else f"{name} = {as_list(items)}")
    opening = pool.opening.replace("{more}", more)
    if pool.before:
        main.append(pool.before)
    if found.shows:
        main.append(SHOWN)
    main.append("\n".join([f"with {opening} as {found.pool}:", *(indented(text(s)) for s in found.inside)]))
    main += [text(statement) for statement in found.after]
    if pool.processes:
        main = ['if __name__ == "__main__":', *(indented(part) for part in main)]
    return "\n\n\n".join(blocks) + "\n\n\n" + "\n".join(main) + "\n"


def as_list(items: ast.expr) -> str:
    """Return the source of items as a list."""
    return text(items) if isinstance(items, ast.ListComp) else f"list({text(items)})"


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
