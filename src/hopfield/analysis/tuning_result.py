"""What tuning returns: the settings, and the curve they were chosen from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .. import theory
from ..iteration import HALF
from ..memories import ModernHopfield
from ..separation import SEPARATIONS, Separation
from .tuning_sweep import TUNED

PLAINLY = "donot_use_mm_for_euclid_dist"
STEPS, TOLERANCE = 5000, 1e-9
"""Of the dynamics where two patterns are only just told apart, and it is slow."""


@dataclass(frozen=True)
class Point:
    """One setting on the curve.

    Attributes:
        setting: similarity and separation, in words.
        beta: β.
        right: share of the cues at which the right pattern has more than half of the weight.
        right_se: its standard error.
        weight: the mean weight of the right pattern.
        behind: by how much `right` is less than that of the best setting, on the same cues, and the
            standard error of that paired difference.
    """

    setting: tuple[str, str]
    beta: float
    right: float
    right_se: float
    weight: float
    behind: tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """What `tune` chose, and what it chose from; printing it gives a table.

    Attributes:
        patterns: what is to be stored.
        similarity: the similarity chosen.
        separation: the separation chosen, with its β.
        curve: every setting that was tried.
        held: what came back of cues that had no part in the choice, by the chosen memory: share,
            its standard error, and how many cues there were.
    """

    patterns: Tensor
    similarity: str
    separation: Separation
    curve: tuple[Point, ...]
    held: tuple[float, float, int]

    @property
    def beta(self) -> float:
        """The β chosen."""
        return float(self.separation.beta)  # type: ignore[attr-defined]

    @property
    def recalled(self) -> float:
        """Share of the held-back cues that came back (`metrics.recalled`)."""
        return self.held[0]

    @property
    def recalled_se(self) -> float:
        """Its standard error."""
        return self.held[1]

    def memory(self) -> ModernHopfield:
        """A memory with these settings that holds the patterns."""
        return filled(self.patterns, self.similarity, self.separation)

    @cached_property
    def apart(self) -> float:
        """The smallest β at which the two nearest patterns are attractors both, among all others.

        Of two patterns alone that is 4/d² at a distance d (`theory.two_patterns_apart`). Found by
        running the dynamics from both; ∞ where the similarity lets no β tell them apart.
        """
        pair, distance = _nearest_pair(self.patterns)
        if pair is None:
            return 0.0
        return _smallest(self, pair, theory.two_patterns_apart(distance))

    def to_records(self) -> list[dict[str, Any]]:
        """Flat records: what was chosen, then every point of the curve."""
        chosen = {
            "experiment": "tuned", "similarity": self.similarity, "beta": self.beta,
            "separation": repr(self.separation), "recalled": self.recalled,
            "recalled_se": self.recalled_se, "held_cues": self.held[2],
        }  # fmt: skip
        return [chosen, *(_record(point) for point in self.curve)]

    def __repr__(self) -> str:
        """What was chosen, and the best of every similarity and separation."""
        made = f"ModernHopfield(separation={self.separation!r}, similarity={self.similarity!r})"
        share, error, cues = self.held
        lines = [
            f"{made} for {len(self.patterns)} patterns of {self.patterns.shape[-1]} entries",
            f"recalled: {share:.3f} ± {error:.3f} of {cues} held-back cues",
            "",
            f"{'best of each':24}  {'β':>10}  {'right':>15}  {'behind the best':>15}",
        ]
        for setting in dict.fromkeys(point.setting for point in self.curve):
            mine = [point for point in self.curve if point.setting == setting]
            best = best_of(mine, setting)
            if setting[0] == self.similarity and type(self.separation) is _kind(setting[1]):
                best = next(point for point in mine if point.beta == self.beta)
            right, behind = f"{best.right:.3f} ± {best.right_se:.3f}", "{:.3f} ± {:.3f}"
            named = ", ".join(setting)
            lines.append(
                f"{named:24}  {best.beta:10.4g}  {right:>15}  {behind.format(*best.behind):>15}"
            )
        return "\n".join(lines)


def _record(point: Point) -> dict[str, Any]:
    similarity, separation = point.setting
    return {
        "experiment": "tuning", "case": f"{similarity}, {separation}", "beta": point.beta,
        "right": point.right, "right_se": point.right_se, "weight": point.weight,
        "behind": point.behind[0], "behind_se": point.behind[1],
    }  # fmt: skip


def filled(rows: Tensor, similarity: str, separation: Separation) -> ModernHopfield:
    """A memory that holds these rows."""
    made = ModernHopfield(separation=separation, similarity=similarity)
    made.store(rows)
    return made


def _kind(name: str) -> type[Separation]:
    return SEPARATIONS[name]


def _nearest_pair(rows: Tensor) -> tuple[Tensor | None, float]:
    """Places of the two nearest patterns that differ, and their distance."""
    best, pair = math.inf, None
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256].double()
        # Products would leave rounding where a pattern meets itself.
        apart = torch.cdist(part, rows.double(), compute_mode=PLAINLY)
        for line in apart:
            line[line == 0] = torch.inf
        least = float(apart.min())
        if least < best:
            place = divmod(int(apart.argmin()), len(rows))
            best, pair = least, torch.tensor([place[0] + start, place[1]], device=rows.device)
    return pair, best


def _smallest(tuning: Tuning, pair: Tensor, start: float) -> float:
    """The least β, to a percent, at which both of a pair keep more than half of the weight."""
    kind = next(n for n in TUNED if _kind(n) is type(tuning.separation))
    rows = tuning.patterns
    memory = filled(rows.double(), tuning.similarity, SEPARATIONS[kind](beta=1.0))
    rows = memory.patterns

    def holds(beta: float) -> bool:
        memory.separation = SEPARATIONS[kind](beta=beta)
        found = memory.retrieve(rows[pair], steps=STEPS, tol=TOLERANCE)
        same = (rows[found.index] == rows[pair]).all(-1)
        copies = torch.stack([(rows == row).all(-1).sum() for row in rows[pair]])
        return bool((same & (found.weight * copies > HALF)).all())

    low = high = start
    for _ in range(60):
        if holds(high):
            break
        low, high = high, 2 * high
    else:
        return math.inf
    if low == high:
        while low > start * 2**-60 and holds(low):
            low, high = low / 2, low
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def best_of(points: Sequence[Point], setting: tuple[str, str]) -> Point:
    """The best β of a similarity and separation."""
    mine = [point for point in points if point.setting == setting]
    return max(mine, key=lambda point: (point.right, point.weight))
