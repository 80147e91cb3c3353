"""Problems of a memory, each with its cause and the remedy that helped most when tried.

A pattern is lost if retrieval from it ends elsewhere.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ..memories import DenseHopfield
from ..memories.duplicates import NEAR_DUPLICATE, near_duplicate_limit
from ..separation import Separation
from ..similarity import Similarity, dot
from ..units import saturated_beta
from .patterns import Patterns, scoring_of
from .remedies import Remedy
from .sharper import round_up, with_float_parameters
from .trials import Trials

LARGE_OVERLAP = 2.0
"""Mean squared overlap of the patterns, over that of random ones.

Above this ratio, a finding of unstable patterns names the overlaps as a cause.
"""
OVERLAP_ROWS = 256
"""Largest number of patterns whose overlaps with all others are averaged."""


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
        return f"{self.cause}\n  {self.remedy or 'No remedy that was tried helps.'}"


def find_problems(trials: Trials, columns: dict[str, Tensor]) -> Iterator[Finding]:
    """Yield the findings, the gravest first.

    `columns` has one entry per field of `Report` that was measured for each pattern.
    """
    memory, lost = trials.memory, ~columns["attractor"]
    scoring = scoring_of(memory)
    if bool(lost.any()):
        if memory.binary:
            yield _find_unstable(trials, lost)
        elif scoring is not None:
            yield from _find_outscored_or_mixed(trials, *scoring, lost, columns)
        else:
            remedy = trials.best(_try_larger_gain(trials)) or trials.keep_attractors(~lost)
            yield _make_finding("lost", lost, "retrieval ends elsewhere.", remedy)
    yield from _find_copies(trials, columns["nearest"], columns["neighbour"])


def temperature_finding(trials: Trials, temperature: float) -> Finding:
    """Return the finding that units flip by chance, since the temperature is above 0."""
    cause = (
        f"At temperature {temperature:g} units flip by chance. This report is for temperature 0."
    )
    remedy = trials.run("Use temperature=0.0.", temperature=0.0)
    return Finding("thermal", cause, torch.arange(trials.patterns.count), remedy)


def _make_finding(name: str, concerned: Tensor, cause: str, remedy: Remedy | None) -> Finding:
    count = f"{int(concerned.sum())} of {len(concerned)} patterns"
    return Finding(name, f"{count}: {cause}", concerned.nonzero().squeeze(-1), remedy)


def _find_outscored_or_mixed(
    trials: Trials,
    similarity: Similarity,
    separation: Separation,
    lost: Tensor,
    columns: dict[str, Tensor],
) -> Iterator[Finding]:
    margin, undecided = columns["margin"], columns["numerically_undecided"]
    outscored = lost & (margin <= 0)
    rounded = lost & ~outscored & undecided
    mixed, priors = lost & ~outscored & ~undecided, _priors(trials.patterns)
    if bool(outscored.any()):
        cause = (
            f"another one scores at least as high, by {similarity!r}. It wins, however large β is."
        )
        leads = columns["nearest"].square() / 2  # margins that similarity="euclidean" would have
        remedy = trials.best(trials.try_sharper(leads, similarity="euclidean"))
        yield _make_finding("outscored", outscored, cause, remedy)
    if bool(rounded.any()):
        dtype = str(trials.patterns.dtype).removeprefix("torch.")
        remedy = trials.best(trials.try_sharper(margin, torch.float64))
        cause = f"the lead of the score is below the rounding of {dtype}."
        yield _make_finding("rounding", rounded, cause, remedy)
    if bool(mixed.any()):
        name = "k too large" if hasattr(separation, "k") else "β too small"
        cause = (
            "the score at the pattern is best, but with "
            f"{with_float_parameters(separation)!r} others have more than half "
            f"of the weight where retrieval ends{''.join(f': {each}' for each in priors)}."
        )
        remedy = trials.best(trials.try_sharper(margin[~undecided]))
        remedy = remedy or trials.keep_attractors(~lost)
        yield _make_finding(name, mixed, cause, remedy)


def _find_unstable(trials: Trials, lost: Tensor) -> Finding:
    patterns, thresholds = trials.patterns, trials.memory.config().get("thresholds")
    causes = [f"n/N = {patterns.count / patterns.dim:.2g}"]
    causes += _priors(patterns)
    similar = _squared_overlap(patterns)
    if similar > LARGE_OVERLAP:
        causes.append(f"squared overlaps are {similar:.3g} times those of random patterns")
    remedy = trials.best(_try_binary_remedies(trials))
    if remedy is not None and thresholds is not None and "thresholds=None" in remedy.advice:
        causes.append("thresholds outweigh the fields")
    cause = f"a unit's field is against it: {'; '.join(causes)}."
    return _make_finding("unstable", lost, cause, remedy or trials.keep_attractors(~lost))


def _try_binary_remedies(trials: Trials) -> Iterator[Remedy]:
    """Try no thresholds, then the pseudo-inverse, then a dense network."""
    config, count, dim = trials.memory.config(), trials.patterns.count, trials.patterns.dim
    settings = {} if config.get("thresholds") is None else {"thresholds": None}
    if settings:
        yield trials.run("Use thresholds=None.", **settings)
    # Above n/N = ½, hardly any damaged pattern is in the basin that the pseudo-inverse gives it.
    if config.get("rule", "pseudo_inverse") != "pseudo_inverse" and 2 * count <= dim:
        advice = f"Use rule='pseudo_inverse'{', thresholds=None' if settings else ''}."
        yield trials.run(advice, rule="pseudo_inverse", **settings)
    beta = round_up(saturated_beta(math.inf, max(2, count)))
    yield trials.run(f"Use DenseHopfield(beta={beta:g}).", DenseHopfield, beta=beta)


def _try_larger_gain(trials: Trials) -> Iterator[Remedy]:
    # Of graded units, which hold nothing below a critical gain.
    config = trials.memory.config()
    gains = [factor * config["gain"] for factor in (4, 16)] if "gain" in config else []
    step = {} if config.get("dt") is None else {"dt": None}  # a given step may be too large
    for gain in gains if trials.memory.bounded else []:
        yield trials.run(f"Use gain={gain:g}{', dt=None' if step else ''}.", gain=gain, **step)


def _priors(patterns: Patterns) -> list[str]:
    prior = patterns.storage.prior
    if prior is None:
        return []
    return [f"priors lie between {float(prior.min()):.3g} and {float(prior.max()):.3g}"]


def _squared_overlap(patterns: Patterns) -> float:
    """Return the mean squared overlap of patterns, over its expected value for random ones, 1/N."""
    sample = torch.arange(min(patterns.count, OVERLAP_ROWS), device=patterns.device)
    overlaps = patterns.scores(patterns.take(sample), dot) / patterns.dim
    others = overlaps.square().sum(-1) - 1
    return float(others.mean() / max(1, patterns.count - 1) * patterns.dim)


def is_near_duplicate(nearest: Tensor) -> Tensor:
    """Return True for each pattern whose nearest other pattern is a near-duplicate."""
    return nearest <= near_duplicate_limit(nearest)


def _find_copies(trials: Trials, nearest: Tensor, neighbour: Tensor) -> Iterator[Finding]:
    copy_of = trials.patterns.copy_of
    is_first = copy_of == torch.arange(len(copy_of), device=copy_of.device)
    if not bool(is_first.all()):
        copy = int((~is_first).nonzero()[0])
        cause = (
            f"equal to an earlier one, as {_pair(trials, int(copy_of[copy]), copy)} are. Copies "
            "share the weight; only the first is returned."
        )
        advice = "Store each once: remedy.apply keeps the first."
        remedy = trials.run(advice, keep=is_first)
        yield _make_finding("duplicates", ~is_first, cause, remedy)
    is_close = is_near_duplicate(nearest) & is_first
    if bool(is_close.any()):
        is_kept = is_first.clone()
        for index in is_close.nonzero().squeeze(-1).tolist():
            other = int(copy_of[neighbour[index]])
            if bool(is_kept[other]) and bool(is_kept[index]):
                is_kept[max(index, other)] = False
        first = int(torch.where(is_close, nearest, torch.inf).argmin())
        cause = (
            f"another one is within {NEAR_DUPLICATE:g} of the median distance to the nearest, as "
            f"{_pair(trials, first, int(copy_of[neighbour[first]]))} are (least distance "
            f"{float(nearest[first]):.3g}; memory.duplicates() lists all). "
            "Damage of half that distance confuses them."
        )
        advice = "If both mean the same, store one: remedy.apply keeps the first."
        remedy = trials.run(advice, keep=is_kept)
        yield _make_finding("near-duplicates", is_close, cause, remedy)


def _pair(trials: Trials, one: int, other: int) -> str:
    annotations = trials.memory.storage.annotations
    names = None if annotations is None else annotations.names
    one, other = sorted((one, other))
    return f"{one} and {other}" if names is None else f"{names[one]!r} and {names[other]!r}"
