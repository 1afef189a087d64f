"""The functions whose calls can stand in a loop as their bodies, and these bodies."""

from __future__ import annotations

import ast
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.effects.live import definition_of, static
from concompare.cells.frame import WHOLE, frame_of
from concompare.cells.inlining import log_places
from concompare.cells.ir import Analysed, Order
from concompare.cells.objects import Value
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.placing import placed
from concompare.cells.syntax.renaming import bound, is_dotted_import, load, swapped

BARRED = (
    *(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Match, ast.Delete, ast.Lambda),
    *(ast.Yield, ast.YieldFrom, ast.Await, ast.TryStar, ast.NamedExpr, ast.AsyncFor, ast.AsyncWith),
)
OF_FRAMES = frozenset({"locals", "vars", "globals", "eval", "exec", "super", "dir", "__class__", "breakpoint"})
"""Names of what looks at the frame that it is called in."""
AT_ONCE = frozenset({"max", "min", "sorted", "sort"})
"""What calls its `key` before it returns, and keeps it no longer."""
LAZY = 32 | 128 | 512
"""Flags of the code of generators, coroutines and generators that await."""
TURNS = (ast.For, ast.While)
FEW = 3
"""Ways out of a block after which what follows is written once more for each."""
MOST = 120
"""Nodes of statements and expressions in a body that is worth to be inlined, by ten."""


class CannotStand(Exception):
    """Raised where a call cannot be replaced by the body of its function."""


@dataclass
class Callee:
    """What a call calls.

    Attributes:
        function: The function; `definition`: its source.
        receiver: What stands for its first parameter, if that is not among the arguments: an expression.
        kind: The class of which the call makes an object, whose `__init__` the function is.
    """

    function: types.FunctionType
    definition: ast.FunctionDef | ast.Lambda
    receiver: ast.expr | None = None
    kind: type | None = None


def callee_of(call: ast.Call, analysed: Analysed, namespace: Mapping[str, Any], fixed: Collection[str]) -> Callee:
    """Return the one function of the user's that a call calls, whatever the loop does.

    Args:
        call: The call.
        analysed: The loop that it is in.
        namespace: The notebook's names.
        fixed: The names that the loop may give other values.

    Raises:
        CannotStand: There is none, or its body cannot stand in the loop.
    """
    if isinstance(call.func, ast.Lambda):
        made = made_of(call.func, namespace)
        check_state(made, None, analysed)
        return Callee(made, plain_definition(made, namespace, analysed, call.func))
    found = analysed.followed.get(call, set())
    if len(found) != 1:
        raise CannotStand
    (function,) = found
    receiver: ast.expr | None = None
    kind: type | None = None
    func = call.func
    if isinstance(func, ast.Name):
        thing = namespace.get(func.id) if func.id not in fixed else None
        if isinstance(thing, type):
            makes = type(thing) is type and static(thing, "__new__") is object.__new__
            if not makes or static(thing, "__init__") is not function:
                raise CannotStand
            kind = thing
        elif thing is not function:
            if static(type(thing), "__call__") is not function:
                raise CannotStand
            receiver = func
    elif isinstance(func, ast.Attribute) and is_method(
        analysed.values.get(func.value, frozenset()), func.attr, function
    ):
        receiver = func.value
    else:
        raise CannotStand
    if Order.LOG in analysed.of(call).order and log_places.are_shown(function):
        raise CannotStand
    check_state(function, kind, analysed)
    return Callee(function, plain_definition(function, namespace, analysed), receiver, kind)


def is_method(objects: Value, name: str, function: types.FunctionType) -> bool:
    """Tell whether a function is what all objects have as a plain method of a name."""
    for obj in objects:
        if not obj.types or obj.code is not None or obj.has(name):
            return False
        if any(
            isinstance(thing, (type, types.ModuleType)) or name in getattr(thing, "__dict__", ()) for thing in obj.live
        ):
            return False
        for kind in obj.types:
            plain = static(kind, "__getattribute__") is object.__getattribute__
            if not plain or static(kind, name) is not function:
                return False
    return bool(objects)


