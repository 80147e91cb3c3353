"""The report of a diagnosis, printed as a table or given as flat records."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .findings import Finding, is_near_duplicate
from .table import table
from .theorems import Theory

WEAKEST = 5
"""Number of patterns, those of least margin, that the printed report lists."""


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """The result of `diagnose`: one entry per pattern, theorems and findings.

    Attributes:
        memory: the memory in words.
        dim: the length of a pattern, N.
        theory: load, capacity and theorems.
        findings: problems, the gravest first, each with its cause and a remedy.
        fixed: True where `retrieve` leaves the pattern as it is, within its tolerance.
        attractor: True where `retrieve` ends at the pattern: the sign of every unit of a ±1 pattern
            is right; else the pattern and its copies have more than half of the weight.
        captured_by: the other pattern at which `retrieve` ends; −1 if it ends at none.
        converged: True where `retrieve` reached a fixed point within its steps.
        distance: Euclidean distance between the pattern and the state where `retrieve` ends.
        margin: Δ, the score of the pattern at the pattern itself, minus the largest score of
            another one there. In a binary network the least x_i·field_i over the units of the
            pattern; in a dense one relative to the field of this pattern alone. NaN if the memory
            declares neither similarity and separation nor fields.
        rival: the other pattern with that largest score, in a binary network the one with the
            largest overlap; −1 without another.
        radius: all states within this distance, or with this number of flips in a binary network,
            are proved to end at the pattern. The basin may be larger. 0 if nothing is proved;
            NaN if no proof is known for such a memory.
        numerically_undecided: True where the margin is within its own rounding error.
        nearest: Euclidean distance to the nearest other pattern; ∞ without another.
        neighbour: the index of that pattern; −1 without another.
        copy_of: the index of the first pattern equal to this one: for most, its own index.
    """

    memory: str
    dim: int
    theory: Theory
    findings: tuple[Finding, ...]
    fixed: Bool[Tensor, " n"]
    attractor: Bool[Tensor, " n"]
    captured_by: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]
    distance: Float[Tensor, " n"]
    margin: Float[Tensor, " n"]
    rival: Int[Tensor, " n"]
    radius: Float[Tensor, " n"]
    numerically_undecided: Bool[Tensor, " n"]
    nearest: Float[Tensor, " n"]
    neighbour: Int[Tensor, " n"]
    copy_of: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.copy_of)

    @property
    def duplicate(self) -> Bool[Tensor, " n"]:
        """True for copies of an earlier pattern."""
        return self.copy_of != torch.arange(len(self), device=self.copy_of.device)

    @property
    def near_duplicate(self) -> Bool[Tensor, " n"]:
        """True for patterns that have a near-duplicate; exact copies do not count."""
        return is_near_duplicate(self.nearest)

    @property
    def counts(self) -> dict[str, int]:
        """Number of patterns of each kind."""
        masks = {
            "fixed": self.fixed, "attractors": self.attractor, "captured": self.captured_by >= 0,
            "unsettled": ~self.converged, "duplicates": self.duplicate,
            "near_duplicates": self.near_duplicate,
        }  # fmt: skip
        return {"patterns": len(self), **{name: int(mask.sum()) for name, mask in masks.items()}}

    def to_records(self) -> list[dict[str, Any]]:
        """Return flat records: one of the memory, then one per finding and one per pattern."""
        lines: list[dict[str, Any]] = [{
            "experiment": "diagnosis", "memory": self.memory, "dim": self.dim, **self.counts,
            "load": self.theory.load, "capacity": self.theory.capacity,
            "theory": self.theory.source,
        }]  # fmt: skip
        for finding in self.findings:
            remedy = finding.remedy
            effect = {} if remedy is None else remedy.effect
            lines.append({
                "experiment": "finding", "finding": finding.name, "cause": finding.cause,
                "patterns": finding.patterns.tolist(),
                "remedy": None if remedy is None else remedy.advice,
                **{f"remedy_{name}": count for name, count in effect.items()},
            })  # fmt: skip
        tensors = vars(self) | {"theorem_5": self.theory.error}
        columns = {k: value.tolist() for k, value in tensors.items() if isinstance(value, Tensor)}
        for index, values in enumerate(zip(*columns.values(), strict=True)):
            pattern = {"experiment": "diagnosed pattern", "pattern": index}
            lines.append(pattern | dict(zip(columns, values, strict=True)))
        return [{name: _json(value) for name, value in line.items()} for line in lines]

    def __repr__(self) -> str:
        counts, capacity = self.counts, self.theory.capacity
        granted = "" if capacity is None else f"capacity {capacity:.3g}: "
        summary = (
            f"{counts['attractors']} of {len(self)} patterns are attractors, {counts['fixed']} of "
            f"them fixed points\n{counts['captured']} end at another pattern; "
            f"{counts['unsettled']} do not settle; {counts['duplicates']} equal an earlier one; "
            f"{counts['near_duplicates']} are near-duplicates\n"
            f"load n/N = {self.theory.load:.3g}; {granted}{self.theory.source}"
        )
        findings = [f"{place}. {each}" for place, each in enumerate(self.findings, 1)]
        return "\n\n".join([
            self.memory, summary, table(self._ranges()), table(self._weakest()),
            "\n".join(findings) or "No problem was found.",
        ])  # fmt: skip

    def _ranges(self) -> list[list[str]]:
        lines = [["", "least", "median", "largest"]]
        named = {"margin Δ": self.margin, "distance to the nearest": self.nearest,
                 "proved radius": self.radius}  # fmt: skip
        for name, values in named.items():
            known = values[~values.isnan()]
            if len(known):
                picked = (known.min(), known.median(), known.max())
                lines.append([name, *(f"{float(value):.4g}" for value in picked)])
        return lines

    def _weakest(self) -> list[list[str]]:
        lines = [["weakest", "margin Δ", "rival", "nearest", "radius", "ends at"]]
        for index in self.margin.argsort()[:WEAKEST].tolist():
            end = "itself" if bool(self.attractor[index]) else _index(self.captured_by[index])
            numbers = (self.margin[index], self.nearest[index], self.radius[index])
            margin, nearest, radius = (f"{float(number):.4g}" for number in numbers)
            lines.append([str(index), margin, _index(self.rival[index]), nearest, radius, end])
        return lines


def _index(value: Tensor) -> str:
    return "none" if int(value) < 0 else str(int(value))


def _json(value: Any) -> Any:
    # JSON has neither NaN nor infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value
