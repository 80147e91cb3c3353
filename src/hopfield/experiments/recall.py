"""Building blocks that measure recall: over load, damage and temperature; and its time.

Each takes a frozen config and a `Setup`, and returns one flat record. Sweep a field of the config
for a curve: `run(plan(recall, sweep(Recall(), n=[10, 20, 40]), Setup("Hebb", …)))`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import torch

from ..analysis.states import is_binary, overlap_or_cosine
from ..checks import check_number
from ..metrics import hamming_accuracy
from .records import Record, mean_and_sd, means_and_sds, record
from .setup import Setup, check_counts, draw, draws, load_of, update

CAPACITY_CUES = 200
"""Cues per draw of `capacity`. More would sharpen the measured share, and take longer."""
RESOLUTION = 0.01
"""Relative precision of `capacity`, which is never finer than one pattern."""
TIMED_SECONDS = 0.05
"""Shortest time that `speed` measures. Shorter calls are repeated until they take so long."""


@dataclass(frozen=True)
class Recall:
    """Recall from damaged cues. Sweep `n` for a retrieval curve, `damage` for a basin.

    Args:
        cues: patterns retrieved in each draw, at most.
    """

    units: int = 100
    n: int = 10
    damage: float = 0.1
    draws: int = 20
    cues: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Capacity:
    """The largest number of patterns that are recalled well enough. Sweep `seed` for an error bar.

    Args:
        share: mean of the setup's `measure` that counts as well enough.
        damage: 0 measures stability alone.
        max_n: upper limit of the search.
    """

    units: int = 100
    share: float = 0.9
    damage: float = 0.1
    draws: int = 5
    max_n: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class Thermal:
    """Thermal dynamics from a stored pattern. Sweep `temperature` for a temperature scan.

    Args:
        temperature: T, passed to the setup's `make`.
        sweeps: sweeps of all units. The overlap is averaged over the second half.
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
        queries: cues in one call.
        repeats: timed calls, after one that is not timed.
    """

    units: int = 256
    n: int = 100
    queries: int = 10
    damage: float = 0.1
    repeats: int = 5
    seed: int = 0


def recall(config: Recall, setup: Setup) -> Record:
    """Measure recall from damaged cues.

    Results, each with `_sd`, its standard deviation over draws: `recalled` (mean of the setup's
    measure), `overlap` (cosine, where patterns are not ±1), and for ±1 patterns `accuracy`, the
    share of equal entries. `load` is n/N, `samples` the number of draws.
    """
    check_counts(config, units=1, n=1, draws=1, cues=1)
    scores = list(_scores(config, setup))
    load = load_of(config.n, config.units)
    results = means_and_sds(scores)
    return record("recall", setup, config, load=load, samples=len(scores), **results)


def _scores(config: Recall, setup: Setup) -> Iterator[dict[str, float]]:
    for rows, memory, source in draws(config, setup):
        originals = rows[: config.cues]
        cue = setup.corrupt(originals, config.damage, generator=source)
        states = setup.final_states(memory, cue, source)
        scores = {
            "recalled": setup.measure(originals, states),
            "overlap": overlap_or_cosine(originals, states),
        }
        if is_binary(originals):
            scores["accuracy"] = hamming_accuracy(originals, states)
        yield {name: values.double().mean().item() for name, values in scores.items()}


def capacity(config: Capacity, setup: Setup) -> Record:
    """Find the largest n at which recall reaches the share, by doubling and bisection.

    Assumes that recall falls with n. Results: `n` (0 where not even one pattern is recalled), its
    `load`, and `n_tried`, the number of sizes measured. The result differs from the true crossing
    by the sampling error of `draws`, and by `RESOLUTION`.
    """
    share = check_number("share", config.share, low=0.0, high=1.0)
    check_counts(config, units=1, draws=1, max_n=1)
    enough: dict[int, bool] = {}

    def is_enough(n: int) -> bool:
        if n not in enough:
            at = Recall(config.units, n, config.damage, config.draws, CAPACITY_CUES, config.seed)
            enough[n] = fmean(scores["recalled"] for scores in _scores(at, setup)) >= share
        return enough[n]

    low, high = 0, 1
    while high <= config.max_n and is_enough(high):
        low, high = high, 2 * high
    high = min(high, config.max_n + 1)
    while high - low > max(1, RESOLUTION * low):
        middle = (low + high) // 2
        low, high = (middle, high) if is_enough(middle) else (low, middle)
    load = load_of(low, config.units)
    return record("capacity", setup, config, n=low, load=load, n_tried=len(enough))


def thermal(config: Thermal, setup: Setup) -> Record:
    """Measure the overlap of thermal dynamics with the pattern it started from.

    Results: `overlap` and `overlap_sd` over draws; `load`, `samples`.
    """
    check_counts(config, units=1, n=1, sweeps=1, draws=1)
    means = []
    for rows, memory, source in draws(config, setup, temperature=config.temperature):
        state, overlaps = rows.clone(), []
        for sweep in range(config.sweeps):
            state = update(memory, state, source)
            if sweep >= config.sweeps // 2:
                overlaps.append(overlap_or_cosine(rows, state).double().mean())
        means.append(torch.stack(overlaps).mean().item())
    results = mean_and_sd("overlap", means)
    load = load_of(config.n, config.units)
    return record("thermal", setup, config, load=load, samples=len(means), **results)


def speed(config: Speed, setup: Setup) -> Record:
    """Time one call of `retrieve`, in milliseconds: `best_ms` and `median_ms` of several calls.

    Times depend on the machine and on its other work, so these records are not repeatable.
    """
    check_counts(config, units=1, n=1, queries=1, repeats=1)
    rows, memory, source = draw(config, setup)
    originals = rows[torch.arange(config.queries) % config.n]
    cue = setup.corrupt(originals, config.damage, generator=source)

    def milliseconds() -> float:
        start, calls = time.perf_counter(), 0
        while not calls or time.perf_counter() - start < TIMED_SECONDS:
            setup.final_states(memory, cue, source)
            calls += 1
        return 1000 * (time.perf_counter() - start) / calls

    milliseconds()
    times = sorted(milliseconds() for _ in range(config.repeats))
    return record("speed", setup, config, best_ms=times[0], median_ms=times[len(times) // 2])
