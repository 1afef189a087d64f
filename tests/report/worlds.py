"""Hand-built comparisons of every shape, for the tests of what people see."""

from __future__ import annotations

from dataclasses import replace

from concompare.records import (
    Comparison,
    Environment,
    Finding,
    Ledger,
    Message,
    Pass,
    Plan,
    Probe,
    Subject,
    Trial,
)
from tests.records import bare

MACHINE = Environment(
    python="3.14.2",
    implementation="CPython",
    platform="Linux 6.18",
    machine="x86_64",
    cpus=4,
    usable=4,
    affinity=4,
    memory=16_000_000_000,
    start_method="forkserver",
    start_methods=("fork", "spawn", "forkserver"),
    threads=13,
    packages=(("ipython", "9.18.1"), ("numpy", "2.5.5")),
)
SUBJECT = Subject(
    "score",
    "comprehension",
    source="results = [score(p) for p in papers]\n",
    head="def score_one(p):\n    return score(p)\n",
    items=240,
    blob=1840,
    captured=(("model", 38_000_000),),
)
PLAN = Plan(30.0, 25.0, 7, blocks=5, steps=("5 interleaved blocks of 6 configurations",))

Shares = tuple[float, float, float, float, float, float]
COMPUTES: Shares = (0.88, 0.01, 0.0, 0.03, 0.05, 0.03)
LOCKED: Shares = (0.23, 0.01, 0.73, 0.02, 0.0, 0.01)


def ledger(total: float, shares: Shares) -> Ledger:
    return Ledger(total, *(share * total for share in shares))


def split(memory: int | None, workers: int) -> tuple[int, ...]:
    """Share memory out unevenly: one worker has a tenth more than the others."""
    if memory is None:
        return ()
    each = round(memory / (workers + 0.1))
    return (memory - (workers - 1) * each, *(each,) * (workers - 1))


def trial(
    backend: str,
    workers: int,
    wall: float,
    *,
    passes: int = 5,
    items: int = 240,
    label: str = "",
    shares: Shares | None = None,
    messages: tuple[Message, ...] = (),
    memory: int | None = None,
    wobble: float = 0.02,
    same: bool | None = True,
    cpu: float | None = None,
) -> Trial:
    """Passes in blocks around a wall time, the same wobble in each block for every trial's neighbours."""
    steps = [0.0, wobble, -wobble, wobble / 2, -wobble / 2, wobble / 4, -wobble / 4]
    made = []
    for block in range(passes):
        own = wall * (1 + steps[(block + workers + len(backend)) % len(steps)])
        made.append(
            Pass(
                items,
                own,
                wall * workers if cpu is None else cpu,
                block=block,
                peak_memory=memory,
                worker_memory=split(memory, workers),
                ledger=None if shares is None else ledger(own * workers, shares),
                messages=messages if block == passes - 1 else (),
            )
        )
    plain = backend == "serial"
    return bare(
        backend,
        workers,
        label=label or ("plain loop" if plain else backend),
        passes=tuple(made),
        start_up=None if plain else 0.13,
        cold=None if plain else wall + 0.13,
        got=None if plain else workers,
        same=None if plain else same,
    )


def stripes(workers: int, until: float, length: float, busy: float) -> tuple[Message, ...]:
    """Messages of workers that take turns, each computing for a share of its time."""
    found: list[Message] = []
    for worker in range(workers):
        now = 0.004 * worker
        while now < until:
            end = now + length * (1 + 0.1 * ((worker + len(found)) % 3))
            found.append(
                Message(len(found), 1, worker, now, now, now + 0.001, end, end + 0.002, end + 0.003, (end - now) * busy)
            )
            now = end + 0.004
    return tuple(found)


