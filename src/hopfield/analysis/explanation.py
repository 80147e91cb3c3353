"""Explain why one cue ended where it did."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from ..cue import Cue
from ..errors import ShapeError
from ..iteration import PATTERN_WEIGHT, Retrieval
from ..memories import Memory
from ..similarity import dot
from .patterns import Patterns, check_memory, scoring_of
from .states import kinds_of_states, n_effective

NEAR = 0.95
"""Overlap from which a ±1 state counts as a pattern, its negative, or a mixture."""
CLOSE = 32
"""Patterns of which a mixture may consist: those with the largest overlaps."""
STEPS = 100
"""Most steps of `retrieve`."""
FEW_ZEROS = 0.1
"""Share of zeros in a cue below which no mask is suggested."""


@dataclass(frozen=True)
class Competitor:
    """One pattern and its part in the retrieval.

    Attributes:
        pattern: its index.
        score: its score at the cue, from the known entries.
        hidden: the score that the unknown entries would add as they stand in the cue; None without
            a mask.
        share: its share of the weights at the cue, |p_μ|/Σ|p|; its overlap in a network without
            weights.
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
        return [whole, *({"experiment": "competitor", **vars(each)} for each in self.competitors)]

    def __repr__(self) -> str:
        """The sentences, and a table of the competitors."""
        masked = self.competitors[0].hidden is not None
        lines = ["pattern      score" + "     hidden" * masked + "  at the cue  at the end"]
        for each in self.competitors:
            hidden = "" if each.hidden is None else f"  {each.hidden:9.4g}"
            lines.append(
                f"{each.pattern:>7}  {each.score:9.4g}{hidden}  {each.share:10.3f}  "
                f"{each.final:10.3f}"
            )
        return "\n".join([*self.reasons, "", *lines])


def explain(
    memory: Memory, cue: Tensor | Cue, known: Tensor | None = None, *, top: int = 5
) -> Explanation:
    """Explain where one cue ends: who competed, what was hidden, how it settled.

    Args:
        memory: any memory with at least one pattern; it is left alone.
        cue: one cue, `(dim,)`, or a `Cue` of one.
        known: as for `retrieve`.
        top: the number of competitors to list.

    Raises:
        ShapeError: for more than one cue, and as `retrieve` does.
        InputTypeError, DomainError, OptionError: as `retrieve` does.
    """
    check_memory(memory)
    count = check_integer("top", top, low=1)
    retrieval = memory.retrieve(cue, known, steps=STEPS)
    if retrieval.steps.ndim:
        raise ShapeError(
            f"cue must be one cue, of shape (dim,), but has shape {tuple(retrieval.state.shape)}. "
            "Use one of them, such as cue[0]."
        )
    with torch.no_grad():
        case = Case(memory, cue if isinstance(cue, Cue) else Cue(cue, known), retrieval)
        return case.explanation(min(count, len(memory)))


