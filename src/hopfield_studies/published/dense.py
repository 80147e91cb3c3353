"""Dense networks: errors and capacity by degree, exclusive or, exponential capacity."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from scipy.special import factorial2, ndtr

from hopfield import DenseHopfield, theory
from hopfield.experiments import Recall, Record, Setup, Task, plan, recall, record, sweep
from hopfield.metrics import hamming_accuracy
from hopfield.separation import Polynomial, RectifiedPolynomial

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    curve,
    exactly,
    grid,
    measured_series,
    misses,
    near,
    of,
)

POINTS = ((2, 1000, 100), (2, 1000, 140), (2, 1000, 200), (3, 100, 300), (3, 100, 362),
          (3, 100, 1000), (4, 50, 800), (4, 50, 2000), (5, 30, 3000))  # fmt: skip
"""(degree, N, n): P ≥ 1e-3 or so, as the published comparison; n = 362 is the error-free number."""
DEGREES = range(1, 9)
EXPONENTIAL = ((24, 0.0, 2048), (24, 0.0, 4096), (40, 0.1, 1574), (60, 0.1, 62438),
               (100, 0.2, 15325))  # fmt: skip
"""(N, ρ, n): the first lies inside the bound, the others at it."""


def polynomial(degree: int) -> Setup:
    """Return the setup of one step of the dense network of this degree, scored by bits."""
    make = partial(DenseHopfield, separation=Polynomial(degree))
    return Setup(f"degree {degree}", make, measure=hamming_accuracy, options={"steps": 1})


@dataclass(frozen=True)
class Exclusive:
    """Exclusive or as a memory: four patterns of three units, the third one unknown."""

    degree: int = 2
    rectified: bool = False
    seed: int = 0


def exclusive_or(config: Exclusive, setup: Setup) -> Record:
    """Count the right answers of four."""
    inputs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=2)))
    table = torch.cat([inputs, -inputs.prod(dim=1, keepdim=True)], dim=1)
    kind = RectifiedPolynomial if config.rectified else Polynomial
    memory = setup.build(table, separation=kind(config.degree))
    cues = torch.cat([inputs, torch.zeros(4, 1)], dim=1)
    retrieval = memory.retrieve(cues, known=torch.tensor([True, True, False]))
    # A unit for which nothing speaks becomes +1 and is not converged: right by chance at best.
    right = (retrieval.state == table).all(-1) & retrieval.converged
    return record("exclusive_or", setup, config, right=int(right.sum()))


def _tasks(form: Form) -> list[Task]:
    tasks = []
    for degree, units, n in POINTS:
        at = Recall(units, n, 0.0, form.pick(30, 200), 200, form.seed)
        tasks += plan(recall, at, polynomial(degree))
    logic = [Exclusive(degree, rectified) for rectified in (False, True) for degree in DEGREES]
    return tasks + plan(exclusive_or, logic, Setup("XOR", DenseHopfield))


def _judge(records: Sequence[Record]) -> Finding:
    checks, series = [], []
    for degree in sorted({degree for degree, _, _ in POINTS}):
        lines = [_with_errors(line) for line in of(records, case=f"degree {degree}")]
        units = lines[0]["units"]
        for line in lines:
            exact = theory.bit_error_exact(degree, units, line["n"])
            floor = math.sqrt(exact / (min(line["cues"], line["n"]) * units))
            checks.append(near(f"degree {degree}, N = {units}, n = {line['n']}: unstable bits",
                               line, "wrong", exact, floor=floor))  # fmt: skip
        name = f"degree {degree}, N = {units}"
        span = grid(1e-2, 0.5, 30, log=True)
        scale = units ** (degree - 1) / factorial2(2 * degree - 3, exact=True)
        counts = [max(2, round(load * scale)) for load in span]
        series += [
            _scaled(measured_series("error", name, lines, "n", "wrong"), scale),
            _scaled(curve("error", f"theory, {name}", counts,
                          partial(_exact, degree, units)), scale),
        ]  # fmt: skip
    series.append(curve("error", "theory, N → ∞", grid(1e-2, 0.5, 60),
                        lambda x: ndtr(-1 / math.sqrt(x))))  # fmt: skip
    figure = Figure(
        "error", "scaled load n(2d − 3)!!/Nᵈ⁻¹", "probability of an unstable bit",
        "Bits of stored patterns that one step changes, by degree d. Lines in the colour of the "
        "points: exact theory at that N; black: the formula of Krotov & Hopfield, for N → ∞.", "xy",
    )  # fmt: skip
    series = [_visible(each) for each in series]
    return Finding(checks + _logic(records), [figure], series)


def _exact(degree: int, units: int, n: float) -> float:
    return theory.bit_error_exact(degree, units, int(n))


def _scaled(series: Series, scale: float) -> Series:
    return series._replace(x=[x / scale for x in series.x])


def _visible(series: Series) -> Series:
    # The logarithmic axis starts at 10⁻⁵.
    visible = [i for i, y in enumerate(series.y) if y >= 1e-5]
    error = None if series.error is None else [series.error[i] for i in visible]
    x, y = ([values[i] for i in visible] for values in (series.x, series.y))
    return series._replace(x=x, y=y, error=error)


def _with_errors(line: Record) -> Record:
    return line | {"wrong": 1 - line["accuracy"], "wrong_sd": line["accuracy_sd"]}


def _logic(records: Sequence[Record]) -> list[Check]:
    checks = []
    for line in of(records, experiment="exclusive_or"):
        degree, rectified = line["degree"], line["rectified"]
        able = degree >= 2 if rectified else degree % 2 == 1 and degree >= 3
        name = f"XOR, {'rectified ' if rectified else ''}degree {degree}: right answers of 4"
        if able:
            checks.append(exactly(name, line["right"], 4, "follows from the four scores"))
        else:
            checks.append(Check(name, line["right"], 0, 0, 3, "the two energies tie or mislead"))
    return checks


def _exponential_tasks(form: Form) -> list[Task]:
    setup = Setup("exponential", partial(DenseHopfield, 1.0), options={"steps": 1})
    draws = form.pick(60, 300)
    points = [Recall(units, n, flipped, draws, 1, form.seed) for units, flipped, n in EXPONENTIAL]
    more = [2**k for k in (10, 14, 16, 18)] if form.full else [2**16]
    points += sweep(Recall(24, damage=0.0, draws=draws, cues=1, seed=form.seed), n=more)
    return plan(recall, points, setup)


def _judge_exponential(records: Sequence[Record]) -> Finding:
    checks = []
    for units, flipped, n in EXPONENTIAL:
        (line,) = of(records, units=units, damage=flipped, n=n)
        draws, bound = line["draws"], theory.exponential_patterns(units, flipped)
        chance = theory.exponential_failure(units, round(flipped * units), n)
        place = "inside the bound" if n < 0.9 * bound else "at the bound"
        checks.append(
            misses(f"N = {units}, {flipped:.0%} flipped, n = {n}, {place}: not recalled",
                   round(draws * (1 - line["recalled"])), draws, chance)
        )  # fmt: skip
    lines = sorted(of(records, units=24, damage=0.0), key=lambda line: int(line["n"]))
    counts = [float(round(2 ** (k / 4))) for k in range(32, 77)]
    figure = Figure(
        "recall", "patterns n", "share recalled",
        "Share of stored patterns that one synchronous sweep leaves as they are, N = 24. The line "
        "bounds it from below at every n; Demircigil's own bound is at n = "
        f"{theory.exponential_patterns(24, 0):.0f}.", "x",
    )  # fmt: skip
    series = [
        measured_series("recall", "measured", lines, "n", "recalled"),
        curve("recall", "theory: at least so many", counts,
              lambda n: 1 - theory.exponential_failure(24, 0, int(n))),
    ]  # fmt: skip
    return Finding(checks, [figure], series)


DENSE = Result(
    "dense-capacity",
    "Dense networks: errors by degree, and exclusive or",
    "With the energy −Σ(x·ξ)ᵈ a bit of one of n stored random patterns is unstable with "
    "probability Q(√(Nᵈ⁻¹/(n(2d − 3)!!))), Q the tail of the normal distribution. As a memory of "
    "its four rows, exclusive or is answered by odd degrees from 3 and rectified ones from 2, and "
    "by no others.",
    "Krotov & Hopfield, Dense associative memory for pattern recognition, NIPS 2016",
    _tasks,
    _judge,
)
EXPONENTIAL_CAPACITY = Result(
    "exponential-capacity",
    "Exponentially many patterns",
    "With the energy −Σexp(x·ξ), exp(αN) random patterns are recovered from ρN flipped entries in "
    "one synchronous sweep, with high probability, if α < I(1 − 2ρ)/2, where I(x) = ½((1 + x)ln(1 "
    "+ x) + (1 − x)ln(1 − x)).",
    "Demircigil et al., J. Stat. Phys. 168 (2017) 288",
    _exponential_tasks,
    _judge_exponential,
)
