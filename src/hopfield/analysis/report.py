"""The report of a diagnosis: printed as a table, or as flat records."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .bounds import Theory
from .findings import Finding, near_duplicates
from .observed import Observed
from .remedies import Remedy
from .verdicts import Verdicts

WEAKEST = 5
"""Patterns that the printed report lists."""


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `diagnose` found; printing it gives a table.

    Attributes:
        memory: the memory, in words.
        dim: N.
        predicted: margins, verdicts and proved basins, by theory.
        observed: what the dynamics did, or None where it was not asked.
        nearest: Euclidean distance to the nearest pattern that is no copy, `(n,)`.
        neighbour: which one that is, −1 where there is none.
        copy_of: the first pattern equal to each, `(n,)`: itself where it is not a copy.
        theory: load, capacity, and the theorems that apply.
        findings: what is wrong, each with its cause and remedy.
    """

    memory: str
    dim: int
    predicted: Verdicts
    observed: Observed | None
    nearest: Float[Tensor, " n"]
    neighbour: Int[Tensor, " n"]
    copy_of: Int[Tensor, " n"]
    theory: Theory
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        """How many patterns are stored."""
        return len(self.nearest)

    @property
    def fixed(self) -> Bool[Tensor, " n"]:
        """Which patterns the dynamics leaves where they are; observed where it was run."""
        return (self.observed or self.predicted).fixed

    @property
    def attractor(self) -> Bool[Tensor, " n"]:
        """Which patterns keep the dynamics that starts at them; observed where it was run."""
        return (self.observed or self.predicted).attractor

    @property
    def swallower(self) -> Int[Tensor, " n"]:
        """The pattern it ends at instead, −1 where at none; observed where it was run."""
        return (self.observed or self.predicted).swallower

    @property
    def duplicate(self) -> Bool[Tensor, " n"]:
        """Which patterns are copies of an earlier one."""
        return self.copy_of != torch.arange(len(self), device=self.copy_of.device)

    @property
    def near_duplicate(self) -> Bool[Tensor, " n"]:
        """Which patterns have another unusually near, copies not counted."""
        return near_duplicates(self.nearest)

    @property
    def counts(self) -> dict[str, int]:
        """How many patterns, fixed points, attractors, swallowed ones, duplicates, near ones."""
        return {
            "patterns": len(self),
            "fixed": int(self.fixed.sum()),
            "attractors": int(self.attractor.sum()),
            "swallowed": int((self.swallower >= 0).sum()),
            "duplicates": int(self.duplicate.sum()),
            "near_duplicates": int(self.near_duplicate.sum()),
        }

    def to_records(self) -> list[dict[str, Any]]:
        """Flat records: one of the whole, one a finding, one a pattern; plain values for JSON."""
        whole = {
            "experiment": "diagnosis", "memory": self.memory, "dim": self.dim, **self.counts,
            "load": self.theory.load, "capacity": _plain(self.theory.capacity),
            "theory": self.theory.source, "was_observed": self.observed is not None,
        }  # fmt: skip
        found = [
            {
                "experiment": "finding", "finding": each.name, "cause": each.cause,
                "patterns": each.patterns.tolist(), **_remedy(each.remedy),
            }
            for each in self.findings
        ]  # fmt: skip
        return [whole, *found, *(self._line(place) for place in range(len(self)))]

    def _line(self, place: int) -> dict[str, Any]:
        """What is said of one pattern."""
        said = {
            "experiment": "diagnosed pattern", "pattern": place, "fixed": self.fixed,
            "attractor": self.attractor, "swallower": self.swallower,
            "margin": self.predicted.margin, "rival": self.predicted.rival,
            "nearest": self.nearest, "neighbour": self.neighbour, "copy_of": self.copy_of,
            "radius": self.predicted.radius, "cell": self.predicted.cell,
            "proved": self.predicted.proved, "rounding": self.predicted.slack,
            "predicted_fixed": self.predicted.fixed,
            "predicted_attractor": self.predicted.attractor,
            "predicted_swallower": self.predicted.swallower,
            "theorem_5": self.theory.error,
        }  # fmt: skip
        return {
            name: _plain(value[place].item() if isinstance(value, Tensor) else value)
            for name, value in said.items()
        }

    def __repr__(self) -> str:
        """The table."""
        parts = [self.memory, _table(self._verdicts()), _table(self._spans()), self._load()]
        parts += [_table(self._weakest())]
        found = [f"{i}. {each}" for i, each in enumerate(self.findings, 1)]
        return "\n\n".join([*parts, "\n".join(found) or self._nothing()])

    def _nothing(self) -> str:
        """What there is to say where nothing was found."""
        lost = self.counts["patterns"] - self.counts["attractors"]
        if not lost:
            return "Nothing was found that keeps one back."
        said = "1 is no attractor" if lost == 1 else f"{lost} are no attractors"
        return f"{said}, for which no remedy was found."

    def _verdicts(self) -> list[list[str]]:
        """Predicted beside observed."""
        both: list[Verdicts | Observed] = [self.predicted]
        head = ["of " + str(len(self)), "predicted"]
        if self.observed is not None:
            both, head = [*both, self.observed], [*head, "observed", "agree"]
        lines = [head]
        for name, field in (("fixed points", "fixed"), ("attractors", "attractor")):
            masks = [getattr(each, field) for each in both]
            lines.append([name, *(str(int(mask.sum())) for mask in masks)])
        lines.append(["swallowed", *(str(int((each.swallower >= 0).sum())) for each in both)])
        if self.observed is not None:
            for line, field in zip(lines[1:], ("fixed", "attractor", "swallower"), strict=True):
                same = getattr(self.predicted, field) == getattr(self.observed, field)
                line.append(str(int(same.sum())))
        return lines

    def _spans(self) -> list[list[str]]:
        """Least, median and largest."""
        lines = [["", "least", "median", "largest"]]
        named = (("margin Δ", self.predicted.margin), ("distance to the nearest", self.nearest),
                 ("basin radius, proved", self.predicted.radius))  # fmt: skip
        for name, values in named:
            known = values[~values.isnan()]
            if len(known):
                picked = (known.min(), known.median(), known.max())
                lines.append([name, *(f"{float(each):.4g}" for each in picked)])
        return lines

    def _load(self) -> str:
        """Load against capacity, copies."""
        capacity = self.theory.capacity
        limit = self.theory.source
        if capacity is not None:
            limit = f"capacity {capacity:.3g} {limit}"
        counts = self.counts
        return (
            f"load n/N = {self.theory.load:.3g}; {limit}\n"
            f"duplicates {counts['duplicates']}, near-duplicates {counts['near_duplicates']}"
        )

    def _weakest(self) -> list[list[str]]:
        """The patterns of least margin."""
        lines = [["weakest", "margin Δ", "rival", "nearest", "radius", "attractor", "ends at"]]
        for place in self.predicted.margin.argsort()[:WEAKEST].tolist():
            end = int(self.swallower[place])
            own = bool(self.attractor[place])
            lines.append([
                str(place), f"{float(self.predicted.margin[place]):.4g}",
                _place(int(self.predicted.rival[place])), f"{float(self.nearest[place]):.4g}",
                f"{float(self.predicted.radius[place]):.3g}", "yes" if own else "no",
                "itself" if own else (str(end) if end >= 0 else "a mixture"),
            ])  # fmt: skip
        return lines


def _remedy(remedy: Remedy | None) -> dict[str, Any]:
    """What to do, and what that is predicted to do."""
    if remedy is None:
        return {"remedy": None}
    expected = {f"expected_{name}": count for name, count in remedy.expected.items()}
    return {"remedy": remedy.words, **expected}


def _place(place: int) -> str:
    return "none" if place < 0 else str(place)


def _plain(value: Any) -> Any:
    """A number that JSON can hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    laid = []
    for first, *others in lines:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        laid.append("  ".join([first.ljust(widths[0]), *right]).rstrip())
    return "\n".join(laid)