class Case:
    """One retrieval, with the scores and shares of all patterns at its cue and at its end.

    Attributes:
        score: scores at the cue, from the known entries, `(n,)`.
        hidden: the scores that the unknown entries would add, `(n,)`, or None.
        share: shares of the weights at the cue, `(n,)`; overlaps without weights.
        final: the same at the end.
    """

    def __init__(self, memory: Memory, cue: Cue, retrieval: Retrieval) -> None:
        """Score all patterns."""
        self.memory, self.retrieval, self.patterns = memory, retrieval, Patterns(memory)
        self.known, self.cue = cue.known, cue.state.nan_to_num()
        scoring = scoring_of(memory)
        self.similarity = dot if scoring is None else scoring[0]
        self.separation = None if scoring is None else scoring[1]
        # An unknown unit of a binary network is 0 at the cue, and counts when it is decided.
        known = None if memory.binary else cue.known
        seen = self.cue if cue.known is None else torch.where(cue.known, self.cue, 0.0)
        self.score = self._scores(seen, known)
        self.hidden = None if cue.known is None else self._scores(self.cue) - self.score
        self.share = self._shares(self.score)
        self.final = self._shares(self._scores(retrieval.state, known))

    def _scores(self, state: Tensor, known: Tensor | None = None) -> Float[Tensor, " n"]:
        return self.patterns.scores(state[None], self.similarity, known)[0]

    def _shares(self, scores: Tensor) -> Float[Tensor, " n"]:
        if self.separation is None:
            return scores / self.patterns.dim
        weights = self.separation(scores)
        return weights / weights.abs().sum().clamp_min(torch.finfo(weights.dtype).tiny)

    def explanation(self, count: int) -> Explanation:
        """Assemble the result with this number of competitors."""
        share, final = self.share.abs(), self.final.abs()
        # Scores break ties of shares that are 0 by rounding.
        top = _order(torch.maximum(share, final), self.score)[:count]
        top = top[_order(final[top], share[top], self.score[top])]
        columns = [self.score, self.hidden, self.share, self.final]
        values = [[None] * count if c is None else c[top].tolist() for c in columns]
        competitors = tuple(map(Competitor, top.tolist(), *values))
        kind, effective = self._kind(), int(n_effective(final))
        reasons = (self._end(kind, effective), *self._lead(), *self._mask(), self._settling())
        return Explanation(kind, competitors, effective, reasons, self.retrieval)

    def _kind(self) -> str:
        """By weights where states are continuous, by overlaps where they are ±1."""
        if not self.memory.binary:
            index = int(self.retrieval.index)
            weight = float(self.retrieval.weight) * int(self.patterns.copies[index])
            return "stored" if weight > PATTERN_WEIGHT else "mixture"
        overlaps = self._scores(self.retrieval.state)
        near = overlaps.abs().topk(min(CLOSE, len(overlaps))).indices
        masks = kinds_of_states(self.patterns.take(near), self.retrieval.state[None].double(), NEAR)
        return next(name for name, mask in masks.items() if bool(mask))

    def _end(self, kind: str, effective: int) -> str:
        index = int(self.retrieval.index)
        named = "overlap" if self.separation is None else "share of the weights"
        own = f"pattern {index}, whose {named} is {float(self.final[index]):.3f}."
        if kind == "stored":
            return f"It ended at {own}"
        if kind == "inverse":
            opposite = int(self._scores(self.retrieval.state).argmin())
            return (
                f"It ended at the negative of pattern {opposite}: without thresholds both have the "
                "same energy."
            )
        if kind == "spurious":
            return f"It ended at a spurious state, nearest to {own}"
        parts = "" if self.memory.binary else f"{effective} patterns make up 0.9 of the weights, "
        return f"It ended at a mixture: {parts}the first is {own}"

    def _lead(self) -> Iterator[str]:
        """Name the two best patterns at the cue."""
        if len(self.score) < 2:
            yield "No other pattern is stored."
            return
        best, indices = self.score.topk(2)
        first, second = indices.tolist()
        lead = float(best[0] - best[1])
        if lead <= 0:
            yield f"At the cue patterns {first} and {second} scored alike."
            return
        sentence = f"At the cue pattern {first} scored highest, {lead:.4g} more than {second}"
        beta = None if self.separation is None else self.separation.softmax_beta()
        if beta is not None:
            times = math.exp(min(float(beta) * lead, 700.0))
            sentence += f": at β = {float(beta):.4g} its weight is {times:.3g} times the other's"
        yield sentence + "."
        if first != int(self.retrieval.index):
            yield f"The dynamics then led from it to pattern {int(self.retrieval.index)}."

    def _mask(self) -> Iterator[str]:
        """Compare with the other reading of the cue: without its mask, or with one."""
        first = int(self.score.argmax())
        if self.hidden is not None and self.known is not None:
            other = int((self.score + self.hidden).argmax())
            text = f"{int((~self.known).sum())} of {self.known.numel()} entries are unknown"
            if other == first:
                yield f"{text} and added nothing; with them the same pattern would lead."
            else:
                gain = float(self.hidden[other] - self.hidden[first])
                yield (
                    f"{text} and added nothing; as they stand they would give pattern {other} "
                    f"{gain:.4g} more than pattern {first}, and the lead."
                )
            return
        zeros = self.cue == 0
        if not self.memory.binary and FEW_ZEROS <= float(zeros.double().mean()) < 1:
            other = int(self._scores(self.cue, ~zeros).argmax())
            if other != first:
                yield (
                    f"{int(zeros.sum())} entries are 0 and counted as evidence. If they are "
                    f"missing, use known=cue != 0: pattern {other} would lead."
                )

    def _settling(self) -> str:
        config, steps = self.memory.config(), int(self.retrieval.steps)
        after = f"after {steps} step{'s' * (steps != 1)}"
        if bool(self.retrieval.converged):
            return f"It settled {after}."
        if config.get("temperature", 0.0) > 0:
            heat = config["temperature"]
            return f"It did not settle: at temperature {heat:g} units flip by chance."
        if steps == STEPS:
            return f"It had not settled {after}; give retrieve more steps."
        if config.get("schedule") == "synchronous":
            return f"{after.capitalize()} two states alternate; schedule='asynchronous' settles."
        return "The known entries decide no value of some unit. Make more entries known."


def _order(*keys: Tensor) -> Tensor:
    """Indices sorted by the first key, its ties by the next; largest first."""
    order = numpy.lexsort([-key.cpu().numpy() for key in reversed(keys)])
    return torch.from_numpy(order).to(keys[0].device)
