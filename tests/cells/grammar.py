# ruff: noqa: E501
"""A grammar of cells: loops with stores, branches, aliases, inner loops, helpers with hidden state, errors, early exits."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

NAMES = ["t", "u", "w"]
CALLS = [
    "pure",
    "pure",
    "pure",
    "pure",
    "pure",
    "pure",
    "halve",
    "fails",
    "fails",
    "fails",
    "fails",
    "tell",
    "remember",
    "note",
    "peek",
    "bump",
    "see",
    "look",
    "up",
    "deeper",
    "cached",
    "wrapped",
    "keep_last",
    "with_default",
    "late",
    "rest",
    "half_of",
    "stack",
    "Stack.plain",
]
MUTATED = ["out", "out", "out2", "log", "ys", "zs"]
STATEFUL = [
    "box.get()", "box.count()", "odd[1]", "odd + 1", "next(it)", "rng.random()", "d.get(1, 0)", "objects[0].put(4)", "objects[1].get()",
    "next(tick)", "float(nrng.random())", "len(stack)", "stack.top", "stack.missing", "(1 in stack)", "len(source.readline())", "grow(out)", "grow_out()",
    "push(1) or 1", "int(box is objects[0])", "objects.index(objects[1])", "sum(o is box for o in objects)", "len({o: 1 for o in objects})", "(box in objects)", "len(holding[1])", "len(link[0])", "settings.k", "len(settings.seen)", "swap(matrix[0])", "counts[1]", "len(window)", "window[-1]", "ordered['a']",
    "float(arr[0])", "float(view[0])", "float(arr.sum())", "float(flat[0])", "sum(made)", "next(made, 0)", "vector.v", "(2 if vector else 1)", "sink.tell()", "len(sink.getvalue())",
    "queue.pop()", "sum(drain(1))", "run(bump, 1)", "run(pure, 2)", "run(out.append, 2) or 2", "len(rows[0])", "sum(1 for _ in it)", "int(2 in it)", "len(list(zip(it, xs)))",
]  # fmt: skip
EXPRESSIONS = [
    "{c}({e})", "{c}({e})", "pure({e})", "pure({e})", "halve({e})", "({e} + {e})", "({e} * {e})", "({e} if {e} > 3 else {e})", "ys[int({e}) % 6]",
    "zs[0]", "zs[-1]", "table.get({e}, 0)", "sum([pure(v) for v in xs[:int({e}) % 3]])", "max({e}, {e})", "(u := {e})",
    "len(same(dup[0])) + {e}", "first(fresh_list({e}))", "touch(boxes[int({e}) % 3])", "{s}", "len({{{e}: {e}}})", "sorted([{e}, {e}], key=lambda v: -v)[0]",
    "(lambda v: v + {e})({e})", "int(f'{{{e}}}'[:1] == '1')", "len([*ys, {e}])",
    "rest({e}, *ys[:2], k={e})", "sum(gen({e}))", "sum(lazy({e}))", "max([{e}, {e}], key=lambda v: (v, {v}))", "run(lambda v: v + {v}, {e})", "run(pure, {e})", "[*gen({e}), {e}][0]",
    "sum(v for v in ys if v > {v})", "min(map(pure, [{e}, {v}]))", "(w if (w := {e}) else 0)", "len({{**table, {v}: {e}}})", "sum(1 for v in xs if v in s)", "({e} or {e})", "(not {e})", "float(np.sqrt(abs({e})))",
    "float(arr[int({e}) % 6])", "float(view[int({e}) % 5] * 2)", "float((arr + {e}).max())", "len(dd)", "counts.get({e}, 0)", "pairs[int({e}) % 3][0]", "Calm({e}).v", "len(words[int({e}) % 3])", "functools.reduce(lambda a, b: a + b, [{e}, {e}])",
    "any(pure(v) > {e} for v in ys)", "list(itertools.accumulate([{e}, {e}]))[-1]", "sorted(gen({e}), reverse=True)[:1] == [1]", "getattr(box, 'v', {e})", "divmod(int({e}), 3)[1]", "sum(x for x in gen({e}))", "len([x for x in xs if x > {e}])",
]  # fmt: skip
CONDITIONS = ["{e} > {e}", "{e} % 2", "{e} in s", "{e} and {e} < 4", "not {e}", "{v} % 2", "{v} > 3", "pure({v}) > 8"]
SIMPLE = [
    "{n} = {e}", "{n} = {e}", "{n} = pure({v})", "out.append({e})", "out.append({e})", "out.append(({v}, {e}))", "{m}.append({e})", "d[{e}] = {e}", "dd[{e}].append({e})",
    "total += {e}", "{n} += {e}", "best = max(best, {e})", "s.add({e})", "print({e}, {e})", "ys[int({e}) % 6] = {e}", "ys[0] += {e}",
    "{n} = ys", "alias = dup[int({e}) % 3]\nalias.append({e})", "made = [{e}]\nmade.append({e})\nout.append(made)",
    "made = fresh_list({e})\nmade.sort()\nout.append(made[0])", "part = same(dup[0])\npart.append({e})", "box.v = {e}", "box.v += {e}",
    "table[{v}] = pure(table[{v}])", "ys[i] = pure(ys[i])", "a, b = {e}, {e}", "{e}", "pass", "del w", "xs[0] = 5", "dup2[0].append(2)", "state = state + 1",
    "out.append(lambda: u)", "out.extend(out2[:1])", "out.extend([{e}, {e}])", "d.setdefault({e}, []).append({e})", "w: int = {e}", "{v} = {e}",
    "g = pure\nout.append(g({e}))", "o = Box({e})\no.put({e})\nout.append(o.get())", "o = Box({e})\nout.append(o)", "assert {e} >= -9, {e}", "t, u = u, {e}", "row = boxes[int({e}) % 3]\nrow['z'] = {e}",
    "a, *b = [{e}, {e}, {e}]\nout.append(b)", "first_one, *others = ys\nout.append(first_one + {e})", "del d[{v}]", "d.pop({v}, None)", "del ys[0]", "del out[:1]", "w = {e}\ndel w", "counts[{e}] += 1", "counts.update([{e}, {e}])",
    "window.append({e})", "arr[i] = {e}", "arr[int({e}) % 6] = {e}", "arr[i] = pure(arr[i])", "view[0] = {e}", "grid[int({v}) % 6] = {e}", "grid[i, 0] = pure({e})", "flat[0] += {e}", "arr += {e}", "arr2 = arr\narr2[0] = {e}", "slot = arr[1:3]\nslot[0] = {e}",
    "sink.write(str({e}))", "print({e}, file=sink)", "push({e})", "link[0].append({e})", "holding[1].append({e})", "settings.k = {e}", "settings.k += {e}", "settings.seen.append({e})", "stack.parts.append({e})", "stack.n = {e}", "vector += {e}", "vector = vector + {e}", "v = Vector({e})\nv += 1\nout.append(v.v)",
    "matrix[{v} % 3][0] = {e}", "rows[{v} % 3][0] += {e}", "pairs[{v} % 3][1].append({e})", "x1, (y1, *z1) = {e}, (1, {e})\nout.append((x1, z1))", "[p, q] = [{e}, pure({v})]\nout.append(p)", "k = w = {e}\nout.append(k)", "d[{v}], t = {e}, {e}", "ys[i], w = pure({v}), {e}",
    "def helper(v, n={v}):\n    return v + n\nout.append(helper({e}))", "def helper(v):\n    return v + {v}\nout.append(helper({e}))", "callback = lambda: {v}\nout.append(callback())", "fs = [lambda v=v: v for v in [{e}]]\nout.append(fs[0]())", "import math\nout.append(math.floor({e}))",
    "text = '' if {v} < 2 else str({e})\nout.append(text)", "out[:] = [*out, {e}]", "out.sort(key=lambda v: len(str(type(v))))", "out.insert(0, {e})", "out = [{e}]", "out += [{e}]", "out2 += [{e}]", "xs.append({e})", "table[{v}] = {e}", "table.setdefault(7, {e})", "d.update({{ {v}: {e} }})", "d |= {{ {v}: {e} }}", "s |= {{ {e} }}", "s.discard({e})",
    "total, best = total + {e}, max(best, {e})", "if (y := {e}) > best: best, arg = y, {v}", "best = {e} if {e} > best else best", "ordered.move_to_end('a')", "queue.append({e})", "random.seed({v})", "box = Box({e})", "objects[{v} % 3].v = {e}", "objects[0].v, objects[1].v = {e}, {e}", "o = objects[{v} % 3]\no.v += {e}",
    "global total", "raise ValueError({e})", "raise KeyError({v}) from None", "assert {v} < 5", "x = {e}", "x += {e}", "xs = list(xs)", "pure = halve", "len = pure\nout.append({e})", "Box.made += {e}", "Box.made = {e}", "keep_last.seen = {e}", "setattr(box, 'v', {e})", "out.append(box)", "log.append(box)", "out.append(arr)", "out.append(dup[0])", "d[{v}] = ys",
    "u = [{e}]\nu.append({v})\nout.extend(u)", "names = (n for n in [{e}, {e}])\nout.append(sum(names))", "names = gen({e})\nout.extend(names)", "z = {e},\nout.append(z)", "{n} = d.setdefault('n', {e})", "{n} = out.pop() if out else {e}", "heap = sorted([*heap, {e}]) if {v} > 9 else [{e}]\nout.append(heap)",
    "row = [{e}, {e}]\nrow[0], row[1] = row[1], row[0]\nout.append(row)", "acc = []\nacc += [{e}]\nacc[0] += 1\nout += acc", "inner = {{}}\ninner[{v}] = {e}\nout.append(inner)\ninner[0] = 1", "made_one = [{e}]\nout.append(made_one)\nmade_one.append({e})", "made_one = [{e}]\nd[{v}] = made_one\nd[{v}].append({e})",
    "bs = Box({e})\nlog.append(bs)\nbs.put(9)", "bs = Box({e})\nbs.v += 1\nd['box'] = bs", "keep = Stack({e})\nkeep(1)\nout.append(len(keep.parts))", "temp = Stack.make({e})\nout.append(temp.top)", "part_of = settings.seen\npart_of.append({e})", "alias = out\nalias.append({e})", "alias = ys if {v} > 2 else zs\nalias[0] = {e}",
]  # fmt: skip
MAKINGS = [
    "tank = Tank({e})", "tank = Tank({e})", "tank = Tank({e})", "tank = Tank({e}, log)", "tank = Tank({e}, [{e}])", "tank = Tank.make({e})", "tank = tanks[int({v}) % 3]", "tank = Tank({e}) if {v} > 2 else tanks[0]", "pool = [Tank({e}), Tank({e})]\ntank = pool[0]",
    "tank = copy.copy(tanks[0])", "tank = Tank({e}, dup[0])", "tank = SubTank({e})", "tank = Tank({e}, dup[int({v}) % 3])", "tank = copy.deepcopy(tanks[0])",
]  # fmt: skip
USES = [
    "tank.fill({e})", "tank.fill({e})", "tank.fill({e})", "tank.push({e})", "tank.burst({e})", "tank.level = {e}", "tank.level += {e}", "tank.notes.append({e})", "tank.notes = [{e}]", "tank.attach(log)", "tank.attach([{e}])", "attach(tank, out2)", "tank.tell({e})",
    "out.append(tank)", "out.append(tank.level)", "out.append(tank.notes)", "out.append(len(tank.notes))", "d[{v}] = tank", "out.append(tank.fill({e}))", "out.append((tank.level, tank.fill({e}), tank.level))", "total += tank.level", "total += tank.fill({e})", "log.append(out[-1] if out else 0)",
    "print(tank.level)", "print(f'{{tank.level:>{{4}}}} {{tank.fill({e})!r}}')", "print(f'{{total:.2f}} {{tank.level}}')", "same_tank = tank\nsame_tank.fill({e})", "if tank:\n    out.append({e})", "if tank.full and total > {e}:\n    out.append(tank.level)", "for j in ys[:2]:\n    tank.fill(j)\n    out.append(tank.level)", "for j in ys[:2]:\n    out.append(tank.fill(j))",
    "for j in xs[:3]:\n    tank.fill(pure(j))", "while tank.level < 9:\n    tank.fill(4)", "try:\n    tank.burst({e})\nexcept ValueError:\n    out.append(tank.level)", "tank.friend = Tank({e})\ntank.friend.fill({e})", "out.append(tank.full)", "out.append({e})", "t = fails({e})", "tank = Tank({e})", "found = re.search('[2-7]', str({e}))\nif found:\n    out.append(found[0])", "log.append(str(re.match('[0-5]', str({e})) and tank.level))",
    "with tank:\n    tank.fill({e})", "tank.fill(tank.fill({e}))", "out.append([tank.fill(j) for j in xs[:2]])", "out.append(pour(tank, {e}))", "pour(tank, {e})", "o2 = [tank, {e}]\no2[0].fill(1)\nout.append(o2)", "del tank.notes[:]", "key = tank.level\ndd[key].append({e})\ntank.fill(1)", "tank.inner.append({e})", "tank.inner.append(dup[0])\ntank.inner[0].append({e})",
]  # fmt: skip
ITERABLES = [
    "range(3)",
    "ys[:2]",
    "fresh_list(2)",
    "fresh_list({v})",
    "xs[:2]",
    "list(dup[0])",
    "out[:2]",
    "[{e}, {e}]",
    "table.items() and [1, 2]",
    "gen(2)",
    "gen({v})",
    "loud(2)",
    "zip(ys, xs[:2])",
    "lazy({v})",
    "it",
    "made",
    "sorted([{e}, {e}])",
    "(pure(n) for n in [{v}, 1])",
    "(fails(n) for n in [{v}, 1, {v}])",
    "map(fails, [1, {v}])",
    "gen_fails({v})",
    "map(pure, [{v}, 2])",
    "reversed(xs[:2])",
    "drain(1)",
    "range(int({v}) % 3)",
    "tuple(s)",
]
HEADERS = [
    ("for x in xs:", ["x"]), ("for x in xs:", ["x"]), ("for x in list(xs):", ["x"]), ("for i, x in enumerate(xs):", ["i", "x"]),
    ("for i, x in enumerate(ys):", ["i", "x"]), ("for x in range(1, 6):", ["x"]), ("for x in table:", ["x"]), ("for x, y in table.items():", ["x", "y"]),
    ("for x, y in zip(xs, zs):", ["x", "y"]), ("for x in it:", ["x"]), ("for x in (pure(v) for v in xs):", ["x"]), ("for x in map(note, xs):", ["x"]),
    ("for x in map(pure, xs):", ["x"]), ("for t in xs:", ["t"]), ("for i in range(6):", ["i"]),
    ("for x, *more in [(1, 2), (3, 4, 5), (6,)]:", ["x"]), ("for x, more in pairs:", ["x"]), ("for i, (x, more) in enumerate(pairs):", ["i", "x"]), ("for x in gen(3):", ["x"]), ("for x in loud(2):", ["x"]), ("for x in drain(2):", ["x"]),
    ("for x in dict(table):", ["x"]), ("for x, y in itertools.product([1, 2], [3, 4]):", ["x", "y"]), ("for x in reversed(xs):", ["x"]), ("for x in sorted(ys):", ["x"]), ("for i, x in enumerate(arr):", ["i", "x"]), ("for x in arr:", ["x"]),
    ("for x in stack:", ["x"]), ("for x in xs[1:4]:", ["x"]), ("for x in filter(pure, xs):", ["x"]), ("for x in itertools.islice(it, 3):", ["x"]), ("for x in set(xs):", ["x"]), ("for x in (1, 2, 3):", ["x"]), ("for x, y in zip(it, xs):", ["x", "y"]),
    ("for x in [v for v in xs if v > 1]:", ["x"]), ("for i in range(len(ys)):", ["i"]), ("for x in made:", ["x"]), ("for x in window:", ["x"]), ("for x in map(halve, xs):", ["x"]), ("for x in itertools.chain(xs[:2], ys[:2]):", ["x"]), ("for x in table.values():", ["x"]),
    ("for x in counts.elements():", ["x"]), ("for x in (bump(v) for v in xs):", ["x"]), ("for x in (v for v in ys):", ["x"]), ("for x in out2 or [1, 2, 3]:", ["x"]), ("for x in objects[0].__dict__.values():", ["x"]),
]  # fmt: skip
ODD = "class Odd:\n    def __init__(self): self.n = 0\n    def __add__(self, v):\n        self.n += 1\n        return self.n + v\n    def __getitem__(self, v):\n        self.n += v\n        return self.n\nodd = Odd()\n"
DEFINITIONS = [
    "",
    "",
    "",
    "w = 2\n",
    "zs = list(ys)\n",
    "def pure(v):\n    return v - 1\n",
    "best = 0.0\nout = []\n",
    ODD,
    "log = out\n",
    "ys = [n + 1 for n in xs]\n",
    "arr = np.zeros(6)\n",
    "view = arr\n",
    "pure = bump\n",
    "pure = functools.partial(rest, 3)\n",
    "pure = out.append\n",
    "def gen(n):\n    yield bump(1)\n",
    "out = d = {}\nout = []\n",
    "from math import floor as pure\n",
    "class Box:\n    made = 0\n    def __init__(self, v): Box.made += 1; self.v = v\n    def put(self, v): return v\n    def get(self): return Box.made\nbox = Box(1)\n",
    "xs = iter(xs)\n",
    "log = ys = []\nys = [3, 1, 4, 1, 5, 9]\n",
]
ENDINGS = [
    "",
    "",
    "",
    "\nlen(out)",
    "\nelse:\n    u = 9",
    "\nout.append(t)\nt",
    "\nelse:\n    out.append(x)\nx",
    "\nx",
    "\nfor x in xs:\n    log.append(x)\nlog",
]
FORMS = [
    "r = [{i}]", "[{i}]", "r = sum({i})", "r = max(({i}), default=0)", "r = sorted({i})", "out.extend({i})", "r = any({i})", "r = next(({i}), None)", "s.update({i})",
    "r = {{{i}}}", "r = {{{e}: {i}}}", "r = list(map({c}, {w}))", "r = all({i})", "r = len([{i}]) + u", "total += sum({i})",
    "print([{i}])", "r = dict(enumerate({i}))", "r = [*map({c}, {w})]", "r = min([{i}], default=0)", "r = list(filter(None, [{i}]))", "a, *b = [{i}]", "r = ''.join(str(q) for q in [{i}])", "d[{e}] = [{i}]", "out += [{i}]", "r = tuple({i})", "r = set({i})",
    "r = list(map(lambda v: v + {e}, {w}))", "r = list(map(rest, {w}, ys))", "r = list(itertools.starmap(rest, [(1, 2), (3, 4)]))", "r = dict(({i2}) for x in xs)", "r = np.array([{i}])", "window.extend({i})", "counts.update({i})", "sink.writelines(str(q) for q in [{i}])", "r = {{x: {e} for x in xs}}", "r = [[{i}] for _ in range(2)]",
    "assert all({i})", "if any({i}):\n    u = 5", "r = max({i}, key=lambda v: -v)", "r = max([{i}], key=bump)", "r = sum({i}, start=1)", "r = [q for q in [{i}]]", "box.v = [{i}]", "arr[:2] = [{i}][:2]", "r = f'{{[{i}]}}'", "r = list(x for x in xs if {e})", "r = next(iter([{i}]))",
]  # fmt: skip
SOURCES = [
    "xs",
    "xs",
    "ys",
    "range(5)",
    "it",
    "list(table)",
    "(v + 1 for v in xs)",
    "gen(3)",
    "loud(1)",
    "stack",
    "arr",
    "zs",
    "made",
    "sorted(ys)",
    "dup[0]",
]
FRAMED = [
    "for i, row in df.iterrows():\n    df.loc[i, 'c'] = pure(row['a']){m}",
    "for i, row in df.iterrows():\n    df.loc[i, 'a'] = pure(row['a']){m}",
    "for row in df.itertuples():\n    out.append(pure(row.a) + {e}){m}",
    "for i in df.index:\n    df.loc[i, 'b'] = halve(df.loc[i, 'a']){m}",
    "for i in range(len(df)):\n    df.iloc[i, 0] = pure(i) + {e}{m}",
    "for i in range(3):\n    df.at[i, 'a'] = pure(df.at[i, 'a']){m}",
    "for name in df.columns:\n    out.append(float(df[name].sum()) + pure(1)){m}",
    "for name in ['a', 'b']:\n    df[name + '2'] = df[name].map(pure){m}",
    "for name in ['a', 'b']:\n    df[name] = df[name].apply(halve){m}",
    "for i, v in df['a'].items():\n    d[i] = pure(v){m}",
    "for i in range(3):\n    part[i] = pure(part[i]){m}",
    "for key, group in df.groupby('a'):\n    out.append((key, pure(len(group)))){m}",
    "for x in xs[:2]:\n    df2 = df[df.a > x]\n    df2['z'] = pure(x)\n    out.append(len(df2)){m}",
    "r = [pure(v) for v in df['a']]",
    "r = df['a'].apply(lambda v: pure(v) + {e})",
    "r = [pure(row.a) for row in df.itertuples()]",
    "for x in xs[:2]:\n    df = df.assign(c=pure(x)){m}",
    "for x in xs[:2]:\n    df.sort_values('a', inplace=True)\n    out.append(pure(x)){m}",
    "for i, row in df.iterrows():\n    row['a'] = pure(row['a']){m}\n    out.append(row['a'])",
]


class Writer:
    """Writes cells, choosing by a source of random numbers."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.variables = ["x"]

    def fill(self, choices: list[str], depth: int) -> str:
        """Return one of the choices with its fields filled in."""
        text = self.random.choice(choices)
        parts = {
            "c": lambda: self.random.choice(CALLS),
            "n": lambda: self.random.choice(NAMES),
            "m": lambda: self.random.choice(MUTATED),
        }
        parts |= {
            "v": lambda: self.random.choice(self.variables),
            "s": lambda: self.random.choice(STATEFUL),
            "e": lambda: self.expression(depth - 1),
        }
        parts |= {"i": lambda: self.inner(), "w": lambda: self.random.choice(SOURCES)}
        made, position = "", 0
        text = text.replace("{i2}", "(x, {e})")
        while position < len(text):
            two = text[position : position + 2]
            if two in ("{{", "}}"):
                made, position = made + two[0], position + 2
            elif text[position] == "{":
                made, position = made + parts[text[position + 1]](), position + 3
            else:
                made, position = made + text[position], position + 1
        return made

    def expression(self, depth: int = 2) -> str:
        """Return an expression that is a number."""
        if depth <= 0 or self.random.random() < 0.4:
            return self.random.choice(
                [
                    *self.variables,
                    *self.variables,
                    *self.variables,
                    "1",
                    "2",
                    "total",
                    "best",
                    "len(out)",
                    "u",
                    "t",
                    "w",
                ]
            )
        return self.fill(EXPRESSIONS, depth)

    def block(self, depth: int) -> str:
        """Return statements one after the other."""
        return "\n".join(self.statement(depth) for _ in range(self.random.choice([1, 2, 2, 3, 4])))

    def statement(self, depth: int) -> str:
        """Return a statement, often with blocks inside."""
        if self.random.random() < 0.12:
            return self.object()
        if depth <= 0 or self.random.random() < 0.5:
            return self.fill(SIMPLE, 2)
        test = self.fill(CONDITIONS, 1)
        body, other = indented(self.block(depth - 1)), indented(self.block(depth - 1))
        handled = self.random.choice(
            ["continue", "pass", "w = 0", "break", "raise", f"out.append(str({self.variables[0]}))"]
        )
        leave = self.random.choice(["continue", "continue", "break"])
        kept, self.variables = self.variables, [*self.variables, "j"]
        inner = f"for j in {self.fill(ITERABLES, 1)}:\n{indented(self.block(depth - 1))}"
        self.variables = kept
        return self.random.choice([
            f"if {test}:\n{body}", f"if {test}:\n{body}\nelse:\n{other}", f"if {test}:\n    {leave}", inner, inner,
            f"try:\n{body}\nexcept ValueError as error:\n{other}", f"try:\n{body}\nexcept ValueError:\n    {handled}", f"try:\n{body}\nfinally:\n{other}",
            f"n = 3\nwhile n > 0:\n    n = n - 1\n{body}",
            f"match {self.expression(1)}:\n    case 1:\n{indented(body)}\n    case _:\n{indented(other)}",
            f"with open('/dev/null') as handle:\n{body}",
            f"try:\n{body}\nexcept (ValueError, KeyError) as error:\n    out.append(str(error))\nelse:\n{other}", f"try:\n{body}\nexcept:\n    {handled}\nfinally:\n    u = 3",
            f"with Calm({self.expression(1)}) as c:\n{body}", f"with Quiet():\n{body}", f"with Calm(1), Calm({self.expression(1)}) as c:\n{body}",
            f"for j in [1, 2]:\n    if {test}:\n        {leave}\n{body}\nelse:\n{other}", f"if {test}:\n{body}\nelif {self.fill(CONDITIONS, 1)}:\n{other}\nelse:\n    {handled.replace('raise', 'pass')}",
            f"match [{self.expression(1)}, {self.variables[0]}]:\n    case [1, q] if q > 1:\n{indented(body)}\n    case [p, *q]:\n{indented(other)}",
            f"while {test} and u < 20:\n    u += 7\n{body}", f"if {test}:\n    {handled.replace('raise', 'pass')}\n{self.fill(SIMPLE, 1)}",
        ])  # fmt: skip

    def object(self) -> str:
        """Return statements that make an object, change it, use it and store it."""
        uses = [self.fill(USES, 1) for _ in range(self.random.choice([1, 2, 3, 4, 5]))]
        return "\n".join([self.fill(MAKINGS, 1), *uses])

    def loop(self) -> str:
        """Return a cell with a `for` loop."""
        header, self.variables = self.random.choice(HEADERS)
        body = indented(self.block(self.random.choice([0, 1, 1, 2])))
        return self.random.choice(DEFINITIONS) + header + "\n" + body + self.random.choice(ENDINGS)

    def inner(self) -> str:
        """Return the inside of a comprehension."""
        element, where = self.expression(2), self.random.choice(SOURCES)
        test = self.random.choice(["", "", " if " + self.fill(CONDITIONS, 1)])
        return f"{element} for x in {where}{test}{self.random.choice(['', '', '', ' for j in range(x % 3)'])}"

    def comprehension(self) -> str:
        """Return a cell with a comprehension, generator or map."""
        return (
            self.random.choice(DEFINITIONS) + self.fill(FORMS, 1) + self.random.choice(["", "", "\nr2 = len(out)\nr2"])
        )

    def cell(self) -> str:
        """Return a cell."""
        choice = self.random.random()
        return self.framed() if choice < 0.02 else self.loop() if choice < 0.76 else self.comprehension()

    def framed(self) -> str:
        """Return a cell with a DataFrame."""
        text = self.random.choice(FRAMED)
        more = self.random.choice(["", "", "\n" + indented(self.fill(SIMPLE, 1))])
        return self.fill([text.replace("{m}", "§")], 1).replace("§", more)


def indented(text: str) -> str:
    """Return lines set in by one level."""
    return "\n".join("    " + line for line in text.splitlines())


cells = st.randoms(use_true_random=False).map(lambda random: Writer(random).cell())
