"""Building blocks that ask how much comes back: over load, damage, temperature, rules, time.

Each takes a frozen config and a `Setup`, and returns one flat record. Curves are made by sweeping a
field of the config: `run(plan(recall, sweep(Recall(), n=[10, 20, 40]), Setup("Hebb", …)))`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..analysis.ends import is_binary, likeness
from ..checks import check_number
from ..metrics import hamming_accuracy
from .records import Record, spread
from .setup import Setup, check_whole, generator, measured, per_unit, step

CUES = 200
"""Cues a draw of `capacity`: enough for a share, however many patterns are stored."""
RESOLUTION = 0.01
"""`capacity` is found to this part of itself, or to one pattern."""
TIMED_SECONDS = 0.05
"""`speed` repeats short calls until they take so long together."""


@dataclass(frozen=True)
class Recall:
    """How much comes back. Sweep `n` for a retrieval curve, `damage` for a basin of attraction.

    Args:
        units: N, entries of a pattern.
        n: patterns stored.
        damage: what the setup's `corrupt` gets.
        draws: fresh sets of patterns; means and deviations are over these.
        cues: patterns asked for in each draw, at most.
        seed: of all randomness.
    """

    units: int = 100
    n: int = 10
    damage: float = 0.1
    draws: int = 20
    cues: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Capacity:
    """The largest number of patterns of which enough come back.

    Args:
        units: N.
        share: q, what the setup's `measure` must reach on average.
        damage: what the setup's `corrupt` gets; 0 asks for stability alone.
        draws: fresh sets of patterns for each n that is tried.
        most: no n above this is tried.
        seed: of all randomness; sweep it for an error bar.
    """

    units: int = 100
    share: float = 0.9
    damage: float = 0.1
    draws: int = 5
    most: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class Thermal:
    """Thermal dynamics from a stored pattern. Sweep `temperature` for a temperature scan.

    Args:
        units: N.
        n: patterns stored.
        temperature: T, given to the setup's `make`.
        sweeps: the first half settles, the overlap is averaged over the second.
        draws: fresh sets of patterns.
        seed: of all randomness.
    """

    units: int = 500
    n: int = 10
    temperature: float = 0.3
    sweeps: int = 40
    draws: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Speed:
    """Time of retrieval.

    Args:
        units: N.
        n: patterns stored.
        queries: cues in one call.
        damage: what the setup's `corrupt` gets.
        repeats: calls that are timed, after one that is not.
        seed: of all randomness.
    """

    units: int = 256
    n: int = 100
    queries: int = 10
    damage: float = 0.1
    repeats: int = 5
    seed: int = 0


def recall(config: Recall, setup: Setup) -> Record:
    """How much comes back from damaged cues.

    Results, each with `_sd`, its standard deviation over draws: `recalled` (mean of the setup's
    measure), `overlap` (cosine, where patterns are not ±1), and of ±1 patterns `accuracy`, the
    share of right entries. `load` is n/N, `samples` the number of draws.
    """
    check_whole(config, units=1, n=1, draws=1, cues=1)
    figures = [_figures(*one, setup) for one in _asked(config, setup)]
    results: Record = {}
    for name in figures[0]:
        results |= spread(name, [each[name] for each in figures])
    load = per_unit(config.n, config.units)
    return measured("recall", config, setup, load=load, samples=len(figures), **results)


def _asked(config: Recall, setup: Setup) -> Iterator[tuple[Tensor, Tensor]]:
    """Originals and what came back, draw by draw."""
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw)
        rows = setup.patterns(config.n, config.units, generator=source)
        memory = setup.filled(rows)
        asked = rows[: config.cues]
        cue = setup.corrupt(asked, config.damage, generator=source)
        yield asked, setup.ends(memory, cue, source)


def _figures(rows: Tensor, states: Tensor, setup: Setup) -> dict[str, float]:
    figures = {
        "recalled": setup.measure(rows, states).double().mean().item(),
        "overlap": likeness(rows, states).double().mean().item(),
    }
    if is_binary(rows):
        figures["accuracy"] = hamming_accuracy(rows, states).double().mean().item()
    return figures


def capacity(config: Capacity, setup: Setup) -> Record:
    """The largest n of which the share q comes back, by doubling and bisection.

    Takes recall to fall with n. Results: `n` (0 where not even one pattern comes back), its `load`,
    and `tried`, how many n were measured. The true crossing lies within the sampling error of
    `draws`, and `RESOLUTION`.
    """
    share = check_number("share", config.share, low=0.0, high=1.0)
    check_whole(config, units=1, draws=1, most=1)
    tried: dict[int, bool] = {}

    def holds(n: int) -> bool:
        if n not in tried:
            at = Recall(config.units, n, config.damage, config.draws, CUES, config.seed)
            shares = [_figures(*one, setup)["recalled"] for one in _asked(at, setup)]
            tried[n] = sum(shares) / len(shares) >= share
        return tried[n]

    low, high = 0, 1
    while high <= config.most and holds(high):
        low, high = high, 2 * high
    high = min(high, config.most + 1)
    while high - low > max(1, RESOLUTION * low):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return measured(
        "capacity", config, setup, n=low, load=per_unit(low, config.units), tried=len(tried)
    )


def thermal(config: Thermal, setup: Setup) -> Record:
    """The overlap that thermal dynamics keeps with the pattern it started from.

    Results: `overlap` and `overlap_sd` over draws; `load`, `samples`.
    """
    check_whole(config, units=1, n=1, sweeps=1, draws=1)
    figures = []
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw)
        rows = setup.patterns(config.n, config.units, generator=source)
        memory = setup.filled(rows, temperature=config.temperature)
        state, kept = rows.clone(), []
        for sweep in range(config.sweeps):
            state = step(memory, state, source)
            if sweep >= config.sweeps // 2:
                kept.append(likeness(rows, state).double().mean())
        figures.append(torch.stack(kept).mean().item())
    load = per_unit(config.n, config.units)
    return measured(
        "thermal", config, setup, load=load, samples=len(figures), **spread("overlap", figures)
    )


def speed(config: Speed, setup: Setup) -> Record:
    """Milliseconds of one call of `retrieve`: `best` and `median` of several.

    Time depends on the machine and on what else it does; records of it are not repeatable.
    """
    check_whole(config, units=1, n=1, queries=1, repeats=1)
    source = generator(config.seed, config.n)
    rows = setup.patterns(config.n, config.units, generator=source)
    memory = setup.filled(rows)
    asked = rows[torch.arange(config.queries) % config.n]
    cue = setup.corrupt(asked, config.damage, generator=source)

    def timed() -> float:
        start, calls = time.perf_counter(), 0
        while not calls or time.perf_counter() - start < TIMED_SECONDS:
            setup.ends(memory, cue, source)
            calls += 1
        return 1000 * (time.perf_counter() - start) / calls

    timed()
    times = sorted(timed() for _ in range(config.repeats))
    return measured("speed", config, setup, best=times[0], median=times[len(times) // 2])
