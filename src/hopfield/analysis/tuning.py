"""Choose similarity, separation and β for given patterns and the expected damage."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product
from numbers import Integral
from typing import Any

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import (
    check_choice,
    check_generator,
    check_integer,
    check_norms,
    check_number,
    check_patterns,
    short_repr,
)
from ..cue import Cue, call_corrupt
from ..errors import InputTypeError, OptionError, ShapeError
from ..memories import ModernHopfield
from ..metrics import recalled
from ..separation import SEPARATIONS, Separation
from ..similarity import ScoreFunction, Similarity, TensorRows, as_similarity
from .patterns import SCORES, Patterns
from .remedies import with_parameters
from .tuning_result import Point, Setting, Tuning, best_of, memory_of, standard_error

N_BETAS, MOST_BETAS = 20, 10_000
"""Numbers of β per similarity: by default, and at most."""
LARGEST_BETA = 1e30
"""Largest β: products with scores stay finite."""
FIRST_BETA, LAST_BETA = 0.5, 2000.0
"""The range of β, over the median lead of the right pattern's score."""
LEAST_LEAD = 1e-30
"""Lower bound of the median lead: β, its inverse, stays finite."""
TUNED = ("softmax", "sparsemax", "entmax")
"""Names of separations that have a β: entmax with α = 1.5."""
FIRST_CUES = 48
"""Cues that decide between similarities and separations; β is then chosen by all cues."""


@dataclass(frozen=True, eq=False)
class Damaged:
    """Cues, and the indices of the patterns they were made of."""

    indices: Int[Tensor, " cues"]
    cue: Cue

    def __getitem__(self, part: slice) -> "Damaged":
        """Return some of the cues."""
        return Damaged(self.indices[part], self.cue[part])


def tune(
    patterns: Tensor,
    corrupt: Callable[..., Cue],
    amount: float,
    *,
    similarities: Iterable[str | Similarity | ScoreFunction] = ("euclidean", "dot", "cosine"),
    separations: Iterable[str | Separation] = ("softmax",),
    betas: Iterable[float] | Tensor | int = N_BETAS,
    cues: int = 512,
    generator: torch.Generator | None = None,
) -> Tuning:
    """Choose similarity, separation and β of a `ModernHopfield`, for ±1 patterns too.

    Half of the cues choose. A setting is right about a cue if the right pattern gets more than
    half of the weight at the cue and, without a mask, at the pattern itself. Of the settings no
    worse than the best by more than the standard error of their difference, the one that gives
    right patterns the most weight wins. Without a mask, the smallest β among them and its
    neighbours are tried by `retrieve` as well, and the best of all wins.

    Args:
        patterns: `(n, dim)`, the patterns to store.
        corrupt: `corrupt(patterns, amount, generator=…) → Cue`, such as `corruption.flip`.
        amount: the damage to expect.
        similarities: names, `Similarity` objects or functions; the first wins a tie.
        separations: "softmax", "sparsemax", "entmax" (α = 1.5), or objects with a `beta`.
        betas: the β to try, or their number.
        cues: number of damaged patterns. Those held back from the choice say how good it is.
        generator: source of all draws; None is a fresh one, seed 0.

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: for an unusable argument.
    """
    rows = check_norms("patterns", check_patterns("patterns", patterns)).detach()
    if len(rows) < 2:
        raise ShapeError(f"patterns must be at least two, but have shape {tuple(rows.shape)}.")
    candidates = [as_similarity(each) for each in _check_preferences("similarities", similarities)]
    by_name = _distinct("similarities", [(each.name, each) for each in candidates])
    prototypes = [_prototype(each) for each in _check_preferences("separations", separations)]
    search = Search(rows, by_name, _distinct("separations", prototypes), _check_betas(betas))
    half = check_integer("cues", cues, low=4) // 2
    drawn = _draw(rows, corrupt, amount, 2 * half, check_generator(generator))
    return search.choose(search.curve(drawn[:half]), drawn[:half], drawn[half:])


