"""Explain why one cue ended where it did."""

import math
from collections.abc import Iterator

import numpy
import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer
from ..cue import Cue
from ..errors import ShapeError
from ..iteration import PATTERN_WEIGHT, Retrieval
from ..memories import Memory
from ..separation import Separation
from ..similarity import cosine, dot
from .explanation import Competitor, Explanation
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
        final_score: scores at the end, `(n,)`.
        share: shares of the weights at the cue, `(n,)`; cosines (±1: overlaps) without weights.
        final: the same at the end.
        index: the strongest pattern at the end.
    """

    def __init__(self, memory: Memory, cue: Cue, retrieval: Retrieval) -> None:
        self.memory, self.retrieval, self.patterns = memory, retrieval, Patterns(memory)
        self.known, self.cue = cue.known, cue.state.nan_to_num()
        scoring = scoring_of(memory)
        without_weights = dot if memory.binary else cosine
        self.separation: Separation | None
        self.similarity, self.separation = scoring or (without_weights, None)
        self.is_judged_by_weights = not memory.binary and scoring is not None
        # An unknown unit of a binary network is 0 at the cue, and counts when it is decided.
        known = None if memory.binary else cue.known
        seen = self.cue if cue.known is None else torch.where(cue.known, self.cue, 0.0)
        self.score = self._scores(seen, known)
        self.hidden = None if cue.known is None else self._scores(self.cue) - self.score
        self.final_score = self._scores(retrieval.state, known)
        self.share, self.final = self._shares(self.score), self._shares(self.final_score)
        self.index = int(retrieval.index)

    def _scores(self, state: Tensor, known: Tensor | None = None) -> Float[Tensor, " n"]:
        return self.patterns.scores(state[None], self.similarity, known)[0]

    def _shares(self, scores: Tensor) -> Float[Tensor, " n"]:
        if self.separation is None:
            return scores / self.patterns.dim if self.memory.binary else scores
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
        kind, effective = self._find_kind(), int(n_effective(final))
        reasons = (
            self._describe_end(kind, effective),
            *self._compare_leaders(),
            *self._describe_mask(),
            self._describe_settling(),
        )
        return Explanation(kind, competitors, effective, reasons, self.retrieval)

    def _find_kind(self) -> str:
        if self.is_judged_by_weights:
            weight = float(self.retrieval.weight) * int(self.patterns.copies[self.index])
            return "stored" if weight > PATTERN_WEIGHT else "mixture"
        near = self.final_score.abs().topk(min(CLOSE, len(self.score))).indices
        masks = kinds_of_states(self.patterns.take(near), self.retrieval.state[None].double(), NEAR)
        return next(name for name, mask in masks.items() if bool(mask))

    def _describe_end(self, kind: str, effective: int) -> str:
        is_binary, share = self.memory.binary, "share of the weights"
        if self.separation is None:
            share = "overlap" if is_binary else "cosine"
        nearest = f"pattern {self.index}, whose {share} is {float(self.final[self.index]):.3f}."
        parts = f"{effective} patterns make up 0.9 of the weights, "
        parts = parts if self.is_judged_by_weights else ""
        why = ": without thresholds both have the same energy" if is_binary else ""
        ends = {
            "stored": nearest,
            "inverse": f"the negative of pattern {int(self.final_score.argmin())}{why}.",
            "spurious": f"a spurious state, nearest to {nearest}",
            "mixture": f"a mixture: {parts}the first is {nearest}",
        }
        return f"It ended at {ends[kind]}"

    def _compare_leaders(self) -> Iterator[str]:
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
        if first != self.index:
            yield f"The dynamics then led from it to pattern {self.index}."

    def _describe_mask(self) -> Iterator[str]:
        """Compare with the other reading of the cue: without its mask, or with one."""
        first = int(self.score.argmax())
        if self.hidden is not None and self.known is not None:
            other = int((self.score + self.hidden).argmax())
            gain = float(self.hidden[other] - self.hidden[first])
            effect = f"as they stand they would give pattern {other} {gain:.4g} more than pattern "
            effect += f"{first}, and the lead."
            if other == first:
                effect = "with them the same pattern would lead."
            unknown = f"{int((~self.known).sum())} of {self.known.numel()} entries are unknown"
            yield f"{unknown} and added nothing; {effect}"
            return
        zeros = self.cue == 0
        if not self.memory.binary and FEW_ZEROS <= float(zeros.double().mean()) < 1:
            other = int(self._scores(self.cue, ~zeros).argmax())
            if other != first:
                yield (
                    f"{int(zeros.sum())} entries are 0 and counted as evidence. If they are "
                    f"missing, use known=cue != 0: pattern {other} would lead."
                )

    def _describe_settling(self) -> str:
        config, steps = self.memory.config(), int(self.retrieval.steps)
        temperature = config.get("temperature", 0.0)
        after = f"after {steps} step{'s' * (steps != 1)}"
        if bool(self.retrieval.converged):
            return f"It settled {after}."
        if temperature > 0:
            return f"It did not settle: at temperature {temperature:g} units flip by chance."
        if steps == STEPS:
            return f"It had not settled {after}; give retrieve more steps."
        if config.get("schedule") == "synchronous":
            return f"{after.capitalize()} two states alternate; schedule='asynchronous' settles."
        return "The known entries decide no value of some unit. Make more entries known."


def _order(*keys: Tensor) -> Tensor:
    """Indices sorted by the first key, its ties by the next; largest first."""
    order = numpy.lexsort([-key.cpu().numpy() for key in reversed(keys)])
    return torch.from_numpy(order).to(keys[0].device)
