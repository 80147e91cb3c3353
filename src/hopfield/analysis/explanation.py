"""The result of `explain`: the strongest patterns, and sentences that say why one of them won."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..iteration import Retrieval
from .table import table


@dataclass(frozen=True)
class Competitor:
    """One stored pattern, with its score and its share of the weights in one retrieval.

    Attributes:
        pattern: the index of the pattern.
        score: the score at the cue, from the known entries alone.
        unknown_score: the score that the unknown entries of the cue would add if they counted;
            None without a mask.
        share: the share of the weights at the cue, |p_μ|/Σ|p|. A network without weights has the
            cosine of pattern and cue instead; for ±1 this is the overlap.
        final: the share, or cosine, at the final state of the retrieval.
    """

    pattern: int
    score: float
    unknown_score: float | None
    share: float
    final: float


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """An account of one retrieval; printing it gives sentences and a table.

    Attributes:
        kind: the kind of the final state: "stored", "inverse" (the negative of a pattern),
            "mixture" or "spurious"; of a network of a given coupling, "fixed point", "cycle" or
            "unsettled".
        competitors: the patterns with the largest shares, at the cue or at the final state; sorted
            by their final share, the largest first.
        n_effective: the number of patterns that make up 0.9 of the weights at the final state.
        reasons: sentences that explain the final state.
        retrieval: the result of `retrieve`.
    """

    kind: str
    competitors: tuple[Competitor, ...]
    n_effective: int
    reasons: tuple[str, ...]
    retrieval: Retrieval

    def to_records(self) -> list[dict[str, Any]]:
        """Return flat records: one of the whole retrieval, then one per competitor."""
        result = self.retrieval
        whole = {
            "experiment": "explanation", "kind": self.kind, "pattern": _number(result.index),
            "weight": _number(result.weight), "n_effective": self.n_effective,
            "steps": int(result.steps), "converged": bool(result.converged),
            "energy": _number(result.energy),
            "reasons": list(self.reasons),
        }  # fmt: skip
        return [whole, *({"experiment": "competitor", **vars(one)} for one in self.competitors)]

    def __repr__(self) -> str:
        if not self.competitors:
            return "\n".join(self.reasons)
        has_mask = self.competitors[0].unknown_score is not None
        lines = [["pattern", "score", *["unknown"] * has_mask, "at the cue", "at the end"]]
        for one in self.competitors:
            unknown = [] if one.unknown_score is None else [f"{one.unknown_score:.4g}"]
            shares = f"{one.share:.3f}", f"{one.final:.3f}"
            lines.append([str(one.pattern), f"{one.score:.4g}", *unknown, *shares])
        return "\n".join([*self.reasons, "", table(lines)])


def _number(value: Tensor | None) -> float | int | None:
    return None if value is None else value.item()
