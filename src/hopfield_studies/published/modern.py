"""The modern network: energies, theorems 3 and 5, metastable states; and that it is attention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hopfield import ModernHopfield, theory
from hopfield.corruption import gaussian_noise
from hopfield.experiments import (
    MASS,
    Metastable,
    Record,
    Setup,
    Task,
    generator,
    metastable,
    plan,
    record,
    sweep,
)
from hopfield.synthetic import unit_sphere

from ..from_scratch import AttentionConfig, attention_equality
from .base import (
    Check,
    Figure,
    Finding,
    Form,
    Result,
    Series,
    at_most,
    curve,
    exactly,
    grid,
    measured_series,
    misses,
    of,
)

FAILURE = 0.001
"""p of Theorem 3, as in the paper's two examples."""
EXAMPLES = ((3.0, 20, 3.1546), (1.0, 75, 1.3718))
"""(K, d, c) of the paper at β = 1; c is cut after four digits."""
POINTS_PER_RECORD = 300
"""Points per record."""
MAX_POINTS = 400
"""Approximate number of points in a figure."""
FLOAT64, FLOAT32 = 1e-12, 2e-6
"""Largest relative differences from attention."""


def random_rows(n: int, dim: int, *, generator: torch.Generator) -> Tensor:
    """Draw normal rows in float64."""
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def exact_sphere(n: int, dim: int, *, generator: torch.Generator) -> Tensor:
    """Draw rows on the unit sphere in float64."""
    return unit_sphere(n, dim, generator=generator, dtype=torch.float64)


NORMAL = Setup("normal", ModernHopfield, random_rows, gaussian_noise)
SPHERE = Setup("unit sphere", ModernHopfield, exact_sphere, gaussian_noise)


@dataclass(frozen=True)
class Bounds:
    """Energies along trajectories, and Theorem 5, on n random patterns."""

    dim: int = 32
    n: int = 20
    beta: float = 1.0
    draws: int = 20
    starts: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Storage:
    """Theorem 3: random patterns on the sphere of radius K√(d − 1), as many as it promises."""

    scale: float = 3.0
    dim: int = 20
    beta: float = 1.0
    draws: int = 200
    seed: int = 0


def bounds(config: Bounds, setup: Setup) -> Record:
    """Count updates, energies that rise or leave [0, 2M²], and violations of Theorem 5."""
    counts = dict.fromkeys(("updates", "rises", "outside", "checked", "violations"), 0)
    closest = 0.0
    points: list[list[float]] = []
    for draw in range(config.draws):
        source = generator(config.seed, config.n, draw)
        rows = setup.patterns(config.n, config.dim, generator=source)
        memory = setup.build(rows, beta=config.beta)
        _descend(memory, _mixtures(rows, config.starts, source), config.beta, counts)
        ratio, seen = _theorem_5(memory, config.beta, source, counts)
        closest = max(closest, ratio)
        points += seen
    results = {f"bound_{name}": [point[i] for point in points[:POINTS_PER_RECORD]]
               for i, name in enumerate(("x", "y"))}  # fmt: skip
    return record("bounds", setup, config, **counts, closest=closest, **results)


def _mixtures(rows: Tensor, count: int, source: torch.Generator) -> Tensor:
    # The power puts most of the points of the convex hull near a few patterns.
    shares = torch.rand(count, len(rows), generator=source, dtype=rows.dtype) ** 8
    return shares / shares.sum(-1, keepdim=True) @ rows


def _descend(memory: ModernHopfield, state: Tensor, beta: float, counts: dict[str, int]) -> None:
    # Rounding may raise an energy by 8 eps·κ·max(|F|, ½‖x‖², ½M²).
    largest = float(memory.patterns.norm(dim=-1).max())
    ceiling = 2 * largest**2
    slack = 8 * torch.finfo(state.dtype).eps * (1 + beta * largest**2) * ceiling
    energy = memory.energy(state)
    for _ in range(100):
        following = memory.update(state)
        after = memory.energy(following)
        counts["updates"] += len(state)
        counts["rises"] += int((after > energy + slack).sum())
        counts["outside"] += int(((energy < -slack) | (energy > ceiling + slack)).sum())
        moved = float((following - state).abs().max())
        state, energy = following, after
        if moved < 1e-12:
            break


