# ruff: noqa: E501
"""More cells: objects that change, inner loops with `else`, `try` around stores, several loops, items changed in place."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.cells.grammar import Writer, indented

OBJECTS = [
    "m = Box({e})\nm.put({e})\nm.v += 1\nout.append(m.get())", "m = Box({e})\nm.v = [m.v]\nm.v.append({e})\nout.append(m.v)",
    "m = Box([{e}])\nd[{v}] = m\nm.v.append(pure({v}))", "parts = {{}}\nparts.setdefault('a', []).append({e})\nparts['a'].append(pure({v}))\nout.append(parts)",
    "acc = []\nfor k in range(3):\n    acc.append(pure(k + {v}))\nout.append(sum(acc))", "keep = Stack({e})\nkeep({v})\nkeep.parts[0] = {e}\nout.append(keep.top)",
    "one = other = [{e}]\none.append(pure({v}))\nout.append(other)", "m = Box({e})\nboxed = (m, m)\nboxed[0].put(pure({v}))\nout.append(boxed[1].v)",
    "m = Box({e})\nm.self = m\nm.put({e})\nlog.append(m.self.v)", "rec = {{'a': {e}}}\nrec['b'] = pure(rec['a'])\nrec.update(c=len(rec))\nout.append(rec)",
    "m = Box({e})\nput = m.put\nput(pure({v}))\nout.append(m.v)", "text = []\ntext.append(str({e}))\ntext.extend(['x', str(pure({v}))])\nout.append(''.join(text))",
    "seen = set()\nseen.add(pure({v}))\nseen |= {{{e}}}\nout.append(len(seen))", "m = Box({e})\nout.append(m)\nm.v = pure({v})", "ring = deque([{e}], maxlen=2)\nring.append({e})\nring.append(pure({v}))\nout.append(list(ring))",
]  # fmt: skip
TRIES = [
    "try:\n    d[{v}] = fails({e})\nexcept ValueError as error:\n    dd[{v}].append(str(error))", "try:\n    out.append(fails({v}))\nexcept ValueError:\n    log.append({v})\nelse:\n    s.add({v})",
    "try:\n    d[{v}] = fails({e})\nfinally:\n    log.append({v})", "for tries in range(3):\n    try:\n        got = fails({v} + tries)\n        break\n    except ValueError:\n        w = tries\nelse:\n    got = None\nout.append(got)",
    "try:\n    got = fails({v})\nexcept ValueError:\n    got = -1\n    total += 1\nout.append(got)", "try:\n    got = fails({v})\nexcept (ValueError, TypeError) as error:\n    print('bad', error)\n    continue\nout.append(got)",
    "try:\n    best = max(best, fails({v}))\nexcept ValueError:\n    pass", "try:\n    ys[int({v}) % 9] = fails({e})\nexcept IndexError:\n    out.append('index')\nexcept ValueError:\n    out.append('value')",
]  # fmt: skip
INNER = [
    "n = int({v}) % 5\nwhile n > 0:\n    n -= 1\n    if pure(n) == {e}:\n        break\n{b}\nelse:\n    out.append('all')", "for j in range(4):\n    if pure(j) > {e}:\n        break\n    last = j\nelse:\n    last = -1\nout.append(last)",
    "n, steps = int({v}), 0\nwhile n != 1 and steps < 9:\n    n = n // 2 if n % 2 == 0 else 3 * n + 1\n    steps += 1\nd[{v}] = steps", "for j in range(3):\n    if j == 1:\n        continue\n{b}",
    "while True:\n    u += 1\n    if u % 3 == 0:\n        break\n{b}", "for j in range(2):\n    for k in range(2):\n        if pure(j + k) % 2:\n            continue\n        out.append((j, k, pure({v})))",
    "for j in gen({v}):\n    if j in s:\n        break\n    s.add(pure(j))\nelse:\n    log.append({v})",
]  # fmt: skip
IN_PLACE = [
    "for b in objects:\n    b.put(pure(b.v)){m}", "for row in boxes:\n    row['z'] = pure(row['k']){m}", "for part in dup:\n    part.append(pure(part[0])){m}", "for part in matrix:\n    part[0] = pure(len(part)){m}",
    "for i, b in enumerate(objects):\n    b.v += pure(i){m}", "for b in objects:\n    b.extra = [b.v]\n    b.extra.append(pure(b.v)){m}", "for key, part in pairs:\n    part.append(pure(key)){m}", "for b in objects[:2]:\n    b.v = fails(b.v + 2){m}",
    "for part in dup2:\n    part.append(pure(len(part))){m}", "for part in rows:\n    part[0] += pure(part[1]){m}", "for b in [*objects, box]:\n    b.put(pure(b.get())){m}", "for b in objects:\n    b.v = pure(b.v)\n    if b.v > 7:\n        break{m}",
]  # fmt: skip


class Richer(Writer):
    """Writes cells as `Writer` does, with more that changes."""

    def statement(self, depth: int) -> str:
        """Return a statement, often one that makes an object and changes it."""
        chance = self.random.random()
        if chance < 0.22:
            return self.fill(OBJECTS, 1)
        if chance < 0.32:
            return self.fill(TRIES, 1)
        if chance < 0.42:
            text = self.random.choice(INNER).replace("{b}", "§")
            return self.fill([text], 1).replace("§", indented(self.block(depth - 1)))
        return super().statement(depth)

    def in_place(self) -> str:
        """Return a loop that changes its items."""
        kept, self.variables = self.variables, ["pure(1)"]
        more = self.random.choice(["", "", "\n" + indented(self.fill(OBJECTS, 1))])
        text = self.fill([self.random.choice(IN_PLACE).replace("{m}", "§")], 1).replace("§", more)
        self.variables = kept
        return text

    def cell(self) -> str:
        """Return a cell with one loop or several, some of them under `if` or `with`."""
        chance = self.random.random()
        if chance < 0.15:
            return self.in_place()
        if chance < 0.3:
            return "\n".join([super().cell(), self.in_place() if self.random.random() < 0.5 else super().cell()])
        if chance < 0.4:
            return self.random.choice(["if u:\n", "with Calm(1) as c:\n", "try:\n"]) + indented(self.loop()) + "\n"
        return super().cell()


cells = st.randoms(use_true_random=False).map(lambda random: Richer(random).cell())