def mocked(*, recorded: bool = True) -> Comparison:
    """The comparison of the design's picture: threads held up by the GIL, processes that scale."""
    slow = stripes(4, 0.6, 0.1, 0.24) if recorded else ()
    fast = stripes(4, 0.6, 0.11, 0.97) if recorded else ()
    return Comparison(
        SUBJECT,
        MACHINE,
        (
            trial("serial", 1, 8.21, shares=(0.99, 0.0, 0.0, 0.01, 0.0, 0.0)),
            trial("threads", 1, 8.30, passes=2),
            trial("threads", 2, 8.60, passes=3, shares=(0.47, 0.01, 0.49, 0.02, 0.0, 0.01), cpu=8.6),
            trial("threads", 4, 8.90, shares=LOCKED, messages=slow, cpu=8.9),
            trial("threads", 8, 9.40, passes=2, cpu=9.4),
            trial("processes", 1, 8.40, passes=2, memory=84_000_000),
            trial(
                "processes", 2, 4.40, passes=3, shares=(0.93, 0.0, 0.0, 0.03, 0.03, 0.01), memory=160_000_000, cpu=8.3
            ),
            trial("processes", 4, 2.28, shares=COMPUTES, messages=fast, memory=312_000_000, cpu=8.4),
            trial("processes", 8, 2.21, memory=610_000_000, cpu=8.5, wobble=0.06),
            bare(
                "interpreters",
                4,
                "interpreters",
                problem="not possible here: numpy 2.5.5 does not load in sub-interpreters",
            ),
        ),
        plan=PLAN,
        probe=Probe(capacity=((1, 1.0), (2, 1.96), (4, 3.9)), gil_share=0.95, gil_word="all but always", executions=31),
        seconds=25.0,
        created="2026-11-22T10:00:00",
    )


FINDINGS = (
    Finding(
        "gil-bound",
        "With 4 threads a worker waited 73 % of its time for the GIL (limit 30 %).",
        "Pure-Python work needs processes.",
        (("share", 0.73),),
        ("threads", 4),
    ),
    Finding(
        "scales-well",
        "4 processes keep 90 % of the ideal; this machine's own ceiling is 3.9× on 4.",
        "Beyond 4 there is nothing to gain.",
    ),
)


def one_row() -> Comparison:
    return replace(mocked(), trials=(mocked().trials[0],), probe=Probe(), plan=None)


def all_failed() -> Comparison:
    reasons = ("the plain loop raised ValueError: no data", "not installed: pip install loky", "stopped: no memory")
    trials = tuple(
        bare(b, w, b, problem=r)
        for (b, w), r in zip((("serial", 1), ("loky", 2), ("processes", 2)), reasons, strict=True)
    )
    return replace(mocked(), trials=trials, probe=Probe())


def tie() -> Comparison:
    trials = (
        trial("serial", 1, 1.0),
        trial("threads", 2, 1.01, shares=LOCKED),
        trial("processes", 2, 0.99, shares=COMPUTES),
    )
    return replace(mocked(), trials=trials)


TWELVE = (
    "threads",
    "processes",
    "fork",
    "forkserver",
    "spawn",
    "mp-pool",
    "mp-threads",
    "thread-per-item",
    "process-per-item",
    "loky",
    "dask",
    "my_pool",
)


def twelve_backends() -> Comparison:
    """Twelve backends, all but alike: labels would all fall on one another."""
    trials = [trial("serial", 1, 1.0)]
    for place, backend in enumerate(TWELVE):
        trials += [
            trial(
                backend,
                n,
                1.0 / n * (1 + 0.004 * place) + 0.02,
                shares=COMPUTES,
                passes=3,
                wobble=0.005,
                messages=stripes(n, 0.1, 0.02, 0.9),
            )
            for n in (1, 2, 4)
        ]
    return replace(mocked(), trials=tuple(trials))


