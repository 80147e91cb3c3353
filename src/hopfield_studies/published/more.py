"""Results beyond the nine: the capacity exponent of dense networks, and mixtures of three."""

import math
from collections.abc import Sequence
from functools import partial
from statistics import fmean, stdev

import torch
from torch import Tensor

from hopfield import ClassicalHopfield, Cue, theory
from hopfield.experiments import (
    RESOLUTION,
    Capacity,
    Recall,
    Record,
    Setup,
    Task,
    capacity,
    plan,
    recall,
    sweep,
)

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    curve,
    grid,
    measured_series,
    near,
    of,
    student,
)
from .dense import polynomial

WRONG_BITS = 0.01
"""Share of bits wrong at which capacities are compared."""
SIZES = {2: (64, 128, 256), 3: (32, 64, 128), 4: (16, 28, 48)}
LOADS = (0.004, 0.01)
LOST_LOAD = 0.08


def _exponent_tasks(form: Form) -> list[Task]:
    seeds = [form.seed + 1000 * i for i in range(form.pick(12, 16))]
    base = Capacity(share=1 - WRONG_BITS, damage=0.0, draws=form.pick(1, 2))
    return [
        task
        for degree, sizes in SIZES.items()
        for task in plan(
            capacity,
            sweep(base, units=sizes if form.full else (sizes[0], sizes[-1]), seed=seeds),
            polynomial(degree),
        )
    ]


def _judge_exponent(records: Sequence[Record]) -> Finding:
    checks, series = [], []
    for degree in SIZES:
        sizes = sorted({line["units"] for line in of(records, case=f"degree {degree}")})
        logs = [[math.log(line["n"]) for line in of(records, case=f"degree {degree}", units=size)]
                for size in sizes]  # fmt: skip
        means, errors = [fmean(x) for x in logs], [stdev(x) / math.sqrt(len(x)) for x in logs]
        expected = [math.log(_crossing(degree, size)) for size in sizes]
        checks.append(_slope(degree, sizes, (means, errors, expected), len(logs[0])))
        name = f"degree {degree}"
        counts = [math.exp(mean) for mean in means]
        series += [
            Series("capacity", name, sizes, counts,
                   [n * error for n, error in zip(counts, errors, strict=True)]),
            curve("capacity", f"theory, {name}", _between(sizes), partial(_crossing, degree)),
        ]  # fmt: skip
    figure = Figure("capacity", "units N", "capacity n",
                    f"The most patterns of which no more than {100 * WRONG_BITS:g} % of the "
                    "bits are unstable, by bisection; the theory is exact at finite N.",
                    "xy")  # fmt: skip
    return Finding(checks, [figure], series)


def _slope(
    degree: int, sizes: Sequence[int], logs: tuple[list[float], list[float], list[float]], runs: int
) -> Check:
    means, errors, expected = logs
    ratio = math.log(sizes[-1] / sizes[0])
    slope, finite = (values[-1] - values[0] for values in (means, expected))
    coarse = RESOLUTION + 1 / math.exp(expected[0])
    width = (student(runs - 1) * math.hypot(errors[0], errors[-1]) + coarse) / ratio
    reason = (
        f"exact theory at these N gives {finite / ratio:.2f}, N → ∞ gives {degree - 1}; "
        f"{student(runs - 1):.1f} standard errors of {runs} runs and the step of the bisection "
        "around both"
    )
    low, high = sorted((finite / ratio, degree - 1.0))
    return Check(f"degree {degree}: exponent of n over N", slope / ratio, degree - 1.0,
                 low - width, high + width, reason)  # fmt: skip


def _between(sizes: Sequence[int]) -> list[int]:
    return sorted({round(x) for x in grid(sizes[0], sizes[-1], 12, log=True)})


def _crossing(degree: int, size: float) -> float:
    units = round(size)
    low, high = 1.0, 4.0 * units ** (degree - 1)
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        wrong = theory.bit_error_exact(degree, units, max(2, round(middle)))
        low, high = (middle, high) if wrong < WRONG_BITS else (low, middle)
    return low


def mixture_cue(rows: Tensor, amount: float, *, generator: torch.Generator) -> Cue:
    """Return for each pattern the sign of its sum with the next two."""
    return Cue((rows + rows.roll(-1, 0) + rows.roll(-2, 0)).sign())


def is_mixture(originals: Tensor, states: Tensor) -> Tensor:
    """Return whether each state overlaps about equally with all three of its patterns."""
    overlaps = torch.stack([(originals.roll(-i, 0) * states).mean(-1) for i in range(3)])
    return (overlaps.amin(0) > 0.35) & (overlaps.amax(0) < 0.65)


MIXTURE = Setup("mixture of three", ClassicalHopfield, corrupt=mixture_cue, measure=is_mixture)


def _mixture_tasks(form: Form) -> list[Task]:
    units, draws = form.pick(2000, 3000), form.pick(15, 20)
    loads = (
        (*LOADS, 0.02, LOST_LOAD)
        if not form.full
        else (*LOADS, 0.02, 0.03, 0.04, 0.05, 0.06, LOST_LOAD)
    )
    counts = [round(load * units) for load in loads]
    return plan(recall, sweep(Recall(units, draws=draws, seed=form.seed), n=counts), MIXTURE)


def _judge_mixtures(records: Sequence[Record]) -> Finding:
    at = partial(theory.retrieval_overlap, count=3)
    checks = [
        near(f"overlap with each of the three, α = {line['load']}", line, "overlap",
             at(line["load"]))
        for line in records if line["load"] in LOADS
    ]  # fmt: skip
    (lost,) = of(records, load=LOST_LOAD)
    limit = theory.critical_load(3)
    checks.append(
        Check(f"mixtures that stay, α = {LOST_LOAD}", lost["recalled"], 0.0, 0.0, 0.5,
              f"above α = {limit:.3f} none stay as N → ∞, and well below it all do; half lies "
              "between")
    )  # fmt: skip
    figures = [
        Figure("overlap", "load α = n/N", "overlap m",
               f"Overlap with each of three patterns, from the sign of their sum on, N = "
               f"{lost['units']}; in theory there are such states up to α = {limit:.3f}."),
        Figure("kept", "load α = n/N", "share still mixed",
               "Mixtures that stay: all three overlaps end between 0.35 and 0.65."),
    ]  # fmt: skip
    series = [
        measured_series("overlap", "measured", records, "load", "overlap"),
        curve("overlap", "theory (AGS)", grid(0.001, limit - 1e-6), at),
        measured_series("kept", "measured", records, "load", "recalled"),
        Series("kept", "theory: limit", [limit, limit], [0, 1]),
    ]
    return Finding(checks, figures, series)


EXPONENT = Result(
    "capacity-exponent",
    "Dense networks: capacity grows as Nᵈ⁻¹",
    "The number of patterns that a dense network of degree d holds at a given share of unstable "
    "bits grows as Nᵈ⁻¹.",
    "Gardner, J. Phys. A 20 (1987) 3453; Krotov & Hopfield 2016",
    _exponent_tasks,
    _judge_exponent,
)
MIXTURES = Result(
    "mixtures",
    "Mixtures of three patterns are attractors at low load",
    "The sign of the sum of three patterns is near an attractor of the Hebbian network, at an "
    "overlap of ½ with each, while the load is below 0.030; above it the attractor is gone.",
    "Amit, Gutfreund & Sompolinsky, Phys. Rev. A 32 (1985) 1007; Ann. Phys. 173 (1987) 30",
    _mixture_tasks,
    _judge_mixtures,
)
