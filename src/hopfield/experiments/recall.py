"""Experiments on recall: by load, damage and temperature; the capacity; and the time of retrieval.

Each experiment is a function of a frozen config and a `Setup`, and returns one flat record. Sweep a
field of the config for a curve: `run(plan(recall, sweep(Recall(), n=[10, 20, 40]), Setup("Hebb",
…)))`. In all configs, `units` is N, `n` the number of patterns, `damage` the amount passed to the
setup's `corrupt`, and `draws` the number of times that new patterns are drawn.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import torch

from ..analysis.states import overlap_or_cosine
from ..checks import check_number, has_only_signs
from ..metrics import hamming_accuracy
from ..typed import typed
from .records import Record, mean_and_sd, means_and_sds, record
from .setup import Setup, check_counts, draw, draws, load_of, update

CAPACITY_CUES = 200
"""Largest number of cues per draw of `capacity`. More give a more precise mean, and take longer."""
RESOLUTION = 0.01
"""Relative precision of the n that `capacity` finds; the search ends at single patterns."""
TIMED_SECONDS = 0.05
"""Least number of seconds that `speed` measures; shorter calls are repeated until it is reached."""


@dataclass(frozen=True)
class Recall:
    """Config of `recall`. Sweep `n` for a retrieval curve, `damage` for the size of basins.

    Args:
        cues: largest number of patterns that are retrieved in each draw.
    """

    units: int = 100
    n: int = 10
    damage: float = 0.1
    draws: int = 20
    cues: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Capacity:
    """Config of `capacity`. Sweep `seed` for an error bar.

    Args:
        share: least mean of the setup's (first) measure at which n patterns count as recalled.
        damage: as in all configs; 0 asks only if stored patterns are stable.
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
    """Config of `thermal`. Sweep `temperature` for a curve.

    Args:
        temperature: T, passed to the setup's `make`.
        sweeps: number of sweeps over all units. The second half is averaged.
    """

    units: int = 500
    n: int = 10
    temperature: float = 0.3
    sweeps: int = 40
    draws: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Speed:
    """Config of `speed`.

    Args:
        queries: number of cues in one call.
        repeats: number of measurements, after one that does not count.
    """

    units: int = 256
    n: int = 100
    queries: int = 10
    damage: float = 0.1
    repeats: int = 5
    seed: int = 0


@typed
def recall(config: Recall, setup: Setup) -> Record:
    """Measure recall from damaged cues.

    Results are `recalled`, the mean of the setup's measure (of several, one field each); `overlap`,
    for patterns that are not ±1 the cosine; and for ±1 patterns `accuracy`, the share of equal
    entries. Each has a field ending in `_sd`, the standard deviation over draws. `load` is n/N, and
    `samples` the number of draws.
    """
    check_counts(config, units=1, n=1, draws=1, cues=1)
    scores = list(_scores(config, setup))
    load = load_of(config.n, config.units)
    results = means_and_sds(scores)
    return record("recall", setup, config, load=load, samples=len(scores), **results)


def _scores(config: Recall, setup: Setup) -> Iterator[dict[str, float]]:
    for rows, memory, source in draws(config, setup):
        originals = rows[: config.cues]
        cue = setup.damaged(originals, config.damage, source)
        states = setup.final_states(memory, cue, source)
        further = {"overlap": overlap_or_cosine(originals, states)}
        if has_only_signs(originals):
            further["accuracy"] = hamming_accuracy(originals, states)
        means = {name: values.double().mean().item() for name, values in further.items()}
        scores = setup.measured(originals, states)
        yield scores | {name: mean for name, mean in means.items() if name not in scores}


@typed
def capacity(config: Capacity, setup: Setup) -> Record:
    """Find the largest n at which recall reaches the share, by doubling and bisection.

    Recall is assumed to fall with n. Results are `n`, 0 if not even one pattern is recalled; the
    `load` n/N; and `n_tried`, the number of n that were measured. The error of n comes from the
    finite number of draws, and from `RESOLUTION`.
    """
    share = check_number("share", config.share, low=0.0, high=1.0)
    check_counts(config, units=1, draws=1, max_n=1)
    enough: dict[int, bool] = {}

    def is_enough(n: int) -> bool:
        if n not in enough:
            at = Recall(config.units, n, config.damage, config.draws, CAPACITY_CUES, config.seed)
            enough[n] = fmean(next(iter(means.values())) for means in _scores(at, setup)) >= share
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


@typed
def thermal(config: Thermal, setup: Setup) -> Record:
    """Measure the overlap of a state at a temperature with the pattern at which it started.

    Results are `overlap` and `overlap_sd`, mean and standard deviation over draws; `load`, n/N; and
    `samples`, the number of draws.
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


@typed
def speed(config: Speed, setup: Setup) -> Record:
    """Time one call of `retrieve`, in milliseconds: `best_ms` and `median_ms` of several calls.

    Times depend on the machine and on its other work, so these records are not repeatable.
    """
    check_counts(config, units=1, n=1, queries=1, repeats=1)
    rows, memory, source = draw(config, setup)
    originals = rows[torch.arange(config.queries) % config.n]
    cue = setup.damaged(originals, config.damage, source)

    def milliseconds() -> float:
        start, calls = time.perf_counter(), 0
        while not calls or time.perf_counter() - start < TIMED_SECONDS:
            setup.final_states(memory, cue, source)
            calls += 1
        return 1000 * (time.perf_counter() - start) / calls

    milliseconds()
    times = sorted(milliseconds() for _ in range(config.repeats))
    return record("speed", setup, config, best_ms=times[0], median_ms=times[len(times) // 2])
