"""Search for the settings of a memory that do best on the same damaged patterns."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Generic

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cue import Cue
from ..metrics import recalled
from ..separation import Separation, with_parameters
from ..similarity import Similarity, TensorRows
from .patterns import BATCH_SCORES, Patterns
from .tuning_result import (
    AnyPoint,
    Point,
    Setting,
    Tuning,
    best_of,
    memory_of,
    standard_error,
)

FIRST_BETA, LAST_BETA = 0.5, 2000.0
"""Smallest and largest β·lead of a search.

The lead is the score of the right pattern minus the best other one, in the median over cues.
"""
LEAST_LEAD = 1e-30
"""Smallest median lead that sets the range of β: for a smaller one β would overflow."""
FIRST_CUES = 48
"""Number of cues that choose similarity and separation; all cues then choose β."""


@dataclass(frozen=True, eq=False)
class DamagedPatterns:
    """Damaged patterns as cues, with the indices of the undamaged ones."""

    indices: Int[Tensor, " cues"]
    cue: Cue

    def __getitem__(self, part: slice) -> "DamagedPatterns":
        """Return some of the cues."""
        return DamagedPatterns(self.indices[part], self.cue[part])


class Search(ABC, Generic[AnyPoint]):
    """A search over settings; a subclass defines how the points of two settings compare."""

    def __init__(
        self,
        rows: Tensor,
        similarities: dict[str, Similarity],
        separations: dict[str, Separation],
        betas: int | tuple[float, ...],
    ) -> None:
        self.rows, self.betas = rows, betas
        self.block = TensorRows(rows.to(torch.promote_types(rows.dtype, torch.float32)))
        self.similarities, self.separations = similarities, separations

    @torch.no_grad()
    def curve(self, damaged: DamagedPatterns) -> list[AnyPoint]:
        """Return points: of the best setting from all cues, of the others from the first cues."""
        settings = list(product(self.similarities, self.separations))
        first = damaged[:FIRST_CUES] if len(settings) > 1 else damaged
        betas = {similarity: self._betas_of(similarity, first) for similarity in self.similarities}
        points = self.points(settings, betas, first)
        if len(settings) == 1:
            return points
        # The first named wins, unless another is better by more than chance.
        best = [best_of(points, setting) for setting in settings]
        chosen = next(point.setting for point in best if point.deficit <= point.deficit_se)
        others = [point for point in points if point.setting != chosen]
        return [*self.points([chosen], betas, damaged), *others]

    @abstractmethod
    def points(
        self, settings: Sequence[Setting], betas: dict[str, list[float]], damaged: DamagedPatterns
    ) -> list[AnyPoint]:
        """Return the points of these settings: one per setting and β of its similarity."""

    @abstractmethod
    def beta_range(self, similarity: str, damaged: DamagedPatterns) -> tuple[float, float]:
        """Return the smallest and the largest β worth trying with a similarity."""

    @abstractmethod
    def choose(
        self, curve: list[AnyPoint], damaged: DamagedPatterns, held_back: DamagedPatterns
    ) -> Tuning:
        """Choose β from the curve, and measure it on the cues held back."""

    def scores(self, similarity: str, damaged: DamagedPatterns) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield indices and the scores of all patterns, some cues at a time."""
        size = max(1, BATCH_SCORES // len(self.rows))
        for start in range(0, len(damaged.indices), size):
            part = damaged[start : start + size]
            state, known = part.cue.state.to(self.block.rows.dtype), part.cue.known
            if known is not None and bool((known == known[:1]).all()):
                known = known[0]  # one product instead of one per cue
            yield part.indices, self.similarities[similarity](self.block, state, known)

    def scoring(self, setting: Setting, beta: float) -> tuple[Similarity, Separation]:
        """Return the similarity and separation of a setting, at this β."""
        separation = with_parameters(self.separations[setting[1]], beta=beta)
        return self.similarities[setting[0]], separation

    def _betas_of(self, similarity: str, damaged: DamagedPatterns) -> list[float]:
        if isinstance(self.betas, tuple):
            return list(self.betas)
        low, high = self.beta_range(similarity, damaged)
        return [float(f"{beta:.3g}") for beta in numpy.geomspace(low, high, self.betas)]


class RecallSearch(Search[Point]):
    """A search for the settings that recall most stored patterns from damaged cues."""

    @cached_property
    def _stored(self) -> Patterns:
        """The stored patterns, which know their copies."""
        setting = next(product(self.similarities, self.separations))
        return Patterns(memory_of(self.rows, *self.scoring(setting, 1.0)))

    def points(
        self, settings: Sequence[Setting], betas: dict[str, list[float]], damaged: DamagedPatterns
    ) -> list[Point]:
        """Return one point per setting and β: accuracy and mean weight of the right pattern."""
        tried = [(setting, beta) for setting in settings for beta in betas[setting[0]]]
        weight = torch.cat([self._weights(each, betas[each[0]], damaged) for each in settings])
        right = (weight > 0.5).double()
        accuracy, mean = right.mean(-1), weight.double().mean(-1)
        best = max(range(len(tried)), key=lambda i: (float(accuracy[i]), float(mean[i])))
        deficit = right[best] - right
        columns = (deficit.mean(-1), standard_error(deficit), accuracy, standard_error(right), mean)
        values = zip(*(column.tolist() for column in columns), strict=True)
        return [Point(*place, *value) for place, value in zip(tried, values, strict=True)]

    def _weights(
        self, setting: Setting, betas: Sequence[float], damaged: DamagedPatterns
    ) -> Float[Tensor, "betas cues"]:
        """Return the weight of the right pattern at the cue.

        Without a mask it is the smaller of this and its weight at the pattern itself.
        """
        separations = [self.scoring(setting, beta)[1] for beta in betas]

        def weight_at(states: DamagedPatterns) -> Tensor:
            parts = []
            for indices, scores in self.scores(setting[0], states):
                weights = torch.stack([each(scores) for each in separations])
                right = indices.expand(len(betas), -1)[..., None]
                parts.append(weights.gather(-1, right)[..., 0] * self._stored.copies[indices])
            return torch.cat(parts, dim=-1)

        weights = weight_at(damaged)
        if damaged.cue.known is None:  # the dynamics goes on, and must stay at the pattern
            originals = DamagedPatterns(damaged.indices, Cue(self.rows[damaged.indices]))
            weights = torch.minimum(weights, weight_at(originals))
        return weights

    def beta_range(self, similarity: str, damaged: DamagedPatterns) -> tuple[float, float]:
        """Return the range of β for the median lead of the right pattern's score."""
        leads = []
        for indices, scores in self.scores(similarity, damaged):
            is_copy = self._stored.copy_of == self._stored.copy_of[indices, None]
            right = scores.gather(-1, indices[:, None])[:, 0]
            leads.append((right - scores.masked_fill(is_copy, -torch.inf).amax(-1)).abs())
        lead = torch.cat(leads)
        lead = lead[(lead > 0) & lead.isfinite()]
        typical = max(float(lead.median()), LEAST_LEAD) if len(lead) else 1.0
        return FIRST_BETA / typical, LAST_BETA / typical

    def choose(
        self, curve: list[Point], damaged: DamagedPatterns, held_back: DamagedPatterns
    ) -> Tuning:
        """Choose β from the curve, and measure the recall of the cues held back."""
        setting = curve[0].setting

        def recalled_from(beta: float, part: DamagedPatterns) -> Tensor:
            memory = memory_of(self.rows, *self.scoring(setting, beta))
            state = memory.retrieve(part.cue).state
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
            "recall", self.rows, *self.scoring(setting, beta), tuple(curve), len(right),
            recalled=float(right.mean()), recalled_se=float(standard_error(right)),
        )  # fmt: skip


def _candidate_betas(curve: Sequence[Point]) -> list[float]:
    """Return the β that gives right patterns the most weight, then others to try by `retrieve`.

    The others are the smallest β that is no worse than the best, and the two next to it. Weights
    tell of one step only; at these β further steps may still change the result.
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
