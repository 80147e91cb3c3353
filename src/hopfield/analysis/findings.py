"""Problems of a memory: the patterns concerned, the cause, and a remedy that was tried."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ..memories import DenseHopfield
from ..separation import Separation
from ..similarity import Similarity, dot
from ..units import saturated_beta
from .patterns import Patterns, scoring_of
from .remedies import Remedy, Trials, rounded_up, with_numbers

NEAR = 0.25
"""Near-duplicates are nearer than this share of the median distance to the nearest pattern."""
RANDOM_OVERLAPS = 2.0
"""Mean squared overlap, in units of that of random patterns, above which it is named a cause."""
SOME = 256
"""Patterns whose overlaps with all others are averaged."""


@dataclass(frozen=True, eq=False)
class Finding:
    """One problem that keeps patterns from being recalled.

    Attributes:
        name: the problem in a word.
        cause: the cause in a sentence.
        patterns: indices of the patterns concerned.
        remedy: the change that helped most when tried; None if none helped.
    """

    name: str
    cause: str
    patterns: Int[Tensor, " concerned"]
    remedy: Remedy | None

    def __str__(self) -> str:
        """Cause and remedy."""
        return f"{self.cause}\n  {self.remedy or 'No remedy that was tried helps.'}"


def find_problems(trials: Trials, columns: dict[str, Tensor]) -> Iterator[Finding]:
    """Findings, the gravest first; `columns` describe the patterns, as in `Report`."""
    memory, lost = trials.memory, ~columns["attractor"]
    scoring = scoring_of(memory)
    if bool(lost.any()):
        if memory.binary:
            yield _unstable(trials, lost)
        elif scoring is not None:
            yield from _outscored_or_mixed(trials, scoring, lost, columns)
        else:
            cause = f"{_count(lost, 'does', 'do')} not hold."
            yield Finding("lost", cause, _indices(lost), trials.fewer(~lost))
    yield from _copies(trials, columns["nearest"], columns["neighbour"])


def thermal(trials: Trials, heat: float) -> Finding:
    """The finding about a temperature above 0."""
    cause = (
        f"At temperature {heat:g} units flip by chance, and no state stays. All numbers of this "
        "report are for temperature 0."
    )
    remedy = trials.run("Use temperature=0.0.", temperature=0.0)
    return Finding("thermal", cause, torch.arange(trials.patterns.count), remedy)


def _outscored_or_mixed(
    trials: Trials,
    scoring: tuple[Similarity, Separation],
    lost: Tensor,
    columns: dict[str, Tensor],
) -> Iterator[Finding]:
    """Lost patterns of a memory with scores."""
    margin = columns["margin"]
    similarity, separation = scoring
    outscored = lost & (margin <= 0)
    undecided = lost & ~outscored & columns["numerically_undecided"]
    mixed = lost & ~outscored & ~undecided
    if bool(outscored.any()):
        places = "1 pattern" if int(outscored.sum()) == 1 else f"{int(outscored.sum())} patterns"
        cause = (
            f"At {places} another one scores at least as high, by {similarity!r}. It wins there, "
            "however large β is."
        )
        leads = columns["nearest"].square() / 2  # margins of the Euclidean distance
        remedy = trials.best(trials.sharper(leads, similarity="euclidean"))
        yield Finding("outscored", cause, _indices(outscored), remedy)
    if bool(undecided.any()):
        dtype = str(trials.patterns.dtype).removeprefix("torch.")
        cause = (
            f"{_count(undecided, 'leads', 'lead')} the scores by less than {dtype} may round off."
        )
        remedy = trials.best(trials.sharper(margin, torch.float64))
        yield Finding("rounding", cause, _indices(undecided), remedy)
    if bool(mixed.any()):
        name = "k too large" if hasattr(separation, "k") else "β too small"
        cause = (
            f"{_count(mixed, 'scores', 'score')} best at its own place, but with "
            f"{with_numbers(separation)!r} others have more than half of the weight where "
            "it ends."
        )
        decided = margin[~columns["numerically_undecided"]]
        remedy = trials.best(trials.sharper(decided)) or trials.fewer(~lost)
        yield Finding(name, cause, _indices(mixed), remedy)


def _unstable(trials: Trials, lost: Tensor) -> Finding:
    """Lost patterns of a binary memory."""
    patterns, thresholds = trials.patterns, trials.memory.config().get("thresholds")
    causes = [f"n/N = {patterns.count / patterns.dim:.2g}"]
    similar = _squared_overlap(patterns)
    if similar > RANDOM_OVERLAPS:
        causes.append(f"squared overlaps are {similar:.3g} times those of random patterns")
    remedy = trials.best(_binary_remedies(trials))
    if remedy is not None and thresholds is not None and "thresholds=None" in remedy.advice:
        causes.append("thresholds outweigh the fields")
    cause = f"{_count(lost, 'has', 'have')} a unit whose field is against it: {'; '.join(causes)}."
    return Finding("unstable", cause, _indices(lost), remedy or trials.fewer(~lost))


def _binary_remedies(trials: Trials) -> Iterator[Remedy]:
    """Try no thresholds, then the pseudo-inverse, then a dense network."""
    config, count, dim = trials.memory.config(), trials.patterns.count, trials.patterns.dim
    if config.get("thresholds") is not None:
        yield trials.run("Use thresholds=None.", thresholds=None)
    # Beyond half load the pseudo-inverse has hardly a basin.
    if config.get("rule", "pseudo_inverse") != "pseudo_inverse" and 2 * count <= dim:
        free = {} if config.get("thresholds") is None else {"thresholds": None}
        words = "".join(f", {name}=None" for name in free)
        yield trials.run(f"Use rule='pseudo_inverse'{words}.", rule="pseudo_inverse", **free)
    beta = rounded_up(saturated_beta(math.inf, max(2, count)))
    yield trials.run(f"Use DenseHopfield(beta={beta:g}).", DenseHopfield, beta=beta)


def _squared_overlap(patterns: Patterns) -> float:
    """Mean squared overlap of some patterns with all others, times N: 1 if they are random."""
    if patterns.count < 2:
        return 0.0
    some = torch.arange(min(patterns.count, SOME), device=patterns.device)
    overlaps = patterns.scores(patterns.take(some), dot) / patterns.dim
    squares = overlaps.square().sum(-1) - 1
    return float(squares.mean() / (patterns.count - 1) * patterns.dim)


def is_near_duplicate(nearest: Tensor) -> Tensor:
    """True for patterns whose nearest other one is unusually near."""
    finite = nearest[nearest.isfinite()]
    return nearest <= NEAR * finite.median() if len(finite) else nearest < 0


def _copies(trials: Trials, nearest: Tensor, neighbour: Tensor) -> Iterator[Finding]:
    """Duplicates, and patterns unusually near to another."""
    copy_of = trials.patterns.copy_of
    first = copy_of == torch.arange(len(copy_of), device=copy_of.device)
    if not bool(first.all()):
        cause = (
            f"{_count(~first, 'equals', 'equal')} an earlier one. Copies share the weight, and "
            "only the first is returned."
        )
        advice = "Store each once: remedy.apply keeps the first."
        remedy = trials.run(advice, indices=_indices(first))
        yield Finding("duplicates", cause, _indices(~first), remedy)
    close = is_near_duplicate(nearest) & first
    if bool(close.any()):
        kept = first.clone()
        for index in _indices(close).tolist():
            other = int(copy_of[neighbour[index]])
            if bool(kept[other]) and bool(kept[index]):
                kept[max(index, other)] = False
        cause = (
            f"{_count(close, 'has', 'have')} another one within {NEAR:g} of the median distance "
            f"to the nearest (least distance {float(nearest[close].min()):.3g}). Damage of half "
            "that distance confuses them."
        )
        advice = "If both mean the same, store one: remedy.apply keeps the first."
        remedy = trials.run(advice, indices=_indices(kept))
        yield Finding("near-duplicates", cause, _indices(close), remedy)


def _indices(mask: Tensor) -> Tensor:
    return mask.nonzero().squeeze(-1)


def _count(mask: Tensor, singular: str, plural: str) -> str:
    number = int(mask.sum())
    return f"1 pattern {singular}" if number == 1 else f"{number} patterns {plural}"
