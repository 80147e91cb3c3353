"""Perceptron learning: the share of units that learn all patterns, by load and by margin."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from hopfield import CapacityWarning, ClassicalHopfield, theory
from hopfield.experiments import Record, Setup, Task, draws, mean_and_sd, plan, record, sweep
from hopfield.rules import Perceptron

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    at_least,
    at_most,
    curve,
    deviation_of_share,
    measured_series,
    near,
    of,
    widened,
)

INPUTS = 20
"""Inputs of each unit, N − 1: at N = 21, passes that suffice for nearly all units are quick."""
COUNTS = (24, 30, 40, 50)
MARGIN, MARGIN_UNITS = 0.5, 60
LOST_PER_ROOT = 5.0
"""Bound of (share that separates − share learned)·√passes, three halves of the largest measured at
500 to 8000 passes: 3.5 at n = 2(N − 1). A perceptron of margin κ needs about N²/κ² passes, and
margins below κ have a probability proportional to κ."""


@dataclass(frozen=True)
class Learning:
    """Config of `learned`; `margin` and `passes` are those of `Perceptron`."""

    units: int = INPUTS + 1
    n: int = 40
    margin: float = 0.0
    passes: int = 1000
    draws: int = 24
    seed: int = 0


def learned(config: Learning, setup: Setup) -> Record:
    """Measure `learned`, the share of units i with x_i h_i > κ‖W_i‖ in all patterns."""
    shares = []
    for rows, memory, _ in draws(config, setup, margin=config.margin, passes=config.passes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CapacityWarning)
            aligned = memory.field(rows) * rows
        least = config.margin * memory.coupling.norm(dim=1)
        shares.append(float((aligned > least).all(0).double().mean()))
    results = mean_and_sd("learned", shares)
    load = config.n / config.units
    return record("learned", setup, config, load=load, samples=config.draws, **results)


def network(margin: float, passes: int, symmetric: bool) -> ClassicalHopfield:
    """Make a network of perceptrons."""
    return ClassicalHopfield(Perceptron(margin, symmetric, passes))


ANY, SYMMETRIC = (
    Setup(name, partial(network, symmetric=symmetric))
    for name, symmetric in (("any W", False), ("W = Wᵀ", True))
)


def _tasks(form: Form) -> list[Task]:
    base = Learning(passes=form.pick(1000, 8000), draws=form.pick(24, 60), seed=form.seed)
    counts = (*COUNTS, 36, 44) if form.full else COUNTS
    loads = [share * theory.perceptron_load(MARGIN) for share in (0.5, 0.75, 1.0, 1.5)]
    few = replace(base, units=MARGIN_UNITS, margin=MARGIN, passes=1000, draws=4)
    return [
        *plan(learned, sweep(base, n=counts), ANY),
        *plan(learned, sweep(few, n=[round(load * MARGIN_UNITS) for load in loads]), ANY),
        *plan(learned, sweep(replace(base, passes=1000), n=(21, 25, 29, 33)), SYMMETRIC),
    ]


def _judge(records: Sequence[Record]) -> Finding:
    lines = sorted(records, key=lambda line: int(line["n"]))
    free = of(lines, margin=0.0, case=ANY.name)
    limited = of(lines, margin=MARGIN)
    checks = [_cover(line) for line in free if line["n"] in COUNTS]
    limit = f"α_c(κ) = {theory.perceptron_load(MARGIN):.3f} as N → ∞"
    checks += [
        at_least(f"κ = {MARGIN:g}, half of Gardner's load: share of units",
                 limited[0]["learned"], 0.99, limit),
        at_most(f"κ = {MARGIN:g}, 1.5 times Gardner's load: share of units",
                limited[-1]["learned"], 0.01, limit),
    ]  # fmt: skip
    figure = Figure("learned", "load n/N", "share of units",
                    f"Units that learn their entry of all patterns, N = {INPUTS + 1}; with a "
                    f"margin of {MARGIN:g}, N = {MARGIN_UNITS}. Theory is Cover's share for N − 1 "
                    "inputs: a half at n = 2(N − 1), and a step at n = 2N as N → ∞.")  # fmt: skip
    names = {"any W": free, "W = Wᵀ": of(lines, case=SYMMETRIC.name), f"κ = {MARGIN:g}": limited}
    loads = [n / (INPUTS + 1) for n in range(20, 56)]
    return Finding(checks, [figure], [
        *(measured_series("learned", name, some, "load", "learned")
          for name, some in names.items()),
        curve("learned", "theory, any W", loads,
              lambda load: theory.separable_share(round(load * (INPUTS + 1)), INPUTS)),
    ])  # fmt: skip


def _cover(line: Record) -> Check:
    n, lost = int(line["n"]), LOST_PER_ROOT / math.sqrt(line["passes"])
    share = theory.separable_share(n, INPUTS)
    check = near(f"n = {n}, N = {INPUTS + 1}: share of units that learn all patterns", line,
                 "learned", share, floor=deviation_of_share(share, INPUTS + 1))  # fmt: skip
    reason = (
        "units of which the passes do not suffice, and 0.003 for patterns that are equal or "
        "opposite by chance"
    )
    return widened(check, max(0.0, share - lost - 0.003), share, reason)


PERCEPTRONS = Result(
    "perceptron-capacity",
    "Perceptrons: units that learn all patterns",
    "A unit with N − 1 inputs can learn its entry of n random patterns with the probability of "
    "Cover's theorem: a half at n = 2(N − 1), so that the load is 2 as N → ∞. With a margin κ it "
    "is Gardner's α_c(κ).",
    "Cover 1965; Gardner 1988",
    _tasks,
    _judge,
)
