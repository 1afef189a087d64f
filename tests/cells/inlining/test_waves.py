# ruff: noqa: E501
"""Work queues: calls for all items that wait are made together, and the loop runs as it is written."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
import decimal, heapq
from collections import deque
def work(*values):
    total = 0
    for k in range(2): total += len(str(values)) * k
    return total
def below(n, most=14):
    work(n)
    return [k for k in (2 * n, 2 * n + 1) if k < most]
def again(n):
    work(n)
    return n - 2
def fails(n):
    work(n)
    if n == 5: raise ValueError(n)
    return [2 * n, 2 * n + 1] if n < 4 else []
def thirds(n):
    work(n)
    return [round(float(decimal.Decimal(n) / 3), 6)] if n < 3 else []
def seeing(n): return work(n, len(seen))
tree = {1: [2, 3, 4], 2: [5], 3: [6, 7], 4: [8], 5: [9, 1]}
todo = [1]; waiting = deque([1, 3]); heap = [(1, "a"), (2, "b"), (5, "c")]; pairs = deque([(1, 0), (2, 0)]); names = {"a": 1, "b": 2}
seen = []; out = []; done = {}
class Crawler:
    def __init__(self, links): self.links, self.done, self.stack = links, set(), [1]
    def fetch(self, page):
        work(page)
        return self.links.get(page, [])
    def crawl(self):
        while self.stack:
            page = self.stack.pop()
            if page in self.done:
                continue
            self.done.add(page)
            out.append(page)
            self.stack.extend(self.fetch(page))
crawler = Crawler(tree)
"""

WAVES = {
    "a stack": "while todo:\n    n = todo.pop()\n    seen.append(n)\n    todo.extend(below(n))",
    "a queue": "while waiting:\n    n = waiting.popleft()\n    seen.append(n)\n    waiting.extend(below(n, most=20))",
    "a list from its beginning": "while todo:\n    n = todo.pop(0)\n    for k in below(n):\n        todo.append(k)\n        out.append((n, k))",
    "a heap": "while heap:\n    n, word = heapq.heappop(heap)\n    r = again(n)\n    out.append((n, word))\n    if r > 0: heapq.heappush(heap, (r, word))",
    "pairs": "while pairs:\n    n, depth = pairs.popleft()\n    if depth < 3:\n        pairs.extend((k, depth + 1) for k in below(n))\n    seen.append((n, depth))",
    "a dict": "while names:\n    word, n = names.popitem()\n    r = again(n)\n    if r > -3: names[word] = r\n    out.append(r)",
    "an end before": "while waiting:\n    n = waiting.popleft()\n    kids = below(n)\n    if 7 in kids: break\n    waiting.extend(kids)\nelse: out.append('else')",
    "an error": "while waiting:\n    n = waiting.popleft()\n    seen.append(n)\n    waiting.extend(fails(n))",
    "an error that is caught": "while waiting:\n    n = waiting.popleft()\n    try:\n        waiting.extend(fails(n))\n    except ValueError as error:\n        out.append(error.args)",
    "a method": "crawler.crawl()",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", WAVES)
def test_what_waits_is_computed_together(name: str, how: str) -> None:
    different, ran = programs.compared(WAVES[name], SETUP, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons


PLAIN = {
    "work that sees what the loop changes": "while waiting:\n    n = waiting.popleft()\n    seen.append(seeing(n))\n    waiting.extend(k for k in (2 * n,) if k < 9)",
    "work under a context that rounds": "while waiting:\n    n = waiting.popleft()\n    seen.append(n)\n    with decimal.localcontext() as c:\n        c.prec = 3\n        waiting.extend(thirds(n))\ndel c",
    "items that are changed on the way": "boxes = [[1], [2]]\nwhile boxes:\n    box = boxes.pop()\n    box.append(work(box[0]))\n    seen.append(below(box[1]))\n    if len(seen) < 4: boxes.append(box)",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_what_depends_on_its_turn_waits_for_it(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)

    assert different is None
    assert not ran.cell.lifted