def _theorem_5(
    memory: ModernHopfield, beta: float, source: torch.Generator, counts: dict[str, int]
) -> tuple[float, list[list[float]]]:
    rows = memory.patterns
    n, largest = len(rows), float(rows.norm(dim=-1).max())
    radius = 1 / (2 * beta * largest)
    rounding = 16 * torch.finfo(rows.dtype).eps * (1 + beta * largest**2) * largest
    fixed = memory.retrieve(rows, steps=1000, tol=1e-14).state
    away = (fixed - rows).norm(dim=-1)
    step = exact_sphere(n, rows.shape[1], generator=source)
    start = rows + radius * torch.rand(n, 1, generator=source, dtype=rows.dtype) * step
    margins = margin(rows)
    worst, points = 0.0, []
    for i in (away <= radius).nonzero().squeeze(-1).tolist():
        distance = max(float((start[i] - rows[i]).norm()), float(away[i]))
        updated = float((memory.update(start[i]) - rows[i]).norm())
        one = theory.update_error(n, beta, float(margins[i]), distance, largest)
        two = theory.fixed_point_error(n, beta, float(margins[i]), largest)
        counts["checked"] += 2
        counts["violations"] += (updated > one + rounding) + (float(away[i]) > two + rounding)
        worst = max(worst, updated / (one + rounding), float(away[i]) / (two + rounding))
        points.append([one, updated])
    return worst, points


def margin(rows: Tensor) -> Tensor:
    """Return the margins Δ_i = x_i·x_i − max_{j≠i} x_i·x_j."""
    scores = rows @ rows.T
    diagonal = scores.diagonal().clone()
    return diagonal - scores.fill_diagonal_(-math.inf).amax(-1)


def storage(config: Storage, setup: Setup) -> Record:
    """Count the draws in which some pattern has no fixed point to itself within 1/(2βM)."""
    promised = theory.theorem_3_patterns(config.beta, config.scale, config.dim, FAILURE)
    n, failed = math.floor(promised), 0
    size = config.scale * math.sqrt(config.dim - 1)
    for draw in range(config.draws):
        source = generator(config.seed, config.dim, draw)
        rows = size * exact_sphere(n, config.dim, generator=source)
        memory = setup.build(rows, beta=config.beta)
        retrieval = memory.retrieve(rows, steps=1000, tol=1e-12)
        near = (retrieval.state - rows).norm(dim=-1) <= 1 / (2 * config.beta * size)
        distinct = torch.pdist(retrieval.state).min() > 1e-6
        failed += not bool((near & retrieval.converged).all() & distinct)
    constant = theory.theorem_3_constant(config.beta, config.scale, config.dim, FAILURE)
    return record("stored", setup, config, patterns_promised=n, constant=constant, failed=failed)


def _tasks(form: Form) -> list[Task]:
    draws = form.pick(15, 100)
    seen = sweep(Bounds(draws=draws, seed=form.seed), beta=[0.1, 0.5, 1.0, 3.0])
    on_sphere = sweep(Bounds(draws=draws, seed=form.seed), beta=[1.0, 10.0, 40.0])
    theorem_3 = [Storage(scale, dim, draws=form.pick(200, 2000), seed=form.seed)
            for scale, dim, _ in EXAMPLES]  # fmt: skip
    betas = [0.05, 2.0, 4.0, 6.0, 8.0, 10.0, 14.0, 100.0]
    spread = sweep(Metastable(draws=form.pick(6, 40), seed=form.seed), beta=betas)
    return [
        *plan(bounds, seen, NORMAL),
        *plan(bounds, on_sphere, SPHERE),
        *plan(storage, theorem_3, SPHERE),
        *plan(metastable, spread, SPHERE),
    ]


