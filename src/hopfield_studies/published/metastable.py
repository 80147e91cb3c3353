"""Metastable states of Hopfield–Fenchel–Young networks on images: how many patterns they mix."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from hopfield import ModernHopfield
from hopfield.experiments import (
    Record,
    Setup,
    Task,
    generator,
    mean_and_sd,
    pattern_weights,
    plan,
    record,
    sweep,
)
from hopfield.separation import Entmax, KSubsets, Normmax, Separation, Softmax, Sparsemax

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
    exceeds,
    measured_series,
    of,
)
from .documents import IMAGES, Images

BETAS = (0.1, 1.0)
"""β of the publication, for 784 pixels in [−1, 1]. Images of d pixels have 784/d times as much."""
PIXELS = 784
UPDATES = 5
"""Updates from the cue, as published: the weights of the last one are counted."""
SMALLEST_SOFTMAX = 0.01
"""Weights of softmax up to this number do not count, as published."""
MORE_STORED = (300, 3000, 9800)
"""Numbers of stored images that the full form adds, as far as the data set has them."""
LARGEST = 10
"""Largest size that the records count on its own."""
COMPARED = 20
"""Cues of the first draw whose weights are computed by definition too."""
WEIGHT_TOLERANCE = 1e-6
"""Largest difference of weights. A power 1/4 of a rounding of 1e-13 exceeds it only within 1e-10 of
the edge of the support."""


def threshold(z: Tensor, total: Callable[[Tensor], Tensor], target: float) -> Tensor:
    """Find τ with Σ total(z − τ) = target by bisection, for sums that fall in τ."""
    low, high = z.amin(-1, keepdim=True) - 1, z.amax(-1, keepdim=True)
    for _ in range(80):
        middle = (low + high) / 2
        is_below = total(z - middle).sum(-1, keepdim=True) >= target
        low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
    return (low + high) / 2


def softmax(scores: Tensor, beta: float) -> Tensor:
    """Return exp(βs)/Σexp(βs)."""
    return (beta * scores).softmax(-1)


def entmax(alpha: float, scores: Tensor, beta: float) -> Tensor:
    """Return p = [(α − 1)βs − τ]₊^{1/(α − 1)} with Σp = 1."""
    z = (alpha - 1) * beta * scores

    def power(x: Tensor) -> Tensor:
        return x.clamp_min(0) ** (1 / (alpha - 1))

    return power(z - threshold(z, power, 1.0))


def normmax(alpha: float, scores: Tensor, beta: float) -> Tensor:
    """Return p ∝ [βs − τ]₊^{1/(α − 1)}, where Σ[βs − τ]₊^{α/(α − 1)} = 1."""
    z = beta * scores
    base = z - threshold(z, lambda x: x.clamp_min(0) ** (alpha / (alpha - 1)), 1.0)
    weights = base.clamp_min(0) ** (1 / (alpha - 1))
    return weights / weights.sum(-1, keepdim=True)


def subsets(k: int, scores: Tensor, beta: float) -> Tensor:
    """Return y/k for y = kβs − τ cut to [0, 1], with Σy = k."""
    z = k * beta * scores
    return (z - threshold(z, lambda x: x.clamp(0, 1), float(k))).clamp(0, 1) / k


class Family(NamedTuple):
    """A separation, its weights by definition, and the fewest patterns of its states."""

    make: Callable[[float], Separation]
    definition: Callable[[Tensor, float], Tensor]
    k: int = 1
    least: float = 0.0


FAMILIES = {
    "softmax": Family(Softmax, softmax, least=SMALLEST_SOFTMAX),
    "1.5-entmax": Family(partial(Entmax, 1.5), partial(entmax, 1.5)),
    "sparsemax": Family(Sparsemax, partial(entmax, 2.0)),
    "2-normmax": Family(partial(Normmax, 2.0), partial(normmax, 2.0)),
    "5-normmax": Family(partial(Normmax, 5.0), partial(normmax, 5.0)),
    **{f"{k}-subsets": Family(partial(KSubsets, k), partial(subsets, k), k) for k in (2, 4, 8)},
}
NESTED = (("sparsemax", "1.5-entmax"), ("sparsemax", "5-normmax"), ("5-normmax", "2-normmax"))
"""Pairs of separations: patterns with weight in the first have weight in the second. With gaps
g = β(s_m − s_j) ≥ 0 of better patterns m, pattern j has weight if Σg < 1 (sparsemax),
Σ(g/2)² < 1 (1.5-entmax), or Σg^{α/(α − 1)} < 1 (normmax)."""


@dataclass(frozen=True)
class States:
    """Config of `support_sizes` and `supports_of_cues`.

    Args:
        units: pixels.
        n: number of images stored.
        cues: number of other images, from which states start, per draw.
        beta: β for 784 pixels.
    """

    units: int = PIXELS
    n: int = 1000
    cues: int = 40
    beta: float = 0.1
    draws: int = 12
    seed: int = 0


def images(name: str, n: int, dim: int, *, generator: torch.Generator) -> Tensor:
    """Draw images with pixels in [−1, 1], in float64."""
    rows = Images(name).dataset().patterns
    return 2 * rows[torch.randperm(len(rows), generator=generator)[:n]].double() - 1


def support_sizes(config: States, setup: Setup) -> Record:
    """Count the patterns with weight after five updates.

    Results are `counts` of the states of 0, 1, …, 10 and more patterns; `smallest`, the share of
    states of k patterns, the fewest possible; `size`, the mean; and of the cues compared, those of
    another size by definition, `different`, and the largest `error` of a weight.
    """
    family = FAMILIES[setup.name]
    beta = config.beta * PIXELS / config.units
    counts = torch.zeros(LARGEST + 2, dtype=torch.long)
    smallest, means, different, error = [], [], 0, 0.0
    for draw in range(config.draws):
        rows, cues = _drawn(config, setup, draw)
        memory = setup.build(rows, separation=family.make(beta))
        # The paper adds the k patterns of a set, which the weights here average.
        state = cues / family.k
        for _ in range(UPDATES - 1):
            state = memory.update(state)
        weights = pattern_weights(memory, state)
        sizes = (weights > family.least).sum(-1)
        if not draw:
            expected = _by_definition(family, rows, cues[:COMPARED] / family.k, beta)
            found = sizes[:COMPARED]
            different = int((found != (expected > family.least).sum(-1)).sum())
            error = float((weights[:COMPARED] - expected).abs().max())
        counts += torch.bincount(sizes.clamp_max(LARGEST + 1), minlength=LARGEST + 2)
        smallest.append(float((sizes == family.k).double().mean()))
        means.append(float(sizes.double().mean()))
    return record("support_sizes", setup, config, samples=config.draws, k=family.k,
                  counts=counts.tolist(), compared=COMPARED, different=different, error=error,
                  **mean_and_sd("smallest", smallest), **mean_and_sd("size", means))  # fmt: skip


def _drawn(config: States, setup: Setup, draw: int) -> tuple[Tensor, Tensor]:
    source = generator(config.seed, config.n, draw)
    chosen = setup.patterns(config.n + config.cues, config.units, generator=source)
    return chosen[: config.n], chosen[config.n :]


def _by_definition(family: Family, rows: Tensor, state: Tensor, beta: float) -> Tensor:
    weights = family.definition(state @ rows.T, beta)
    for _ in range(UPDATES - 1):
        weights = family.definition(weights @ rows @ rows.T, beta)
    return weights


def supports_of_cues(config: States, setup: Setup) -> Record:
    """Compare the patterns with weight at the same cues, over separations and over β.

    Results are the numbers of cues at which a pattern has weight in the smaller support alone:
    `nested`, of the pairs `NESTED`; `by_beta`, of the larger β and the smaller; and `below`, those
    at which k-subsets give weight to fewer than k patterns.
    """
    names = [name for name in FAMILIES if name != "softmax"]
    nested = by_beta = below = 0
    for draw in range(config.draws):
        rows, cues = _drawn(config, setup, draw)
        held = {}
        for name, beta in product(names, BETAS):
            made = FAMILIES[name].make(beta * PIXELS / config.units)
            held[name, beta] = pattern_weights(setup.build(rows, separation=made), cues) > 0
            below += int((held[name, beta].sum(-1) < FAMILIES[name].k).sum())
        low, high = BETAS
        by_beta += sum(_outside(held[name, high], held[name, low]) for name in names)
        nested += sum(_outside(held[inner, beta], held[outer, beta])
                      for (inner, outer), beta in product(NESTED, BETAS))  # fmt: skip
    return record("supports_of_cues", setup, config, nested=nested, by_beta=by_beta, below=below)


def _outside(inner: Tensor, outer: Tensor) -> int:
    return int((inner & ~outer).any(-1).sum())


def _tasks(form: Form) -> list[Task]:
    available, units = Images(form.images).dataset().patterns.shape
    base = States(units, cues=form.pick(40, 150), draws=form.pick(12, 20), seed=form.seed)
    configs = sweep(base, beta=BETAS)
    if form.full:
        counts = [n for n in MORE_STORED if n + base.cues <= available]
        configs += sweep(replace(base, draws=10), n=counts)
    patterns = partial(images, form.images)
    each = [Setup(name, ModernHopfield, patterns) for name in FAMILIES]
    together = Setup("all separations", ModernHopfield, patterns)
    few = replace(base, draws=form.pick(2, 10))
    return [*plan(support_sizes, configs, each), *plan(supports_of_cues, few, together)]


def _judge(records: Sequence[Record]) -> Finding:
    (cues,) = of(records, experiment="supports_of_cues")
    lines = of(records, experiment="support_sizes")
    low, high = BETAS
    base = of(lines, n=cues["n"])
    checks = [*_definitions(lines), *_supports(cues)]
    (softmax_low,) = of(base, case="softmax", beta=low)
    for name in ("1.5-entmax", "sparsemax"):
        (line,) = of(base, case=name, beta=low)
        what = f"β = {low}, single patterns: {name} less softmax"
        checks.append(exceeds(what, line, softmax_low, "smallest"))
    for name in ("softmax", "5-normmax"):
        line, other = (of(base, case=name, beta=beta)[0] for beta in (high, low))
        what = f"{name}, single patterns: β = {high:g} less {low}"
        checks.append(exceeds(what, line, other, "smallest"))
    return Finding(checks, *_figures(lines, cues))


def _definitions(lines: Sequence[Record]) -> list[Check]:
    checks = [
        at_most(f"{name}: largest difference of a weight from its definition",
                max(line["error"] for line in of(lines, case=name)), WEIGHT_TOLERANCE,
                "bisection in float64; powers 1/(α − 1) enlarge its rounding")
        for name in FAMILIES
    ]  # fmt: skip
    compared = sum(line["compared"] for line in lines)
    different = sum(line["different"] for line in lines)
    reason = "the same updates; rounding decides a weight one time in 10⁹"
    return [*checks,
            exactly(f"states of another size by definition, of {compared}", different, 0,
                    reason)]  # fmt: skip


def _supports(line: Record) -> list[Check]:
    count = line["draws"] * line["cues"]
    what = {
        "nested": (2 * len(NESTED), "supports not nested as sparsemax ⊆ 5-normmax ⊆ 2-normmax and "
                   "sparsemax ⊆ 1.5-entmax", "gaps g < 1 have Σg ≥ Σg^{α/(α − 1)}, Σ(g/2)²"),
        "by_beta": (len(FAMILIES) - 1, "supports that gain a pattern as β grows",
                    "all gaps grow with β"),
        "below": (2 * (len(FAMILIES) - 1), "supports of fewer than k patterns",
                  "no weight exceeds 1/k"),
    }  # fmt: skip
    return [exactly(f"{text}, of {times * count}", line[field], 0, f"a theorem: {reason}")
            for field, (times, text, reason) in what.items()]  # fmt: skip


def _figures(lines: Sequence[Record], cues: Record) -> tuple[list[Figure], list[Series]]:
    low, n = BETAS[0], cues["n"]
    pictures = IMAGES["mnist" if "mnist" in cues["patterns"] else "digits"]
    where = f"{pictures}, β = {low} (of 784 pixels), {cues['cues']} cues a draw"
    figures = [
        Figure(name, "patterns with weight", "share of states (%)",
               f"Patterns with weight after {UPDATES} updates. {where}, n = {n} stored.")
        for name in ("sizes", "subsets")
    ]  # fmt: skip
    sizes, limit = range(1, LARGEST + 1), "theory, β → ∞"
    series = [
        Series("sizes", limit, sizes, [100.0 * (size == 1) for size in sizes]),
        curve("subsets", limit, [2, 4, 8], lambda _: 100.0),
    ]
    for name, family in FAMILIES.items():
        (line,) = of(lines, case=name, beta=low, n=n)
        shares = [100 * count / sum(line["counts"]) for count in line["counts"]]
        figure = "subsets" if family.k > 1 else "sizes"
        series.append(Series(figure, name, sizes, shares[1 : LARGEST + 1]))
    if len({line["n"] for line in lines}) > 1:
        caption = f"States of one pattern. {where}. Published percentages are of n = 60 000 stored."
        figures.append(Figure("stored", "images stored n", "share of states (%)", caption, "x"))
        series.append(curve("stored", limit, [min(MORE_STORED), n], lambda _: 100.0))
        for name in (name for name, family in FAMILIES.items() if family.k == 1):
            by_n = sorted(of(lines, case=name, beta=low), key=lambda line: int(line["n"]))
            series.append(measured_series("stored", name, by_n, "n", "smallest", 0.01))
    return figures, series


METASTABLE = Result(
    "metastable",
    "Metastable states on images: how many patterns they mix",
    "Five updates from an image that is not stored end in mixtures of stored ones. Sparse "
    "separations mix fewer than softmax, more of their states are single patterns as β grows, and "
    "k-subsets mix k or more. (The published percentages are of 60 000 images stored, and are not "
    "compared with those of fewer.)",
    "Santos et al., Hopfield–Fenchel–Young networks, 2024; Sparse and structured Hopfield "
    "networks, ICML 2024",
    _tasks,
    _judge,
)