def check_state(function: types.FunctionType, kind: type | None, analysed: Analysed) -> None:
    """Refuse a function that the loop itself may change.

    Raises:
        CannotStand: It may.
    """
    for found in analysed.effects.values():
        if "frames" in found.sees:
            raise CannotStand
        for place in found.writes:
            for thing in place.obj.live if place.obj is not None else ():
                if isinstance(thing, type) and place.field in (function.__name__, "*", "__init__", "__call__"):
                    raise CannotStand
                if thing is function and (place.field.startswith("__") or place.field == "*"):
                    raise CannotStand


def made_of(node: ast.Lambda, namespace: Mapping[str, Any]) -> types.FunctionType:
    """Return the function that a lambda in the loop makes.

    Raises:
        CannotStand: It has defaults, which are evaluated where it is made.
    """
    if node.args.defaults or any(default is not None for default in node.args.kw_defaults):
        raise CannotStand
    code = compile(placed(ast.Expression(names.copied(node))), "<lambda>", "eval", dont_inherit=True)
    (inner,) = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return types.FunctionType(inner, namespace)  # type: ignore[arg-type]


def names_of(
    code: types.CodeType, body: Sequence[ast.AST], parts: Sequence[ast.AST], keys: Collection[ast.Lambda] = ()
) -> tuple[set[str], set[str], set[str]]:
    """Return the names of the notebook that a body reads and those that it gives values, and the function's own."""
    own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    inside = {id(node) for key in keys for node in ast.walk(key.body) if is_named(node, names.parameters(key))}
    seen = {part.id for part in parts if isinstance(part, ast.Name) and id(part) not in inside} - own
    return seen, set(names.writes(*body)) - own, own


def is_named(node: ast.AST, words: Collection[str]) -> bool:
    """Tell whether a node is one of some names."""
    return isinstance(node, ast.Name) and node.id in words


def check_names(function: types.FunctionType, seen: set[str], given: set[str], namespace: Mapping[str, Any]) -> None:
    """Refuse a function whose names mean something else in the loop.

    Raises:
        CannotStand: They may.
    """
    if seen & OF_FRAMES or (function.__name__ in seen and namespace.get(function.__name__) is function):
        raise CannotStand
    frame = frame_of(namespace)
    if function.__globals__ is not namespace and (frame is None or function.__globals__ is not frame.module):
        raise CannotStand
    if frame is not None and frame.name != WHOLE and (given or seen & frame.local):
        raise CannotStand


def plain_definition(
    function: types.FunctionType,
    namespace: Mapping[str, Any],
    analysed: Analysed,
    written: ast.Lambda | None = None,
) -> ast.FunctionDef | ast.Lambda:
    """Return the source of a function whose body can stand in a loop of the notebook.

    Args:
        function: The function.
        namespace: The notebook's names.
        analysed: The loop.
        written: Its source, where it stands in the loop.

    Raises:
        CannotStand: It cannot.
    """
    code = function.__code__
    definition = written if written is not None else definition_of(code, function.__name__)
    if definition is None or isinstance(definition, ast.AsyncFunctionDef) or code.co_flags & LAZY:
        raise CannotStand
    body: list[ast.AST] = [definition.body] if isinstance(definition, ast.Lambda) else list(definition.body)
    parts = [part for node in body for part in names.nodes_in(node)]
    keys = keys_in(parts, function)
    if len(parts) > 10 * MOST or any(
        (isinstance(part, BARRED) and part not in keys) or is_dotted_import(part) for part in parts
    ):
        raise CannotStand
    seen, given, own = names_of(code, body, parts, keys)
    check_names(function, seen, given, namespace)
    loop = analysed.loop
    if loop.collects and loop.target is not None and (seen | given) & names.stored(loop.target):
        raise CannotStand
    signature = names.signature_of(definition)
    if isinstance(definition, ast.FunctionDef):
        exposed = names.flow_of(definition.body, sure=[*signature.parameters, *code.co_freevars]).exposed
        if exposed.keys() & own:
            raise CannotStand
    generators = {part for part in parts if isinstance(part, ast.GeneratorExp)}
    called = {part for node in parts if isinstance(node, ast.Call) for part in node.args}
    if not generators <= called:
        raise CannotStand
    return definition


