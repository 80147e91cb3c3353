"""The explanation of one answer: competitors and reasons, printed as text or given as records."""

from dataclasses import dataclass
from typing import Any

from ..iteration import Retrieval
from .table import table


@dataclass(frozen=True)
class Competitor:
    """One pattern and its part in the retrieval.

    Attributes:
        pattern: its index.
        score: its score at the cue, from the known entries.
        hidden: the score that the unknown entries would add as they stand in the cue; None without
            a mask.
        share: its share of the weights at the cue, |p_μ|/Σ|p|; in a network without weights its
            cosine with the state, the overlap for ±1.
        final: the same at the end.
    """

    pattern: int
    score: float
    hidden: float | None
    share: float
    final: float


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a cue ended where it did; printing it gives sentences and a table.

    Attributes:
        kind: "stored", "inverse" (the negative of a pattern), "mixture" or "spurious".
        competitors: the patterns with the largest shares, at the cue or the end; sorted by their
            final share, the largest first.
        n_effective: the number of patterns that make up 0.9 of the weights at the end.
        reasons: sentences.
        retrieval: the result of `retrieve`.
    """

    kind: str
    competitors: tuple[Competitor, ...]
    n_effective: int
    reasons: tuple[str, ...]
    retrieval: Retrieval

    def to_records(self) -> list[dict[str, Any]]:
        """Flat records: one for the whole, one per competitor."""
        result = self.retrieval
        whole = {
            "experiment": "explanation", "kind": self.kind, "pattern": int(result.index),
            "weight": float(result.weight), "n_effective": self.n_effective,
            "steps": int(result.steps), "converged": bool(result.converged),
            "energy": None if result.energy is None else float(result.energy),
            "reasons": list(self.reasons),
        }  # fmt: skip
        return [whole, *({"experiment": "competitor", **vars(one)} for one in self.competitors)]

    def __repr__(self) -> str:
        masked = self.competitors[0].hidden is not None
        lines = [["pattern", "score", *["hidden"] * masked, "at the cue", "at the end"]]
        for one in self.competitors:
            hidden = [] if one.hidden is None else [f"{one.hidden:.4g}"]
            shares = f"{one.share:.3f}", f"{one.final:.3f}"
            lines.append([str(one.pattern), f"{one.score:.4g}", *hidden, *shares])
        return "\n".join([*self.reasons, "", table(lines)])
