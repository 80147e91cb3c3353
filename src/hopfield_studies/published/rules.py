"""Learning rules: the share of stored patterns that are stable."""

from collections.abc import Sequence
from functools import partial

from hopfield import ClassicalHopfield, theory
from hopfield.experiments import Recall, Record, Setup, Task, plan, recall, sweep

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    curve,
    deviation_of_share,
    exactly,
    exceeds,
    measured_series,
    near,
    of,
)

UNITS = 100
STORED = (33, 80)
PUBLISHED = {("hebbian", 33): 0.01, ("storkey", 33): 0.97, ("hebbian", 80): 0.0,
             ("storkey", 80): 0.14}  # fmt: skip
PUBLISHED_DRAWS = 3
ROUNDING = 0.005
"""The published shares have two digits."""
RULES = {"hebbian": "Hebb", "storkey": "Storkey", "pseudo_inverse": "pseudo-inverse"}
"""Names in the library, and on pages."""


def _tasks(form: Form) -> list[Task]:
    counts = (10, 20, 33, 45, 60, 80, 95) if form.full else (10, *STORED)
    configs = sweep(Recall(UNITS, damage=0.0, draws=form.pick(20, 60), seed=form.seed), n=counts)
    return plan(recall, configs, [Setup(rule, partial(ClassicalHopfield, rule)) for rule in RULES])


def _judge(records: Sequence[Record]) -> Finding:
    checks: list[Check] = []
    for n in STORED:
        hebb, storkey, projection = (of(records, case=rule, n=n)[0] for rule in RULES)
        for line in (hebb, storkey):
            rule = line["case"]
            check = near(f"{RULES[rule]}, n = {n}: stable share", line, "recalled",
                         PUBLISHED[rule, n], floor=deviation_of_share(PUBLISHED[rule, n], n),
                         reference=(line["recalled_sd"], PUBLISHED_DRAWS))  # fmt: skip
            checks.append(check._replace(low=check.low - ROUNDING, high=check.high + ROUNDING))
        checks.append(
            exactly(f"pseudo-inverse, n = {n}: stable share", projection["recalled"], 1.0,
                    "n < N random patterns are independent, and Wx_μ = x_μ; without the diagonal "
                    "each field keeps its sign, since W_ii < 1")
        )  # fmt: skip
        if n == STORED[0]:
            checks.append(exceeds(f"n = {n}: Storkey's share less Hebb's", storkey, hebb,
                                  "recalled"))  # fmt: skip
    figure = Figure("stable", "patterns n", "stable share",
                    f"Random patterns that are fixed points, N = {UNITS}, no diagonal; hollow: as "
                    "published. Theory takes the bits of a pattern as independent under Hebb's "
                    "rule, and gives the capacity under Storkey's for N → ∞.")  # fmt: skip
    return Finding(checks, [figure], _series(records))


def _series(records: Sequence[Record]) -> list[Series]:
    series = [measured_series("stable", name, of(records, case=rule), "n", "recalled")
              for rule, name in RULES.items()]  # fmt: skip
    for rule in ("hebbian", "storkey"):
        shares = [PUBLISHED[rule, n] for n in STORED]
        series.append(Series("stable", f"published, {RULES[rule]}", STORED, shares))
    limit = theory.storkey_patterns(UNITS)
    return [
        *series,
        curve("stable", "theory, Hebb", range(2, 96),
              lambda n: (1 - theory.bit_error_exact(2, UNITS, int(n))) ** UNITS),
        Series("stable", "theory, Storkey", [limit, limit], [0, 1]),
        curve("stable", "theory, pseudo-inverse", [2, 95], lambda _: 1.0),
    ]  # fmt: skip


RULE_COMPARISON = Result(
    "learning-rules",
    "Learning rules: stable patterns",
    "Under Hebb's rule hardly any of 33 random patterns of 100 units is a fixed point, under "
    "Storkey's nearly all are, and under the pseudo-inverse all of any n < N.",
    "Hopfield 1982; Storkey, ICANN 1997; Personnaz et al. 1985",
    _tasks,
    _judge,
)
