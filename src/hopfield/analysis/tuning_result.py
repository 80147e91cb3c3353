"""The result of tuning: the settings chosen, and the curve they were chosen from."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .. import theory
from ..memories import ModernHopfield
from ..separation import Separation
from ..similarity import Similarity
from .patterns import Patterns
from .sharper import with_parameters
from .table import table
from .trials import observe, with_settings

RESOLUTION = 1.01
"""`separating_beta` is found to this factor."""
MOST_POWER = 4200
"""`separating_beta` is sought within 1.01 to this power, 10¹⁸, about that of two patterns alone."""
Setting = tuple[str, str]
"""Names of a similarity and a separation."""


@dataclass(frozen=True)
class Point:
    """One setting on the curve.

    Attributes:
        setting: names of similarity and separation.
        beta: β.
        accuracy: share of the cues at which the right pattern has more than half of the weight.
        accuracy_se: its standard error.
        weight: the mean weight of the right pattern.
        deficit: the difference to the accuracy of the best setting on the same cues.
        deficit_se: the standard error of that paired difference.
    """

    setting: Setting
    beta: float
    accuracy: float
    accuracy_se: float
    weight: float
    deficit: float
    deficit_se: float


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """The result of `tune`; printing it gives a table.

    Attributes:
        patterns: the patterns to store.
        similarity: the similarity chosen.
        separation: the separation chosen, with its β.
        curve: all settings that were tried, those of the chosen similarity and separation first.
        recalled: share of the cues held back from the choice that the chosen memory recalls
            (`metrics.recalled`).
        recalled_se: its standard error.
        n_held_back: the number of these cues.
    """

    patterns: Tensor
    similarity: Similarity
    separation: Separation
    curve: tuple[Point, ...]
    recalled: float
    recalled_se: float
    n_held_back: int

    @property
    def beta(self) -> float:
        """The β chosen."""
        return float(self.separation.beta)  # type: ignore[attr-defined]

    def memory(self) -> ModernHopfield:
        """Return a memory with these settings that holds the patterns."""
        return memory_of(self.patterns, self.similarity, self.separation)

    @cached_property
    def separating_beta(self) -> float:
        """The least β, to a percent, at which the two nearest patterns are both attractors.

        Of two patterns alone it is 4/d² at a distance d (`theory.two_patterns_apart`). ∞ if no β
        separates them under this similarity, 0 if all patterns are equal.
        """
        memory = memory_of(self.patterns.double(), self.similarity, self.separation)
        patterns = Patterns(memory)
        pair, distance = _nearest_pair(patterns)
        if math.isinf(distance):
            return 0.0
        start = theory.two_patterns_apart(distance)

        def separates(power: int) -> bool:
            separation = with_parameters(self.separation, beta=start * RESOLUTION**power)
            at_beta = with_settings(memory, separation=separation)
            return bool(observe(at_beta, patterns, pair, steps=2000, tol=1e-8)["attractor"].all())

        powers = range(-MOST_POWER, MOST_POWER + 1)
        place = bisect_left(powers, True, key=separates)
        return math.inf if place == len(powers) else start * RESOLUTION ** powers[place]

    def to_records(self) -> list[dict[str, Any]]:
        """Flat records: the choice, then every point of the curve."""
        chosen = {
            "experiment": "tuned", "similarity": self.similarity.name, "beta": self.beta,
            "separation": repr(self.separation), "recalled": self.recalled,
            "recalled_se": self.recalled_se, "n_held_back": self.n_held_back,
        }  # fmt: skip
        lines = [chosen]
        for point in self.curve:
            line = asdict(point)
            lines.append({"experiment": "tuning", "case": ", ".join(line.pop("setting")), **line})
        return lines

    def __repr__(self) -> str:
        """The choice, and the best β of every similarity and separation."""
        lines = [["best of each", "β", "accuracy", "less than best"]]
        for setting in dict.fromkeys(point.setting for point in self.curve):
            point = best_of(self.curve, setting)
            if setting == self.curve[0].setting:
                point = next(point for point in self.curve if point.beta == self.beta)
            accuracy = f"{point.accuracy:.3f} ± {point.accuracy_se:.3f}"
            deficit = f"{point.deficit:.3f} ± {point.deficit_se:.3f}"
            lines.append([", ".join(setting), f"{point.beta:.4g}", accuracy, deficit])
        return (
            f"ModernHopfield(separation={self.separation!r}, similarity={self.similarity!r}) for "
            f"{len(self.patterns)} patterns of {self.patterns.shape[-1]} entries\n"
            f"recalled: {self.recalled:.3f} ± {self.recalled_se:.3f} of {self.n_held_back} cues "
            f"that had no part in the choice\n\n{table(lines)}"
        )


def memory_of(rows: Tensor, similarity: Similarity, separation: Separation) -> ModernHopfield:
    """Return a memory with these settings that holds these rows."""
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(rows)
    return memory


def best_of(points: Sequence[Point], setting: Setting) -> Point:
    """Return the point of the best β of a similarity and separation."""
    points = [point for point in points if point.setting == setting]
    return max(points, key=lambda point: (point.accuracy, point.weight))


def standard_error(values: Tensor) -> Tensor:
    """Standard error of the mean over the last axis."""
    return values.std(dim=-1) / math.sqrt(values.shape[-1])


def _nearest_pair(patterns: Patterns) -> tuple[Tensor, float]:
    """Return the indices of the two nearest patterns that differ, and their distance."""
    best, pair = math.inf, (0, 0)
    for indices in patterns.batches():
        distance, neighbour = patterns.nearest(patterns.compare(indices))
        place = int(distance.argmin())
        if float(distance[place]) < best:
            best, pair = float(distance[place]), (int(indices[place]), int(neighbour[place]))
    return torch.tensor(pair, device=patterns.device), best