def _judge(records: Sequence[Record]) -> Finding:
    seen = of(records, experiment="bounds")
    total = {name: sum(line[name] for line in seen)
             for name in ("updates", "rises", "outside", "checked", "violations")}  # fmt: skip
    law = "a theorem leaves no room; rounding is allowed for in each comparison"
    checks = [
        exactly(f"energies that rise, of {total['updates']} updates", total["rises"], 0, law),
        exactly(f"energies outside [0, 2M²], of {total['updates']}", total["outside"], 0, law),
        exactly(f"violations of Theorem 5, of {total['checked']}", total["violations"], 0, law),
        Check("comparisons with Theorem 5", total["checked"], 1000, 1000, math.inf,
              "fewer would test little"),
        *_theorem_3(records),
        *_metastable(records),
    ]  # fmt: skip
    spread = of(records, experiment="metastable")
    normal = [line for line in seen if line["case"] == "normal"]
    step = max(1, len(normal) * POINTS_PER_RECORD // MAX_POINTS)
    at = [(x, y) for line in normal for x, y in zip(line["bound_x"], line["bound_y"], strict=True)
          if x < 1e3 and y > 1e-15][::step]  # fmt: skip
    figures = [
        Figure("theorem-5", "bound of Theorem 5", "distance ‖f(ξ) − xᵢ‖",
               "Distance from the pattern after one update, which the bound must exceed.", "xy"),
        Figure("metastable", "inverse temperature β", "k, weights that sum to .9",
               f"Fewest weights that sum to .9 at the fixed points, {spread[0]['n']} patterns on "
               f"the unit sphere, d = {spread[0]['units']}: the mean of all patterns gives way to "
               "single ones.", "x"),
    ]  # fmt: skip
    series = [
        Series("theorem-5", "measured", [x for x, _ in at], [y for _, y in at]),
        curve("theorem-5", "theory: the bound", grid(1e-14, 1e3, log=True), lambda x: x),
        measured_series("metastable", "measured", spread, "beta", "k"),
        curve("metastable", "theory, β → 0: all alike", [0.05, 100.0],
              lambda _: _all(spread[0]["n"])),
        curve("metastable", "theory, β → ∞: one alone", [0.05, 100.0], lambda _: 1.0),
    ]  # fmt: skip
    return Finding(checks, figures, series)


def _all(n: int) -> int:
    return math.ceil(MASS * n - 1e-9)


def _theorem_3(records: Sequence[Record]) -> list[Check]:
    checks = []
    for scale, dim, constant in EXAMPLES:
        (line,) = of(records, experiment="stored", scale=scale, dim=dim)
        where = f"K = {scale:g}, d = {dim}"
        checks += [
            Check(f"Theorem 3, {where}: c", line["constant"], constant, constant,
                  constant + 1e-4, "the paper cuts c after four digits"),
            misses(f"Theorem 3, {where}: draws of {line['patterns_promised']} patterns not stored",
                   line["failed"], line["draws"], FAILURE),
        ]  # fmt: skip
    return checks


def _metastable(records: Sequence[Record]) -> list[Check]:
    lines = of(records, experiment="metastable")
    low, high = lines[0], lines[-1]
    spread = math.exp(2 * low["beta"])
    reason = (f"weights differ by a factor of e^(2βM²) = {spread:.2f} at most, so that at least "
              f"{MASS:g}·{low['n']}/{spread:.2f} are needed")  # fmt: skip
    least = math.ceil(MASS * low["n"] / spread)
    return [
        Check(f"k at β = {low['beta']}", low["k"], _all(low["n"]), least, low["n"], reason),
        exactly(f"k at β = {high['beta']:g}", high["k_max"], 1,
                "other weights are below (n − 1)exp(−βΔ), Δ > 0.2 but with a chance of 1e-9"),
    ]  # fmt: skip


def _attention_tasks(form: Form) -> list[Task]:
    count = form.pick(100, 1000)
    configs = sweep(AttentionConfig(queries=count, seed=form.seed), dim=[16, 64, 256])
    return plan(attention_records, configs, Setup("attention", ModernHopfield))


def attention_records(config: AttentionConfig, setup: Setup) -> list[Record]:
    """Compare one update with torch's attention, in float64 and float32."""
    return [{**line, "dim": config.dim} for line in attention_equality(config)]


def _judge_attention(records: Sequence[Record]) -> Finding:
    checks, series = [], []
    for precision, bound in (("float64", FLOAT64), ("float32", FLOAT32)):
        lines = of(records, case=precision)
        checks += [
            at_most(f"largest difference, {precision}, dₖ = {line['dim']}", _relative(line), bound,
                    f"the published bound, {bound / line['epsilon']:.0f} roundings of "
                    f"{line['epsilon']:.1e}; of the largest entry, as roundings are")
            for line in lines
        ]  # fmt: skip
        dims = [line["dim"] for line in lines]
        series += [
            Series("difference", precision, dims, [max(1e-17, _relative(line)) for line in lines]),
            Series("difference", f"bound, {precision}", dims, [bound] * len(dims)),
        ]  # fmt: skip
    caption = ("Largest difference between an entry of one update at β = 1/√dₖ and of torch's "
               "scaled dot-product attention, in parts of the largest entry; patterns and queries "
               "are normal.")  # fmt: skip
    figure = Figure("difference", "dimension dₖ", "largest relative difference", caption, "xy")
    return Finding(checks, [figure], series)


def _relative(line: Record) -> float:
    return float(line["update_difference"] / max(1.0, line["largest"]))


MODERN = Result(
    "modern-theorems",
    "Modern network: energy, Theorems 3 and 5, metastable states",
    "The energy lies in [0, 2M²], M the largest norm of a pattern, and no update raises it. "
    "Theorem 3 says how many random patterns are stored, Theorem 5 how near one update and the "
    "fixed point come to the pattern. Between one fixed point for all patterns (small β) and one "
    "for each (large β) lie metastable states, of k patterns.",
    "Ramsauer et al., Hopfield networks is all you need, ICLR 2021",
    _tasks,
    _judge,
)
ATTENTION = Result(
    "attention",
    "One update is scaled dot-product attention",
    "With queries as states and keys as patterns, one update at β = 1/√dₖ, projected by the "
    "values, is softmax(QKᵀ/√dₖ)V.",
    "Ramsauer et al., Hopfield networks is all you need, ICLR 2021, eq. 10",
    _attention_tasks,
    _judge_attention,
)