def keys_in(parts: Sequence[ast.AST], function: types.FunctionType) -> set[ast.Lambda]:
    """Return the functions without a name that a body orders by: nothing has them when what orders is through."""
    keys: set[ast.Lambda] = set()
    for call in parts:
        if not isinstance(call, ast.Call):
            continue
        own = isinstance(call.func, ast.Name) and call.func.id not in function.__globals__
        word = call.func.id if own and isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        for given in call.keywords if word in AT_ONCE else ():
            if given.arg == "key" and isinstance(given.value, ast.Lambda) and not given.value.args.defaults:
                keys.add(given.value)
    return keys


@dataclass
class Writer:
    """Writes the body of one function in the place of one call of it.

    Attributes:
        call: The call; `begin`: how the names of the function begin there.
        given: Gets the values of free variables and defaults, by their names there.
        words: The names of its variables there; `rest`: the elements of `*args` and `**kwargs`, with their words.
        changing: The cells of variables of functions around that the loop gives values; `cells`: how those that this
            function sees are called, by how its variables are.
    """

    callee: Callee
    call: ast.Call
    begin: str
    given: dict[str, Any] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    rest: dict[str, list[tuple[str, ast.Name]]] = field(default_factory=dict)
    changing: frozenset[int] = frozenset()
    cells: dict[str, str] = field(default_factory=dict)

    @property
    def result(self) -> str:
        """Return the name of what the call gives."""
        return self.begin + "returned"

    def statements(self, unstable: Collection[str]) -> list[ast.stmt]:
        """Return the statements that stand for the call.

        Args:
            unstable: Names whose values the body may change.

        Raises:
            CannotStand: They cannot be written.
        """
        callee, definition = self.callee, self.callee.definition
        code = callee.function.__code__
        self.words = {name: self.begin + name for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)}
        self.hold_variables(callee.function)
        made = self.bound_arguments(definition, unstable)
        if isinstance(definition, ast.Lambda):
            return [*made, bound(self.result, self.placed(self.named_so(definition.body)), self.call)]
        declared = (ast.Global, ast.Nonlocal)
        body = [node for node in definition.body if not isinstance(node, declared) and not is_text(node)]
        if callee.kind is not None and any(ast.Return in names.kinds_in(node) for node in body):
            raise CannotStand  # what `__init__` returns is not what the call gives
        body, ended = self.valued(body)
        if not ended and callee.kind is None:
            made.append(bound(self.result, self.constant(None), self.call))
        return [*made, *[self.placed(self.named_so(self.spread(node))) for node in body]]

    def named_so(self, node: names.Node) -> names.Node:
        """Return a part of the body with the names that its variables have in the loop."""

        def instead(part: ast.AST) -> ast.AST | None:
            named = isinstance(part, (ast.ExceptHandler, ast.alias))
            if named and (getattr(part, "asname", None) or part.name) in self.cells:  # type: ignore[attr-defined]
                raise CannotStand  # which give values to names alone
            if isinstance(part, ast.Name) and part.id in self.cells:
                return located(ast.Attribute(load(self.cells[part.id], part), "cell_contents", part.ctx), part)
            return None

        found = swapped(node, self.words)
        return names.copied(found, instead) if self.cells else found

    def hold_variables(self, function: types.FunctionType) -> None:
        """Give the variables of functions around names in the notebook, and the cells of those that change."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if id(cell) in self.changing:
                word = self.begin + "cell_" + name
                self.given[word], self.cells[self.words[name]] = cell, word
                continue
            try:
                self.given[self.words[name]] = cell.cell_contents
            except ValueError:
                raise CannotStand from None

    def bound_arguments(self, definition: ast.FunctionDef | ast.Lambda, unstable: Collection[str]) -> list[ast.stmt]:
        """Return the statements that give the parameters their values."""
        args, call = definition.args, self.call
        positional = [arg.arg for arg in [*args.posonlyargs, *args.args]]
        values: list[tuple[str, ast.expr]] = []
        arguments = list(call.args)
        made: list[ast.stmt] = []
        if self.callee.kind is not None:
            kind = self.begin + "class"
            self.given[kind] = self.callee.kind
            maker = located(ast.Attribute(load("object", call), "__new__", ast.Load()), call)
            made.append(bound(self.result, located(ast.Call(maker, [load(kind, call)], []), call), call))
            arguments.insert(0, load(self.result, call))
        elif self.callee.receiver is not None:
            arguments.insert(0, self.callee.receiver)
        if any(word.arg is None for word in call.keywords):
            raise CannotStand
        if any(isinstance(part, ast.Starred) for part in arguments):
            return [*made, *self.spread_arguments(definition, arguments)]
        values += zip(positional, arguments, strict=False)
        rest = arguments[len(positional) :]
        if rest and args.vararg is None:
            raise CannotStand
        known = {*positional[len(args.posonlyargs) :], *[arg.arg for arg in args.kwonlyargs]}
        words = [(word.arg, word.value) for word in call.keywords if word.arg is not None]
        extra = [(name, value) for name, value in words if name not in known]
        if extra and args.kwarg is None:
            raise CannotStand
        values += [(name, value) for name, value in words if name in known]
        given = [name for name, _ in values]
        if len(set(given)) < len(given):
            raise CannotStand
        for name, value in values:
            made += self.bound_argument(name, value, unstable)
        made += self.bound_rest(args.vararg, [("", value) for value in rest], unstable)
        made += self.bound_rest(args.kwarg, extra, unstable)
        self.hold_defaults(definition, given)
        return made

    def spread_arguments(self, definition: ast.FunctionDef | ast.Lambda, arguments: list[ast.expr]) -> list[ast.stmt]:
        """Return the statements that give the parameters the elements of `*args`, if there are as many.

        Raises:
            CannotStand: There may be other numbers of them, too.
        """
        args, call, function = definition.args, self.call, self.callee.function
        if call.keywords or args.vararg or args.kwarg or args.kwonlyargs or function.__defaults__:
            raise CannotStand
        words = [self.begin + arg.arg for arg in [*args.posonlyargs, *args.args]]
        spread, length, few, error = (self.begin + word for word in ("spread", "length", "few", "TypeError"))
        texts = misfits(function, len(words))
        before, _, after = texts.pop().rpartition(str(len(words) + 1))
        self.given |= {length: len, few: texts, error: TypeError}
        many = f"{before!r} f'{{{length}({spread})}}' {after!r}"
        source = f"""if {length}({spread}) < {len(words)}: raise {error}({few}[{length}({spread})])
