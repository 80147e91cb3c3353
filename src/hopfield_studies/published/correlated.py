"""Correlated patterns: sparse ones by the covariance rule, families by the pseudo-inverse."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from hopfield import ClassicalHopfield, synthetic, theory
from hopfield.experiments import Recall, Record, Setup, Task, plan, recall, sweep

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    at_most,
    curve,
    deviation_of_share,
    exactly,
    grid,
    measured_series,
    misses,
    near,
    of,
)

ACTIVITIES = (0.05, 0.1, 0.2, 0.5)
LOAD, FEW, FEW_UNITS = 0.2, 10, 1000
"""Load at which errors are compared; patterns and units at a load where none are expected."""
CHILDREN, CORRELATION = 10, 0.8
"""Patterns per family, and their correlation with the parent: 0.64 with each other."""
RULES = {"hebbian": "Hebb", "pseudo_inverse": "pseudo-inverse"}


def families(n: int, dim: int, *, generator: torch.Generator) -> Tensor:
    """Draw n correlated patterns in families of ten."""
    return synthetic.hierarchical(n // CHILDREN, CHILDREN, dim, CORRELATION, generator=generator)


def _sparse(rule: str, activity: float) -> Setup:
    patterns = partial(synthetic.sparse, activity=activity)
    return _one_step(f"{rule}, activity {activity:g}", rule, patterns)


def _one_step(name: str, rule: str, patterns: Callable[..., Tensor]) -> Setup:
    make = partial(ClassicalHopfield, rule, schedule="synchronous")
    return Setup(name, make, patterns, options={"steps": 1})


def _tasks(form: Form) -> list[Task]:
    units, count = form.pick(500, 1000), form.pick(24, 40)
    base = Recall(damage=0.0, draws=count, seed=form.seed)
    loads = (0.1, LOAD, 0.4) if form.full else (LOAD,)
    counts = [round(load * units) for load in loads]
    tasks = plan(
        recall,
        sweep(base, units=[units], n=counts),
        [_sparse("covariance", activity) for activity in ACTIVITIES],
    )
    few = sweep(base, units=[FEW_UNITS], n=[FEW])
    low = [_sparse(rule, a) for rule in ("covariance", "hebbian") for a in ACTIVITIES[:3]]
    related = [_one_step(f"{rule}, families", rule, families) for rule in RULES]
    return [*tasks, *plan(recall, few, low),
            *plan(recall, sweep(base, units=[200], n=[100, 150]), related)]  # fmt: skip


def _judge(records: Sequence[Record]) -> Finding:
    checks: list[Check] = []
    for activity in ACTIVITIES:
        lines = of(records, case=f"covariance, activity {activity:g}")
        checks += [_error(line, activity) for line in lines if line["n"] != FEW]
    for activity in ACTIVITIES[:3]:
        checks += _few(records, activity)
    for line in of(records, case="pseudo_inverse, families"):
        checks.append(
            exactly(f"families, n = {line['n']}, N = 200: share stable, pseudo-inverse",
                    line["recalled"], 1.0, "independent patterns are fixed points, however "
                    "correlated: Wx_μ = x_μ, and W_ii < 1")
        )  # fmt: skip
    for line in of(records, case="hebbian, families"):
        checks.append(
            at_most(f"families, n = {line['n']}, N = 200: share stable, Hebb", line["recalled"],
                    0.01, "a family adds 10·0.64 times the signal along its parent")
        )  # fmt: skip
    return Finding(checks, [_FIGURE], _series(records))


def _error(line: Record, activity: float) -> Check:
    units, n = int(line["units"]), int(line["n"])
    expected = theory.covariance_bit_error(units, round(activity * units), n)
    floor = deviation_of_share(expected, units * min(n, 100))
    what = f"activity {activity:g}, n = {n}, N = {units}: share of units unstable"
    wrong = {**line, "wrong": 1 - line["accuracy"], "wrong_sd": line["accuracy_sd"]}
    return near(what, wrong, "wrong", expected, floor=floor)


def _few(records: Sequence[Record], activity: float) -> list[Check]:
    at = f"activity {activity:g}, n = {FEW}, N = {FEW_UNITS}: "
    (kept,) = of(records, case=f"covariance, activity {activity:g}", n=FEW, units=FEW_UNITS)
    (lost,) = of(records, case=f"hebbian, activity {activity:g}", n=FEW, units=FEW_UNITS)
    trials = FEW * int(kept["samples"])
    chance = theory.covariance_bit_error(FEW_UNITS, round(activity * FEW_UNITS), FEW)
    return [
        misses(f"{at}patterns unstable, covariance", round(trials * (1 - kept["recalled"])), trials,
               FEW_UNITS * chance),
        at_most(f"{at}share stable, Hebb", lost["recalled"], 0.01,
                "the mean of the patterns outweighs each of them"),
    ]  # fmt: skip


_FIGURE = Figure(
    "wrong",
    "load n/N",
    "share of units unstable",
    "Units that the first update changes in stored patterns, covariance rule with its thresholds. "
    "Lines: exact at the N that was measured.",
    "y",
)


def _series(records: Sequence[Record]) -> list[Series]:
    series = []
    for activity in ACTIVITIES:
        name = f"activity {activity:g}"
        lines = [
            {**line, "wrong": 1 - line["accuracy"], "wrong_sd": line["accuracy_sd"]}
            for line in of(records, case=f"covariance, {name}")
            if line["n"] != FEW
        ]
        units = int(lines[0]["units"])
        active = round(activity * units)
        series += [
            measured_series("wrong", name, lines, "load", "wrong"),
            curve("wrong", f"theory, {name}", grid(0.1, 0.4, 4),
                  partial(_theory, units, active)),
        ]  # fmt: skip
    return series


def _theory(units: int, active: int, load: float) -> float:
    return theory.covariance_bit_error(units, active, round(load * units))


CORRELATED = Result(
    "correlated-patterns",
    "Correlated patterns: covariance rule and pseudo-inverse",
    "Under Hebb's rule sparse patterns and families of similar ones are lost. The covariance rule "
    "with thresholds keeps sparse patterns, the better the lower their activity; the "
    "pseudo-inverse keeps any independent patterns.",
    "Amit, Gutfreund & Sompolinsky 1987; Tsodyks & Feigelman 1988; Personnaz et al. 1985",
    _tasks,
    _judge,
)
