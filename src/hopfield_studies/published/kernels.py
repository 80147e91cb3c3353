"""Kernel densities: exact patterns and emergent minima of log-sum-ReLU, and mean shift."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import integrate, special, stats

from hopfield import ModernHopfield, theory
from hopfield.experiments import Record, Setup, Task, generator, mean_and_sd, plan, record
from hopfield.separation import Epanechnikov

from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    at_most,
    curve,
    exactly,
    grid,
    measured_series,
    near,
)
from .modern import exact_sphere, random_rows

EXACT_TOLERANCE = 1e-12
"""A fixed point to rounding, in float64."""
FIXED_BETAS = (1.5, 2.0, 2.5)
"""β at which some of 200 random unit vectors of 32 entries are fixed points, and others are not."""
PAIR_BETAS = (2.5, 3.5, 5.0, 7.0)
"""β at which the middles of some pairs of 40 unit vectors of 8 entries are fixed points."""
SHIFT_BETAS = (0.1, 1.0, 10.0)
"""Inverse squared widths of the Gaussian kernels."""
ROUNDING = 1e-12
"""Largest error relative to the largest value, in float64."""


@dataclass(frozen=True)
class Emergent:
    """Random unit vectors, and the middles of all pairs of them, under log-sum-ReLU.

    Args:
        pairs: whether pairs are tested; else the vectors themselves.
    """

    n: int = 200
    dim: int = 32
    beta: float = 2.0
    pairs: bool = False
    draws: int = 20
    seed: int = 0


def emergent(config: Emergent, setup: Setup) -> Record:
    """Count the fixed points, and the candidates for which distances predict otherwise."""
    wrong, counts = 0, []
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw, int(100 * config.beta))
        rows = setup.patterns(config.n, config.dim, generator=source)
        memory = setup.build(rows, separation=Epanechnikov(config.beta))
        first, second = torch.arange(config.n).repeat(2, 1)
        if config.pairs:
            first, second = torch.triu_indices(config.n, config.n, 1)
        states = (rows[first] + rows[second]) / 2
        is_own = torch.zeros(len(states), config.n, dtype=torch.bool)
        is_own.scatter_(1, torch.stack([first, second], 1), True)
        reached = torch.cdist(states, rows) < math.sqrt(2 / config.beta)
        predicted = (reached == is_own).all(-1)
        moved = (memory.update(states) - states).abs().amax(-1)
        weight = memory.retrieve(states, steps=0).weight
        fixed = (moved <= EXACT_TOLERANCE) & (weight > (0.4 if config.pairs else 0.9))
        wrong += int((fixed != predicted).sum())
        counts.append(float(fixed.sum()))
    measured = mean_and_sd("fixed", counts)
    return record("emergent", setup, config, samples=config.draws, wrong=wrong, **measured)


def emergent_pairs(n: int, dim: int, beta: float) -> float:
    """Return the mean number of pairs whose middle only they reach, among random unit vectors.

    Both reach the middle if their overlap o exceeds 1 − 4/β. A third vector does if its cosine with
    the middle, of norm ‖m‖² = (1 + o)/2, exceeds (1 + ‖m‖² − 2/β)/(2‖m‖).
    """
    overlap = stats.beta((dim - 1) / 2, (dim - 1) / 2, loc=-1, scale=2)

    def density(o: float) -> float:
        norm = math.sqrt((1 + o) / 2)
        least = (1 + norm**2 - 2 / beta) / (2 * norm)
        return float(overlap.pdf(o) * overlap.cdf(least) ** (n - 2))

    share, _ = integrate.quad(density, max(-1 + 1e-9, 1 - 4 / beta), 1, limit=200)
    return n * (n - 1) / 2 * share


def _epanechnikov_tasks(form: Form) -> list[Task]:
    draws = form.pick(20, 200)
    configs = [Emergent(beta=beta, draws=draws, seed=form.seed) for beta in FIXED_BETAS]
    configs += [Emergent(40, 8, beta, True, draws, form.seed) for beta in PAIR_BETAS]
    return plan(emergent, configs, Setup("log-sum-ReLU", ModernHopfield, exact_sphere))


def _judge_epanechnikov(records: Sequence[Record]) -> Finding:
    checks: list[Check] = []
    for line in records:
        n, dim, beta = line["n"], line["dim"], line["beta"]
        kind = "middles of pairs" if line["pairs"] else "patterns"
        count = n * (n - 1) // 2 if line["pairs"] else n
        mean = n * theory.sparse_fixed_share(n, dim, 1 / beta)
        mean = emergent_pairs(n, dim, beta) if line["pairs"] else mean
        where = f"{kind}, β = {beta:g}"
        checks += [
            exactly(f"{where}: predictions that fail, of {count * line['draws']}", line["wrong"], 0,
                    "the distances are necessary and sufficient; rounding decides one in 10¹³"),
            near(f"{where}: exact minima of {count}", line, "fixed", mean,
                 floor=math.sqrt(2 * min(mean, count - mean) + 1)),
        ]  # fmt: skip
    fixed, middles = ([line for line in records if line["pairs"] == pairs] for pairs in (0, 1))
    series = [
        measured_series("fixed", "patterns", fixed, "beta", "fixed"),
        curve("fixed", "theory, patterns", grid(1.2, 3.0),
              lambda beta: 200 * theory.sparse_fixed_share(200, 32, 1 / beta)),
        measured_series("middles", "middles of pairs", middles, "beta", "fixed"),
        curve("middles", "theory, middles", grid(2.2, 8.0, 24),
              lambda beta: emergent_pairs(40, 8, beta)),
    ]  # fmt: skip
    figures = [
        Figure("fixed", "β", "exact minima of 200",
               "Of 200 random unit vectors, d = 32, those that are exact minima; theory: how many "
               "have no other one within √(2/β)."),
        Figure("middles", "β", "exact minima of 780",
               "Of the middles of all pairs of 40 random unit vectors, d = 8, those that are exact "
               "minima; theory: how many only the two vectors reach."),
    ]  # fmt: skip
    return Finding(checks, figures, series)


EPANECHNIKOV = Result(
    "epanechnikov",
    "Log-sum-ReLU: exact patterns and emergent minima",
    "Under the Epanechnikov energy a pattern is an exact minimum if and only if no other one is "
    "within √(2/β), so all are if β ≥ 2/r² for distances of at least r; the middle of two patterns "
    "at distance r is one too if β < 8/r² and no third pattern reaches it.",
    "Hoover et al., Dense associative memory with Epanechnikov energy, NeurIPS 2025",
    _epanechnikov_tasks,
    _judge_epanechnikov,
)


@dataclass(frozen=True)
class MeanShift:
    """Normal rows and states, read with Gaussian kernels of variance 1/β."""

    n: int = 300
    dim: int = 6
    beta: float = 1.0
    draws: int = 10
    seed: int = 0


def mean_shift(config: MeanShift, setup: Setup) -> Record:
    """Compare energies and updates with a kernel density and its means.

    Results are the largest errors of each draw, relative to the largest value: `density`, of the
    energy against −β⁻¹ log density; `step`, of an update against the Nadaraya–Watson mean; and
    `copies`, of a pattern with prior 2 against one stored twice.
    """
    errors: dict[str, list[float]] = {"density": [], "step": [], "copies": []}
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw)
        rows = setup.patterns(config.n, config.dim, generator=source)
        states = setup.patterns(100, config.dim, generator=source)
        memory = setup.build(rows, beta=config.beta)
        kernel = stats.multivariate_normal(cov=np.eye(config.dim) / config.beta)
        logarithms = kernel.logpdf((states[:, None] - rows).numpy())
        log_density = torch.from_numpy(special.logsumexp(logarithms, -1)) - math.log(config.n)
        constant = config.dim / 2 * math.log(config.beta / (2 * math.pi))  # log of the kernel at 0
        errors["density"].append(_error(memory.energy(states),
                                        (constant - log_density) / config.beta))  # fmt: skip
        kernels = (-config.beta / 2 * torch.cdist(states, rows).square()).exp()
        means = kernels @ rows / kernels.sum(-1, keepdim=True)
        errors["step"].append(_error(memory.update(states), means))
        twice = setup.build(torch.cat([rows, rows[:100]]), beta=config.beta)
        memory.set_prior(range(100), 2.0)
        errors["copies"].append(_error(memory.update(states), twice.update(states)))
    measured = {k: v for name, each in errors.items() for k, v in mean_and_sd(name, each).items()}
    largest = {f"largest_{name}": max(each) for name, each in errors.items()}
    return record("mean_shift", setup, config, samples=config.draws, **measured, **largest)


def _error(value: torch.Tensor, expected: torch.Tensor) -> float:
    return float((value - expected).abs().max() / expected.abs().max())


def _mean_shift_tasks(form: Form) -> list[Task]:
    configs = [MeanShift(beta=beta, draws=form.pick(10, 100), seed=form.seed)
               for beta in SHIFT_BETAS]  # fmt: skip
    memory = Setup("Euclidean", _euclidean, random_rows)
    return plan(mean_shift, configs, memory)


def _euclidean(beta: float) -> ModernHopfield:
    return ModernHopfield(beta, similarity="euclidean")


def _judge_mean_shift(records: Sequence[Record]) -> Finding:
    names = {
        "density": "energy against −β⁻¹ log density",
        "step": "update against the Nadaraya–Watson mean",
        "copies": "prior 2 against patterns stored twice",
    }
    checks = [
        at_most(f"{name}, β = {line['beta']:g}: largest relative error", line[f"largest_{field}"],
                ROUNDING, "both are equal but for rounding, in float64")
        for line in records
        for field, name in names.items()
    ]  # fmt: skip
    short = {"density": "energy", "step": "update", "copies": "prior 2"}
    series = [measured_series("error", name, records, "beta", field)
              for field, name in short.items()]  # fmt: skip
    series.append(curve("error", "bound by rounding", SHIFT_BETAS, lambda beta: ROUNDING))
    caption = "Largest differences of energies and updates from kernel density estimation."
    figure = Figure("error", "β", "relative error", caption, "xy")
    return Finding(checks, [figure], series)


MEAN_SHIFT = Result(
    "mean-shift",
    "An update is a step of mean shift",
    "With the Euclidean similarity the energy is −β⁻¹ times the logarithm of a Gaussian kernel "
    "density of variance 1/β, up to a constant, and an update moves to the Nadaraya–Watson mean of "
    "the patterns: one step of mean shift. A pattern stored twice has weight 2.",
    "Cheng, Mean shift, mode seeking, and clustering, IEEE TPAMI 1995",
    _mean_shift_tasks,
    _judge_mean_shift,
)
