"""Answers to cues: the best matches, how sure they are, and a table of them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..iteration import Retrieval
from ..memories import Memory, Nearest

NONE = "none of these"


@dataclass(frozen=True)
class Match:
    """A stored pattern that scores well at a cue.

    Attributes:
        name: its name, or its number if it has none.
        index: its row.
        score, weight: its similarity to the cue, and its weight in the readout.
        row: the further columns that were stored with it.
    """

    name: str | int
    index: int
    score: float
    weight: float | None
    row: dict[str, Any]


@dataclass
class Answer:
    """The answer to a cue.

    Attributes:
        cue: name of the cue.
        matches: the best matches, best first.
        value: the value retrieved, or None.
        p_value: how often a stranger scores as well; None without a calibration.
        accepted: False if the answer is "none of these".
        file: path of the completed picture, or None.
    """

    cue: str
    matches: list[Match]
    value: Any
    p_value: float | None
    accepted: bool
    file: str | None = None

    @classmethod
    def of(cls, memory: Memory, cue: str, result: Retrieval, nearest: Nearest, k: int) -> "Answer":
        """Return the answer to the k-th cue of a batch."""
        indices = nearest.index[k].tolist()
        names = indices if nearest.name is None else list(nearest.name[k])
        weights = [None] * len(indices) if nearest.weight is None else nearest.weight[k].tolist()
        annotations = memory.storage.annotations
        has_table = annotations is not None and bool(annotations.table)
        table = memory.rows(indices) if has_table else [{}] * len(indices)
        matches = [
            Match(*each)
            for each in zip(names, indices, nearest.score[k].tolist(), weights, table, strict=True)
        ]
        value: Any = None if result.value is None else result.value[k]
        return cls(
            cue,
            matches,
            value.tolist() if hasattr(value, "tolist") else value,
            None if result.p_value is None else float(result.p_value[k]),
            result.accepted is None or bool(result.accepted[k]),
        )

    @property
    def name(self) -> str | int | None:
        """The name of the best match, None if it is not accepted."""
        return self.matches[0].name if self.accepted else None

    def facts(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        facts: dict[str, Any] = {"cue": self.cue, "answer": self.name}
        if self.value is not None:
            facts["value"] = self.value if self.accepted else None
        if self.p_value is not None:
            facts |= {"p_value": self.p_value, "accepted": self.accepted}
        if self.file is not None:
            facts["file"] = self.file
        facts["matches"] = [
            {name: entry for name, entry in vars(match).items() if not _is_empty(entry)}
            for match in self.matches
        ]
        return facts


def as_table(answers: Sequence[Answer]) -> str:
    """Return a line for each match, in aligned columns."""
    has_values = any(answer.value is not None for answer in answers)
    has_p = any(answer.p_value is not None for answer in answers)
    head = ["cue", "name", *["value"] * has_values, "score", "weight", *["p"] * has_p]
    lines = [head]
    for answer in answers:
        for rank, match in enumerate(answer.matches):
            first = rank == 0
            name = str(match.name)
            if first and not answer.accepted:
                name = f"{NONE} (nearest: {name})"
            value = _short(answer.value) if first and answer.accepted else ""
            p_value = f"{answer.p_value:.3g}" if first and answer.p_value is not None else ""
            weight = "" if match.weight is None else f"{match.weight:.3f}"
            score = f"{match.score + 0.0:.4g}"  # no "-0"
            lines.append(
                [answer.cue if first else "", name, *[value] * has_values, score, weight,
                 *[p_value] * has_p]
            )  # fmt: skip
    lines = [[re.sub(r"[^\S ]", " ", cell) for cell in line] for line in lines]  # no line breaks
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _is_empty(entry: object) -> bool:
    # JSON has no −∞, the score of a pattern that shares no known entry with the cue.
    return entry in (None, {}) or entry == -math.inf


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = "" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
