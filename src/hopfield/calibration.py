"""P-values of cues, for the answer "none of these": the cue comes from no stored pattern.

A stranger is a cue that comes from no stored pattern. With the scores T_1 … T_n of n strangers,

    p = (1 + number of strangers with T_i ≥ T) / (n + 1)

is the p-value of a cue with score T. If the cue comes from a stranger exchangeable with these n,
then P(p ≤ α) ≤ α (Vovk et al. 2005, conformal prediction).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .ranks import ranks_of
from .readout import Block

SCORES = ("distance", "margin")
"""The two scores of a cue; `TopScores.score` defines them."""

TIE = 1e-9
"""Difference that counts as a tie, relative to the largest score. Rounding is far smaller."""


Rivals = tuple[Tensor, Tensor, Tensor]
"""The best score of each cue, the pattern that has it, and the best score of all others."""


class TopScores(NamedTuple):
    """The similarity of one pattern to each cue, and those of its two best rivals, `(batch)`.

    Copies of a pattern count as that pattern, so that rivals are different patterns.
    """

    pattern: Tensor
    rival: Tensor
    next_rival: Tensor

    def score(self, name: str) -> Float[Tensor, " batch"]:
        """Return the similarity ("distance"), or its lead over the best rival ("margin")."""
        return self.pattern if name == "distance" else self._lead()

    def _lead(self) -> Tensor:
        # Without a rival that shares known entries with the cue, the lead counts as 0.
        lead = torch.where(self.rival.isfinite(), self.pattern - self.rival, 0.0)
        return torch.where(self.pattern.isfinite(), lead, -math.inf)

    def without_pattern(self) -> "TopScores":
        """Return the scores of the best rival, in a memory without the pattern."""
        return TopScores(self.rival, self.next_rival, torch.full_like(self.rival, -math.inf))


def top_scores(
    blocks: Iterable[Block],
    state: Float[Tensor, "batch dim"],
    similarity: Callable[..., Tensor],
    known: Tensor | None,
    pattern: Int[Tensor, " batch"],
    copy_of: Int[Tensor, " n"],
) -> TopScores:
    """Return the scores of one pattern per cue and of its rivals; memory O(batch·block).

    Args:
        blocks: all rows, in order.
        state: the cues.
        similarity: (block, state, known) → scores, `(batch, rows)`.
        known: mask of the entries that count, or None.
        pattern: a pattern for each cue, by the index of its first copy; −1 for none.
        copy_of: for each pattern the index of its first copy.
    """
    lowest = torch.full((len(state),), -math.inf, dtype=state.dtype, device=state.device)
    own = lowest
    rivals, ranks = (lowest, torch.full_like(pattern, -1), lowest), None
    for block in blocks:
        ranks = ranks_of(block)
        scores = similarity(block, state, known)
        # A pattern with gaps that shares no known entry with the cue has a number near −∞.
        scores = torch.where(scores > torch.finfo(scores.dtype).min / 16, scores, -math.inf)
        group = copy_of[block.start : block.start + len(block)]
        is_pattern = group == pattern[:, None]
        own = torch.maximum(own, torch.where(is_pattern, scores, -math.inf).amax(-1))
        others = scores.masked_fill_(is_pattern, -math.inf)
        best, at = others.max(-1)
        best_of = group[at]
        others = others.masked_fill_(group == best_of[:, None], -math.inf)
        rivals = _best_two(rivals, (best, best_of, others.amax(-1)))
    if ranks is not None:
        owns, *each = ranks.gather(own, *rivals)
        parts: Iterable[Rivals] = zip(*each, strict=True)
        own, rivals = owns.amax(0), reduce(_best_two, parts)
    return TopScores(own, rivals[0], rivals[2])


def _best_two(one: Rivals, other: Rivals) -> Rivals:
    (best, best_of, next_best), (top, top_of, next_top) = one, other
    lesser = torch.where(top_of == best_of, -math.inf, torch.minimum(top, best))
    next_best = torch.maximum(torch.maximum(next_best, next_top), lesser)
    return torch.maximum(best, top), torch.where(top > best, top_of, best_of), next_best


def p_values(strangers: Float[Tensor, " n"], scores: Float[Tensor, " batch"]) -> Tensor:
    """Return p for each score; `strangers` ascend. A score of −∞ has p = 1."""
    finite = strangers[strangers.isfinite()].abs()
    slack = TIE * float(finite.max()) if len(finite) else 0.0
    below = torch.searchsorted(strangers, scores - slack, right=False)
    return (1 + len(strangers) - below) / (len(strangers) + 1)


def threshold(strangers: Float[Tensor, " n"], alpha: float) -> float:
    """Return the number that a score must exceed for p ≤ α; ∞ if there are too few strangers."""
    count = len(strangers)
    may_pass = sum((1 + k) / (count + 1) <= alpha for k in range(math.ceil(alpha * count) + 1))
    return math.inf if not may_pass else float(strangers[count - may_pass])


@dataclass(frozen=True, eq=False)
class Calibration:
    """The measured scores of strangers, and the threshold that separates them from patterns.

    Attributes:
        alpha: the largest p-value that is accepted: the share of strangers accepted by mistake.
        score: "distance" of the answer from the cue, or "margin" to the runner-up: whichever
            accepts more damaged stored patterns.
        strangers: the scores of strangers, ascending, float64. A distance is a similarity per
            known entry: −½ mean squared difference for the dot product and Euclidean distance,
            − mean absolute difference for Manhattan, the overlap in binary networks, and the
            similarity itself for others.
        left_out: True if the strangers are stored patterns, each left out in turn; False for
            `calibrate(strangers=…)`.
        n_patterns: the number of patterns stored at the calibration.
        damage: the name of the damage.
        accepted: the share of damaged stored patterns that are accepted.
        right: the share of these whose answer is the right pattern; None if none is accepted.
    """

    alpha: float
    score: str
    strangers: Tensor
    left_out: bool
    n_patterns: int
    damage: str
    accepted: float = 0.0
    right: float | None = None

    @property
    def threshold(self) -> float:
        """The score that a cue must exceed to be accepted; ∞ if no cue can be."""
        return threshold(self.strangers, self.alpha)

    def __repr__(self) -> str:
        """Return the threshold, the strangers and the measured rates in words."""
        origin = "stored patterns, left out in turn" if self.left_out else "given ones"
        right = "" if self.right is None else f", {self.right:.1%} of these with the right answer"
        return (
            f"Calibration(accepted: {self.score} scores above {self.threshold:.4g}, as of "
            f"{self.alpha:.4g} of strangers; strangers: {len(self.strangers)} {origin}; damage: "
            f"{self.damage}; of stored patterns, damaged alike, {self.accepted:.1%} are accepted"
            f"{right})"
        )