class Search:
    """Settings to try on the same damaged patterns."""

    def __init__(
        self,
        rows: Tensor,
        similarities: dict[str, Similarity],
        separations: dict[str, Separation],
        betas: int | tuple[float, ...],
    ) -> None:
        """Find copies among the patterns."""
        self.rows, self.betas = rows, betas
        self.block = TensorRows(rows.to(torch.promote_types(rows.dtype, torch.float32)))
        self.similarities, self.separations = similarities, separations
        patterns = Patterns(self._memory(next(product(similarities, separations)), 1.0))
        self.copy_of, self.copies = patterns.copy_of, patterns.copies

    @torch.no_grad()
    def curve(self, damaged: Damaged) -> list[Point]:
        """Return points of all settings from some cues, and of the best setting from all cues."""
        settings = list(product(self.similarities, self.separations))
        first = damaged[:FIRST_CUES] if len(settings) > 1 else damaged
        betas = {similarity: self._spaced_betas(similarity, first) for similarity, _ in settings}
        points = self._points(settings, betas, first)
        if len(settings) == 1:
            return points
        # The first named wins, unless another is better by more than chance.
        best = [best_of(points, setting) for setting in settings]
        least = min(best, key=lambda point: point.deficit)
        chosen = next(p.setting for p in best if p.deficit <= least.deficit + least.deficit_se)
        others = [point for point in points if point.setting != chosen]
        return [*self._points([chosen], betas, damaged), *others]

    def _points(
        self, settings: Sequence[Setting], betas: dict[str, list[float]], damaged: Damaged
    ) -> list[Point]:
        tried = [(setting, beta) for setting in settings for beta in betas[setting[0]]]
        weight = torch.cat([self._weights(each, betas[each[0]], damaged) for each in settings])
        right = (weight > 0.5).double()
        accuracy, mean = right.mean(-1), weight.double().mean(-1)
        best = max(range(len(tried)), key=lambda i: (float(accuracy[i]), float(mean[i])))
        deficit = right[best] - right
        columns = (accuracy, standard_error(right), mean, deficit.mean(-1), standard_error(deficit))
        values = zip(*(column.tolist() for column in columns), strict=True)
        return [Point(*place, *value) for place, value in zip(tried, values, strict=True)]

    def _weights(
        self, setting: Setting, betas: Sequence[float], damaged: Damaged
    ) -> Float[Tensor, "betas cues"]:
        """Weight of the right pattern at its cue and, without a mask, at the pattern itself."""
        similarity, separation = setting
        separations = [self._separation(separation, beta) for beta in betas]

        def weight_at(states: Damaged) -> Tensor:
            parts = []
            for indices, scores in self._scores(similarity, states):
                weights = torch.stack([each(scores) for each in separations])
                right = indices.expand(len(betas), -1)[..., None]
                parts.append(weights.gather(-1, right)[..., 0] * self.copies[indices])
            return torch.cat(parts, dim=-1)

        weights = weight_at(damaged)
        if damaged.cue.known is None:  # the dynamics goes on, and must stay at the pattern
            originals = Damaged(damaged.indices, Cue(self.rows[damaged.indices]))
            weights = torch.minimum(weights, weight_at(originals))
        return weights

    def _scores(self, similarity: str, damaged: Damaged) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield indices and the scores of all patterns, some cues at a time."""
        size = max(1, SCORES // len(self.rows))
        for start in range(0, len(damaged.indices), size):
            part = damaged[start : start + size]
            state, known = part.cue.state.to(self.block.rows.dtype), part.cue.known
            if known is not None and bool((known == known[:1]).all()):
                known = known[0]  # one product instead of one per cue
            yield part.indices, self.similarities[similarity](self.block, state, known)

    def _separation(self, name: str, beta: float) -> Separation:
        return with_parameters(self.separations[name], beta=beta)

    def _memory(self, setting: Setting, beta: float) -> ModernHopfield:
        similarity, separation = setting
        settings = self.similarities[similarity], self._separation(separation, beta)
        return memory_of(self.rows, *settings)

    def _spaced_betas(self, similarity: str, damaged: Damaged) -> list[float]:
        """Return the given β, or a range that the median lead of the right pattern sets."""
        if isinstance(self.betas, tuple):
            return list(self.betas)
        leads = []
        for indices, scores in self._scores(similarity, damaged):
            is_copy = self.copy_of == self.copy_of[indices, None]
            right = scores.gather(-1, indices[:, None])[:, 0]
            leads.append((right - scores.masked_fill(is_copy, -torch.inf).amax(-1)).abs())
        lead = torch.cat(leads)
        lead = lead[(lead > 0) & lead.isfinite()]
        typical = max(float(lead.median()), LEAST_LEAD) if len(lead) else 1.0
        spaced = numpy.geomspace(FIRST_BETA / typical, LAST_BETA / typical, self.betas)
        return [float(f"{beta:.3g}") for beta in spaced]

    def choose(self, curve: list[Point], damaged: Damaged, held_back: Damaged) -> Tuning:
        """Choose β from the curve, and retrieve from the cues held back."""
        setting = curve[0].setting

        def recalled_from(beta: float, part: Damaged) -> Tensor:
            state = self._memory(setting, beta).retrieve(part.cue).state
            return recalled(self.rows[part.indices], state).double()

        first, *others = _candidate_betas(curve)
        gains = {first: 0.0}
        if others and damaged.cue.known is None:
            # The first wins, unless another is better by more than chance.
            reference = recalled_from(first, damaged)
            for beta in others:
                gain = recalled_from(beta, damaged) - reference
                if gain.mean() > standard_error(gain):
                    gains[beta] = float(gain.mean())
        beta = max(gains, key=gains.__getitem__)
        right = recalled_from(beta, held_back)
        return Tuning(
            self.rows, self.similarities[setting[0]], self._separation(setting[1], beta),
            tuple(curve), float(right.mean()), float(standard_error(right)), len(right),
        )  # fmt: skip


def _candidate_betas(curve: Sequence[Point]) -> list[float]:
    """Return the β of most weight among those no worse than the best, and some smaller ones.

    These are the least of them and its neighbours, where steps after the first may still decide.
    """
    points = [point for point in curve if point.setting == curve[0].setting]
    good = [point for point in points if point.deficit <= point.deficit_se]
    most = max(point.weight for point in good)
    # ±1 patterns count as recalled if every entry is exact: so there is no tolerance but rounding.
    heaviest = min(point.beta for point in good if point.weight >= most - 1e-9)
    least = min(point.beta for point in good)
    below = [point.beta for point in points if point.beta < least]
    above = [point.beta for point in good if point.beta > least]
    return list(dict.fromkeys([heaviest, *above[:1], least, *below[-1:]]))


def _draw(
    rows: Tensor, corrupt: Callable[..., Cue], amount: float, number: int, source: torch.Generator
) -> Damaged:
    """Damage some of the patterns, each as often as the others."""
    order = [
        torch.randperm(len(rows), generator=source, device=source.device)
        for _ in range(math.ceil(number / len(rows)))
    ]
    indices = torch.cat(order)[:number].to(rows.device)
    seed = int(torch.randint(2**31, (), generator=source, device=source.device))
    draws = torch.Generator(source.device).manual_seed(seed)
    return Damaged(indices, call_corrupt(corrupt, rows[indices], amount, draws))


def _check_list(argument: str, given: object, wrong: tuple[type, ...], form: str) -> list[Any]:
    if isinstance(given, wrong) or not isinstance(given, Iterable):
        raise InputTypeError(f"{argument} must be {form}, but is {short_repr(given)}.")
    listed = list(given)
    if not listed:
        raise InputTypeError(f"{argument} must hold at least one entry, but is empty.")
    return listed


def _check_preferences(argument: str, given: object) -> list[Any]:
    return _check_list(argument, given, (str, Set), "a list, the preferred first")


def _distinct(argument: str, named: list[tuple[str, Any]]) -> dict[str, Any]:
    by_name = dict(named)
    if len(by_name) < len(named):
        names = [name for name, _ in named]
        raise OptionError(f"{argument} must not name one twice, but are {names}.")
    return by_name


def _prototype(given: object) -> tuple[str, Separation]:
    """Return the name of a separation, and a separation whose β will be replaced."""
    if isinstance(given, Separation) and given.simplex and hasattr(given, "beta"):
        return type(given).__name__.lower(), given
    name = check_choice("an entry of separations", given, TUNED)
    return name, SEPARATIONS[name]()


def _check_betas(given: object) -> int | tuple[float, ...]:
    """Return a number of β, or the β to try in order."""
    if isinstance(given, Integral) and not isinstance(given, bool):
        return check_integer("betas", given, low=2, high=MOST_BETAS)
    if isinstance(given, (Tensor, numpy.ndarray)):
        if given.ndim != 1:
            raise ShapeError(
                f"betas must be one row of numbers, but have shape {tuple(given.shape)}. "
                "Use betas.reshape(-1)."
            )
        given = given.tolist()
    form = "their number, or a list such as betas=[1.0, 8.0]"
    listed = _check_list("betas", given, (str, Mapping), form)
    name, high = "an entry of betas", LARGEST_BETA
    return tuple(sorted({check_number(name, each, low=0.0, high=high) for each in listed}))