def many_workers() -> Comparison:
    """1 to 64 workers: the axis is crowded."""
    counts = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 63, 64)
    trials = [trial("serial", 1, 64.0, passes=3)]
    trials += [
        trial("threads", n, 64.0 / n + 0.3, passes=3, shares=COMPUTES, messages=stripes(n, 1.0, 0.2, 0.8))
        for n in counts
    ]
    trials += [trial("processes", n, 64.0 / n**0.8 + 0.5, passes=3, shares=COMPUTES) for n in counts]
    machine = replace(MACHINE, cpus=64, usable=64, affinity=64)
    probe = Probe(capacity=((1, 1.0), (16, 15.5), (64, 40.0)))
    return replace(mocked(), trials=tuple(trials), environment=machine, probe=probe)


def huge() -> Comparison:
    trials = (
        trial("serial", 1, 400_000.0, passes=2),
        trial("processes", 64, 7_000.0, passes=2, memory=900_000_000_000),
    )
    return replace(mocked(), trials=trials, subject=replace(SUBJECT, items=12_345_678))


def tiny() -> Comparison:
    trials = (
        trial("serial", 1, 3.2e-6, items=10),
        trial("threads", 2, 2.1e-4, items=10),
        trial("processes", 2, 1.1e-3, items=10),
    )
    return replace(mocked(), trials=trials, subject=replace(SUBJECT, items=10))


def sampled() -> Comparison:
    trials = (
        trial("serial", 1, 10.0, items=60),
        trial("processes", 4, 2.7, items=60),
        trial("threads", 4, 10.4, items=60),
    )
    return replace(mocked(), trials=trials)


def weak() -> Comparison:
    trials = [trial("serial", 1, 1.0, items=10)]
    trials += [trial("threads", n, 1.0 * n, items=10 * n, shares=LOCKED) for n in (1, 2, 4)]
    trials += [trial("processes", n, 1.0 + 0.03 * n, items=10 * n, shares=COMPUTES) for n in (1, 2, 4)]
    return replace(mocked(), trials=tuple(trials), scaling="weak", subject=replace(SUBJECT, items=10))


def no_plain_loop() -> Comparison:
    walls = (("threads", 1, 0.296), ("threads", 2, 0.31), ("processes", 1, 0.294), ("processes", 2, 0.3))
    trials = tuple(trial(backend, workers, wall, same=None) for backend, workers, wall in walls)
    return replace(mocked(), trials=trials, plan=None, probe=Probe())


NASTY = '<script>alert(1)</script>[bold red]x[/] $\\frac{1}{2}$ \x1b[31mred\x07 \u202eabc {{ 7*7 }} & "quoted" \''


def hostile() -> Comparison:
    """Every text that can come from the user or from a file is an attack."""
    trials = (
        trial("serial", 1, 1.0, label=NASTY),
        trial(NASTY, 2, 0.5, label=NASTY, shares=COMPUTES, messages=stripes(2, 0.2, 0.05, 0.9)),
        trial("processes", 2, 0.6, same=False, shares=COMPUTES),
        bare("loky", 2, NASTY, problem=NASTY),
    )
    return replace(
        mocked(),
        trials=tuple(replace(t, difference=NASTY) if t.same is False else t for t in trials),
        subject=Subject(NASTY, NASTY, NASTY, NASTY, NASTY, 240, 10, ((NASTY, 5),)),
        environment=replace(
            MACHINE,
            python=NASTY,
            platform=NASTY,
            processor=NASTY,
            hazards=(NASTY,),
            packages=((NASTY, NASTY),),
            gil=NASTY,
        ),
        plan=replace(PLAN, steps=(NASTY,)),
        probe=replace(mocked().probe, gil_word=NASTY),
    )


NASTY_FINDINGS = (Finding(NASTY, NASTY, NASTY),)

WORLDS = {
    "mocked": mocked,
    "one_row": one_row,
    "all_failed": all_failed,
    "tie": tie,
    "twelve_backends": twelve_backends,
    "many_workers": many_workers,
    "huge": huge,
    "tiny": tiny,
    "sampled": sampled,
    "weak": weak,
    "no_plain_loop": no_plain_loop,
    "hostile": hostile,
}
