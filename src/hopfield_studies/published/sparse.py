"""Exact retrieval with sparse separations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from hopfield import ModernHopfield, theory
from hopfield.experiments import (
    Record,
    Setup,
    Task,
    generator,
    mean_and_sd,
    pattern_weights,
    plan,
    record,
)
from hopfield.separation import Entmax

from .base import Figure, Finding, Form, Result, curve, exactly, grid, measured_series, near, of
from .modern import exact_sphere, margin

EXACT_TOLERANCE = 1e-12
"""A fixed point to rounding, in float64."""
JUDGED_POINTS = ((2.0, 1.5), (2.0, 2.0), (2.0, 2.5), (1.5, 4.0), (1.5, 5.0), (1.25, 8.0))
"""(α, β): where some random patterns are fixed points and others are not."""
SHOWN_POINTS = ((2.0, 1.75), (2.0, 2.25), (1.5, 3.0), (1.5, 3.5), (1.5, 4.5), (1.25, 7.0),
                (1.25, 10.0))  # fmt: skip


@dataclass(frozen=True)
class Sparse:
    """Random unit vectors under α-entmax."""

    n: int = 200
    dim: int = 32
    alpha: float = 2.0
    beta: float = 2.0
    draws: int = 60
    seed: int = 0


def fixed_points(config: Sparse, setup: Setup) -> Record:
    """Count exact fixed points, and patterns for which the margin predicts otherwise."""
    wrong, counts = 0, []
    limit = theory.sparse_margin(config.alpha, config.beta)
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw, int(100 * config.beta))
        rows = setup.patterns(config.n, config.dim, generator=source)
        memory = setup.build(rows, separation=Entmax(config.alpha, config.beta))
        has_single_weight = (pattern_weights(memory, rows) > 0).sum(-1) == 1
        is_fixed = (memory.update(rows) - rows).abs().amax(-1) <= EXACT_TOLERANCE
        # Just below the margin other weights are positive, but below any rounding where α is small.
        outcome, predicted = has_single_weight & is_fixed, margin(rows) >= limit
        wrong += int((outcome != predicted).sum())
        counts.append(float(outcome.sum()))
    fixed = mean_and_sd("fixed", counts)
    return record("fixed_points", setup, config, samples=config.draws, wrong=wrong, **fixed)


def _tasks(form: Form) -> list[Task]:
    points = JUDGED_POINTS + (SHOWN_POINTS if form.full else ())
    configs = [Sparse(alpha=alpha, beta=beta, draws=form.pick(16, 60), seed=form.seed)
               for alpha, beta in sorted(points)]  # fmt: skip
    return plan(fixed_points, configs, Setup("α-entmax", ModernHopfield, exact_sphere))


def _judge(records: Sequence[Record]) -> Finding:
    first = records[0]
    n, dim = first["n"], first["dim"]

    def expected(alpha: float, beta: float) -> float:
        return n * theory.sparse_fixed_share(n, dim, theory.sparse_margin(alpha, beta))

    checks, series = [], []
    for alpha in sorted({line["alpha"] for line in records}, reverse=True):
        lines = of(records, alpha=alpha)
        name = {2.0: "sparsemax", 1.5: "1.5-entmax"}.get(alpha, f"{alpha:g}-entmax")
        for line in lines:
            where = f"{name}, β = {line['beta']:g}"
            mean = expected(alpha, line["beta"])
            # Patterns too near to each other fail in pairs.
            floor = math.sqrt(2 * min(mean, n - mean) + 1)
            checks += [
                exactly(f"{where}: predictions that fail, of {n * line['draws']}", line["wrong"],
                        0, "the margin is necessary and sufficient; rounding decides one in 10¹³"),
                near(f"{where}: fixed points of {n}", line, "fixed", mean, floor=floor),
            ]  # fmt: skip
        low, high = lines[0]["beta"], lines[-1]["beta"]
        series += [
            measured_series("fixed", name, lines, "beta", "fixed"),
            curve("fixed", f"theory, {name}", grid(0.8 * low, 1.1 * high),
                  partial(expected, alpha)),
        ]  # fmt: skip
    caption = (f"Of {n} random unit vectors, d = {dim}, those that retrieval leaves exactly where "
               "they are; theory: how many have the margin 1/((α − 1)β).")  # fmt: skip
    figure = Figure("fixed", "β", f"exact fixed points of {n}", caption)
    return Finding(checks, [figure], series)


SPARSE = Result(
    "sparse-exact",
    "Exact retrieval with sparse separations",
    "A pattern of unit norm is an exact fixed point of α-entmax retrieval if and only if its "
    "margin Δ, its score with itself less the best score of another, is at least 1/((α − 1)β).",
    "Santos et al., Sparse and structured Hopfield networks, ICML 2024",
    _tasks,
    _judge,
)