if {length}({spread}) > {len(words)}: raise {error}({many})
{", ".join(words)}, = {spread}"""
        whole: ast.expr = located(ast.Tuple([names.copied(part) for part in arguments], ast.Load()), call)
        return [bound(spread, whole, call), *[self.placed(node) for node in ast.parse(source).body]]

    def bound_rest(
        self, parameter: ast.arg | None, values: list[tuple[str, ast.expr]], unstable: Collection[str]
    ) -> list[ast.stmt]:
        """Return the statements that give `*args` or `**kwargs` its value, and each of its elements a name."""
        if parameter is None:
            return []
        if parameter.arg in names.signature_of(self.callee.definition).written:
            raise CannotStand
        made: list[ast.stmt] = []
        elements: list[tuple[str, ast.Name]] = []
        for place, (word, value) in enumerate(values):
            if isinstance(value, ast.Name) and value.id not in unstable:
                elements.append((word, value))
                continue
            name = f"{self.begin}{parameter.arg}_{place}"
            made.append(bound(name, names.copied(value), self.call))
            elements.append((word, load(name, self.call)))
        self.rest[parameter.arg] = elements
        whole: ast.expr = ast.Tuple([names.copied(value) for _, value in elements], ast.Load())
        if parameter is self.callee.definition.args.kwarg:
            keys: list[ast.expr | None] = [self.constant(word) for word, _ in elements]
            whole = ast.Dict(keys, [names.copied(value) for _, value in elements])
        body = self.callee.definition.body
        uses = [part for node in (body if isinstance(body, list) else [body]) for part in names.nodes_in(node)]
        named = sum(isinstance(part, ast.Name) and part.id == parameter.arg for part in uses)
        if named > sum(self.is_spread(part) == parameter.arg for part in uses):
            if parameter is self.callee.definition.args.kwarg:
                raise CannotStand  # it may be changed before it is handed on
            made.append(bound(self.words[parameter.arg], located(whole, self.call), self.call))
        return made

    def is_spread(self, node: ast.AST) -> str:
        """Return the parameter that a part of a call hands on with `*` or `**`, or nothing."""
        spread = isinstance(node, ast.Starred) or (isinstance(node, ast.keyword) and node.arg is None)
        value = node.value if spread else None  # type: ignore[attr-defined]
        return value.id if isinstance(value, ast.Name) and value.id in self.rest else ""

    def spread(self, node: ast.stmt) -> ast.stmt:
        """Return a statement that hands on the elements of `*args` and `**kwargs` one by one."""

        def instead(part: ast.AST) -> ast.AST | None:
            if not isinstance(part, ast.Call) or not any(map(self.is_spread, [*part.args, *part.keywords])):
                return None
            made = names.copied(part, lambda inner: instead(inner) if inner is not part else None)
            arguments: list[ast.expr] = []
            for one in made.args:
                held = self.rest[self.is_spread(one)] if self.is_spread(one) else [("", one)]
                arguments += [names.copied(value) for _, value in held]
            words: list[ast.keyword] = []
            for word in made.keywords:
                given = self.rest[self.is_spread(word)] if self.is_spread(word) else [(word.arg, word.value)]
                words += [located(ast.keyword(name, names.copied(value)), word) for name, value in given]
            made.args, made.keywords = arguments, words
            return made

        return names.copied(node, instead)

    def bound_argument(self, name: str, value: ast.expr, unstable: Collection[str]) -> list[ast.stmt]:
        """Return the statement that gives a parameter its value, unless that has a name which stays as it is."""
        written = name in names.signature_of(self.callee.definition).written
        if isinstance(value, ast.Name) and not written and value.id not in unstable:
            self.words[name] = value.id
            return []
        return [bound(self.words[name], names.copied(value), self.call)]

    def hold_defaults(self, definition: ast.FunctionDef | ast.Lambda, given: Collection[str]) -> None:
        """Give the defaults of parameters names in the notebook."""
        function, args = self.callee.function, definition.args
        positional = [arg.arg for arg in [*args.posonlyargs, *args.args]]
        defaults = function.__defaults__ or ()
        known = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
        known |= function.__kwdefaults__ or {}
        written = names.signature_of(definition).written
        for name in [*positional, *[arg.arg for arg in args.kwonlyargs]]:
            if name in given:
                continue
            if name not in known or name in written:
                raise CannotStand
            self.given[self.words[name]] = known[name]

    def constant(self, value: Any) -> ast.expr:
        """Return a constant."""
        return located(ast.Constant(value), self.call)

    def placed(self, node: names.Node) -> names.Node:
        """Give all parts of a copied node the place of the call."""
        for part in ast.walk(node):
            located(part, self.call)
        return node

    def valued(
        self, statements: Sequence[ast.stmt], after: Sequence[ast.stmt] = (), ended: bool = False
    ) -> tuple[list[ast.stmt], bool]:
        """Return statements that give a name a value where the function returns it; tell whether all ways do.

        Args:
            statements: The statements.
            after: What follows where they come to their end, written in this way.
            ended: All its ways do.

        Raises:
            CannotStand: The function returns from where that cannot be told.
        """
        made: list[ast.stmt] = []
        for place, node in enumerate(statements):
            if isinstance(node, ast.Return):
                value = node.value if node.value is not None else self.constant(None)
                return [*made, bound(self.result, value, node)], True
            if isinstance(node, ast.Raise):
                return [*made, node], True
            if ast.Return not in names.kinds_in(node):
                made.append(node)
                continue
            rest, rest_ended = self.valued(statements[place + 1 :], after, ended)
            block, every = self.valued_block(node, rest, rest_ended)
            return [*made, block], every
        return [*made, *map(names.copied, after)], ended

    def valued_block(self, node: ast.stmt, after: list[ast.stmt], ended: bool) -> tuple[ast.stmt, bool]:
        """Return a block that holds a `return`, with what follows it where it does not come to one."""
        nothing: list[ast.stmt] = [located(ast.Pass(), node)]
        if isinstance(node, ast.If):
            if after and ends_of(node.body) + ends_of(node.orelse) > FEW:
                raise CannotStand  # what follows would stand there too often
            body, ends = self.valued(node.body, after, ended)
            orelse, ends_else = self.valued(node.orelse, after, ended)
            return located(ast.If(node.test, body or nothing, orelse), node), ends and ends_else
        if isinstance(node, TURNS):
            jumps = [part for inner in node.body for part in names.nodes_in(inner) if isinstance(part, ast.Break)]
            if node.orelse or jumps:
                raise CannotStand
            body = self.leaving(node.body)
            if isinstance(node, ast.For):
                return located(ast.For(node.target, node.iter, body, after), node), ended
            return located(ast.While(node.test, body, after), node), ended
        if isinstance(node, (ast.With, ast.Try)) and not after:
            body, ends = self.valued(node.body)
            if isinstance(node, ast.With):
                return located(ast.With(node.items, body), node), False
            handlers = [self.valued(handler.body) for handler in node.handlers]
            orelse, ends_else = self.valued(node.orelse)
            if any(ast.Return in names.kinds_in(part) for part in [*node.finalbody, *(node.body if orelse else ())]):
                raise CannotStand
            caught = [
                located(ast.ExceptHandler(handler.type, handler.name, found or nothing), handler)
                for handler, (found, _) in zip(node.handlers, handlers, strict=True)
            ]
            every = (ends or ends_else) and all(ends for _, ends in handlers)
            return located(ast.Try(body or nothing, caught, orelse, node.finalbody), node), every
        raise CannotStand

    def leaving(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return the body of a loop that is left where the function returns."""
        made: list[ast.stmt] = []
        for node in statements:
            if isinstance(node, ast.Return):
                value = node.value if node.value is not None else self.constant(None)
                return [*made, bound(self.result, value, node), located(ast.Break(), node)]
            if ast.Return not in names.kinds_in(node):
                made.append(node)
                continue
            if isinstance(node, TURNS) or any(ast.Return in names.kinds_in(p) for p in getattr(node, "finalbody", ())):
                raise CannotStand
            block = names.copied(node, lambda part, node=node: None if part is node else part)  # type: ignore[misc]
            for word in ("body", "orelse"):
                if getattr(block, word, None):
                    setattr(block, word, self.leaving(getattr(block, word)))
            if isinstance(node, ast.Try):
                block.handlers = [  # type: ignore[attr-defined]
                    located(ast.ExceptHandler(part.type, part.name, self.leaving(part.body)), part)
                    for part in node.handlers
                ]
            made.append(block)
        return made


def misfits(function: types.FunctionType, count: int) -> list[str]:
    """Return what Python says where a function of `count` parameters is called with 0, 1, … and one too many."""
    code = function.__code__
    same = eval(f"lambda {', '.join(code.co_varnames[:count])}: None", {})  # the names are those of a function
    same.__qualname__ = function.__qualname__
    found: list[str] = []
    for number in (*range(count), count + 1):
        try:
            same(*range(number))
        except TypeError as error:
            found.append(str(error))
    return found


def is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is no more than a text, as a docstring is."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def ends_of(statements: Sequence[ast.stmt]) -> int:
    """Return in how many ways statements come to their end without a `return`."""
    for place, node in enumerate(statements):
        if isinstance(node, (ast.Return, ast.Raise)):
            return 0
        if ast.Return in names.kinds_in(node):
            ways = ends_of(node.body) + ends_of(node.orelse) if isinstance(node, ast.If) else 1
            return ways * ends_of(statements[place + 1 :])
    return 1
