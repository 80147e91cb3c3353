"""The result of tuning: the settings chosen, and the curve they were chosen from."""

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from .. import theory
from ..memories import ModernHopfield
from ..separation import Separation, with_parameters
from ..similarity import Similarity
from .patterns import Patterns
from .table import table
from .trials import observe, with_settings

RESOLUTION = 1.01
"""`separating_beta` is found to this factor."""
MOST_POWER = 4200
"""`separating_beta` is sought within 1.01 to this power, 10¹⁸, about that of two patterns alone."""
QUESTIONS = {
    "recall": "Recall: are damaged copies of stored patterns recognised?",
    "completion": "Completion: how well are patterns that are not stored completed?",
}
"""The question of each objective, the first line of a printed result."""
MEASURED = {
    "recall": ("recalled", "recalled_se"),
    "completion": ("error", "error_se", "mean_error"),
}
"""The fields of a `Tuning` that answer each question."""
Setting = tuple[str, str]
"""Names of a similarity and a separation."""


@dataclass(frozen=True)
class CurvePoint(ABC):
    """One setting on the curve of an objective.

    Attributes:
        setting: names of similarity and separation.
        beta: β.
        deficit: the difference to the best setting on the same cues.
        deficit_se: the standard error of that paired difference.
    """

    setting: Setting
    beta: float
    deficit: float
    deficit_se: float
    measure: ClassVar[str]
    """Name of the field that is compared."""
    form: ClassVar[str]
    """Format of a value of this field, with its standard error."""

    @property
    @abstractmethod
    def quality(self) -> tuple[float, float]:
        """Two numbers in order of importance: the larger, the better."""

    @property
    def text(self) -> str:
        """The measure and its standard error."""
        return self.form.format(getattr(self, self.measure), getattr(self, f"{self.measure}_se"))


@dataclass(frozen=True)
class Point(CurvePoint):
    """One setting on the curve of the objective "recall".

    Attributes:
        accuracy: share of the cues at which the right pattern has more than half of the weight.
        accuracy_se: its standard error.
        weight: the mean weight of the right pattern.
    """

    accuracy: float
    accuracy_se: float
    weight: float
    measure, form = "accuracy", "{:.3f} ± {:.3f}"

    @property
    def quality(self) -> tuple[float, float]:
        """Accuracy and weight."""
        return self.accuracy, self.weight


@dataclass(frozen=True)
class CompletionPoint(CurvePoint):
    """One setting on the curve of the objective "completion".

    Attributes:
        error: root mean squared error at the hidden entries of rows that are left out.
        error_se: its standard error.
    """

    error: float
    error_se: float
    measure, form = "error", "{:.3g} ± {:.2g}"

    @property
    def quality(self) -> tuple[float, float]:
        """The negative error, and −β."""
        return -self.error, -self.beta


AnyPoint = TypeVar("AnyPoint", bound=CurvePoint)
"""The points of the curve of an objective."""


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """The result of `tune`; printing it gives a table.

    Attributes:
        objective: the question that was answered, "recall" or "completion".
        patterns: the patterns to store.
        similarity: the similarity chosen.
        separation: the separation chosen, with its β.
        curve: all settings that were tried, those of the chosen similarity and separation first.
        n_held_back: the number of cues that had no part in the choice. The fields below are
            measured on them; those of the other objective are None.
        recalled: share of these cues that the chosen memory recalls (`metrics.recalled`).
        recalled_se: its standard error.
        error: root mean squared error at the hidden entries, in the units of the patterns; without
            a mask, at all entries.
        error_se: its standard error.
        mean_error: the same error if the mean of the other patterns is the answer.
    """

    objective: str
    patterns: Tensor
    similarity: Similarity
    separation: Separation
    curve: tuple[Point, ...] | tuple[CompletionPoint, ...]
    n_held_back: int
    recalled: float | None = None
    recalled_se: float | None = None
    error: float | None = None
    error_se: float | None = None
    mean_error: float | None = None

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
            "experiment": "tuned", "objective": self.objective, "similarity": self.similarity.name,
            "beta": self.beta, "separation": repr(self.separation),
            **{name: getattr(self, name) for name in MEASURED[self.objective]},
            "n_held_back": self.n_held_back,
        }  # fmt: skip
        lines = [chosen]
        for point in self.curve:
            line = asdict(point)
            lines.append({"experiment": "tuning", "case": ", ".join(line.pop("setting")), **line})
        return lines

    def __repr__(self) -> str:
        """The question, the choice, and the best β of every similarity and separation."""
        points: Sequence[CurvePoint] = self.curve
        than = "less than best" if self.objective == "recall" else "more than best"
        lines = [["best of each", "β", points[0].measure, than]]
        for setting in dict.fromkeys(point.setting for point in points):
            point = best_of(points, setting)
            if setting == points[0].setting:
                point = next(point for point in points if point.beta == self.beta)
            deficit = point.form.format(point.deficit, point.deficit_se)
            lines.append([", ".join(setting), f"{point.beta:.4g}", point.text, deficit])
        return (
            f"{QUESTIONS[self.objective]}\n"
            f"ModernHopfield(separation={self.separation!r}, similarity={self.similarity!r}) for "
            f"{len(self.patterns)} patterns of {self.patterns.shape[-1]} entries\n"
            f"{self._outcome()}\n\n{table(lines)}"
        )

    def _outcome(self) -> str:
        cues = f"of {self.n_held_back} cues that had no part in the choice"
        if self.objective == "recall":
            return f"recalled: {self.recalled:.3f} ± {self.recalled_se:.3f} {cues}"
        error = f"error: {self.error:.3g} ± {self.error_se:.2g} (root mean square) {cues}"
        return f"{error}\nerror of the mean of the other patterns: {self.mean_error:.3g}"


def memory_of(rows: Tensor, similarity: Similarity, separation: Separation) -> ModernHopfield:
    """Return a memory with these settings that holds these rows."""
    memory = ModernHopfield(separation=separation, similarity=similarity)
    memory.store(rows)
    return memory


def best_of(points: Sequence[AnyPoint], setting: Setting) -> AnyPoint:
    """Return the point of the best β of a similarity and separation."""
    points = [point for point in points if point.setting == setting]
    return max(points, key=lambda point: point.quality)


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
