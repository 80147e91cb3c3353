"""Explain why retrieval from one cue ended in the state that it reached."""

import math
from collections.abc import Iterator
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
from ..separation import Separation
from ..separation.prior import arguments
from ..similarity import cosine, dot
from .explanation import Competitor, Explanation
from .patterns import Patterns, scoring_of, unchanged
from .states import kinds_of_states, n_effective

MIN_OVERLAP = 0.95
"""Overlap of a ±1 state with a pattern, its negative or a mixture, at which it counts as that."""
MIXTURE_CANDIDATES = 32
"""Number of patterns, those with the largest overlaps, in which mixtures are searched."""
MOST_STEPS = 100
"""Limit of steps for `retrieve`."""
FEW_ZEROS = 0.1
"""Share of zeros in a cue below which no mask is suggested."""


def explain(
    memory: Memory, cue: Tensor | Cue, known: Tensor | None = None, *, top: int = 5
) -> Explanation:
    """Explain the retrieval from one cue: competing patterns, unknown entries, convergence.

    Args:
        memory: any memory with at least one pattern, or a binary network of a given coupling; it
            is not changed.
        cue: one cue, `(dim,)`, or a `Cue` of one.
        known: as for `retrieve`.
        top: the number of competitors to list.

    Raises:
        ShapeError: for more than one cue, and as `retrieve` does.
        InputTypeError, DomainError, OptionError: as `retrieve` does.
    """
    with unchanged(memory, allow_given=True), torch.no_grad():
        count, is_given = check_integer("top", top, low=1), not memory.storage.holds_patterns
        retrieval = memory.retrieve(cue, known, steps=MOST_STEPS, trace=is_given)
        if retrieval.steps.ndim:
            raise ShapeError(
                "cue must be one cue, of shape (dim,), but has shape "
                f"{tuple(retrieval.state.shape)}. Use one of them, such as cue[0]."
            )
        if is_given:
            return _explain_without_patterns(memory, retrieval)
        case = Case(memory, cue if isinstance(cue, Cue) else Cue(cue, known), retrieval)
        return case.explanation(min(count, len(memory)))


class Case:
    """One retrieval, with a score and a share per pattern, for the cue and for the final state.

    A share is the pattern's part of all weights. A network without weights has cosines instead,
    or overlaps for ±1.

    Attributes:
        score: scores of the cue, from its known entries, `(n,)`.
        unknown_score: the scores that the unknown entries would add, `(n,)`; None without a mask.
        final_score: scores of the final state, `(n,)`.
        share: shares at the cue, `(n,)`.
        final: shares at the final state, `(n,)`.
        index: the strongest pattern at the final state.
        is_judged_by_weights: True if weights decide whether the final state is a pattern; False
            if overlaps do.
    """

    def __init__(self, memory: Memory, cue: Cue, retrieval: Retrieval) -> None:
        self.memory, self.retrieval, self.patterns = memory, retrieval, Patterns(memory)
        self.known, self.cue = cue.known, cue.state.nan_to_num()
        self.prior = memory.storage.prior
        scoring = scoring_of(memory)
        without_weights = dot if memory.binary else cosine
        self.separation: Separation | None
        self.similarity, self.separation = scoring or (without_weights, None)
        self.is_judged_by_weights = not memory.binary and scoring is not None
        # An unknown unit of a binary network is 0 at the cue, and counts when it is decided.
        known = None if memory.binary else cue.known
        seen = self.cue if cue.known is None else torch.where(cue.known, self.cue, 0.0)
        self.score = self._scores(seen, known)
        self.unknown_score = None if cue.known is None else self._scores(self.cue) - self.score
        self.final_score = self._scores(retrieval.state, known)
        self.share, self.final = self._shares(self.score), self._shares(self.final_score)
        self.index = int(retrieval.index)

    def _scores(self, state: Tensor, known: Tensor | None = None) -> Float[Tensor, " n"]:
        return self.patterns.scores(state[None], self.similarity, known)[0]

    def _shares(self, scores: Tensor) -> Float[Tensor, " n"]:
        if self.separation is None:
            return scores / self.patterns.dim if self.memory.binary else scores
        weights = self.separation(*arguments(scores, self.prior))
        return weights / weights.abs().sum().clamp_min(torch.finfo(weights.dtype).tiny)

    def explanation(self, count: int) -> Explanation:
        """Return the explanation, with `count` competitors."""
        share, final = self.share.abs(), self.final.abs()
        # Scores break ties of shares that are 0 by rounding.
        top = _order(torch.maximum(share, final), self.score)[:count]
        top = top[_order(final[top], share[top], self.score[top])]
        columns = [self.score, self.unknown_score, self.share, self.final]
        values = [[None] * count if c is None else c[top].tolist() for c in columns]
        competitors = tuple(map(Competitor, top.tolist(), *values))
        kind, effective = self._find_kind(), int(n_effective(final))
        reasons = (
            self._describe_end(kind, effective),
            *self._compare_leaders(),
            *self._describe_mask(),
            _describe_settling(self.memory, self.retrieval),
        )
        return Explanation(kind, competitors, effective, reasons, self.retrieval)

    def _find_kind(self) -> str:
        if self.is_judged_by_weights:
            weight = float(self.retrieval.weight) * float(self.patterns.copies[self.index])
            return "stored" if weight > PATTERN_WEIGHT else "mixture"
        near = self.final_score.abs().topk(min(MIXTURE_CANDIDATES, len(self.score))).indices
        state = self.retrieval.state[None].double()
        masks = kinds_of_states(self.patterns.take(near), state, MIN_OVERLAP)
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
        """Compare the two patterns with the highest scores at the cue."""
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
            times, settings = math.exp(min(float(beta) * lead, 700.0)), f"β = {float(beta):.4g}"
            if self.prior is not None:
                own, other = (float(self.prior[index]) for index in (first, second))
                times *= own / other
                settings += f" and with priors {own:.3g} and {other:.3g}"
            sentence += f": at {settings} its weight is {times:.3g} times the other's"
        yield sentence + "."
        if first != self.index:
            yield f"The dynamics then led from it to pattern {self.index}."

    def _describe_mask(self) -> Iterator[str]:
        """Say which pattern would lead without the mask, or if zeros in the cue were masked."""
        first = int(self.score.argmax())
        if self.unknown_score is not None and self.known is not None:
            other = int((self.score + self.unknown_score).argmax())
            gain = float(self.unknown_score[other] - self.unknown_score[first])
            effect = f"with them pattern {other} would lead: they would add {gain:.4g} more to its "
            effect += f"score than to that of pattern {first}."
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


def _explain_without_patterns(memory: Any, retrieval: Retrieval) -> Explanation:
    # Of a given coupling, which has neither patterns nor scores.
    is_cycle = retrieval.period is not None and int(retrieval.period) > 1
    kind = "fixed point" if bool(retrieval.converged) else "cycle" if is_cycle else "unsettled"
    reasons = [_describe_settling(memory, retrieval)]
    if retrieval.trace is not None and retrieval.energy is not None:
        first, last = float(retrieval.trace[0]) + 0.0, float(retrieval.energy) + 0.0  # no −0
        reasons.append(f"The energy went from {first:.4g} to {last:.4g}.")
    margin = retrieval.state * memory.field(retrieval.state)
    unit, against = int(margin.argmin()), int((margin < 0).sum())
    reasons.append(
        f"{against} of {len(margin)} units are against their fields."
        if against
        else f"The least field is that of unit {unit}, {float(margin[unit].abs()):.4g} its way."
    )
    return Explanation(kind, (), 0, tuple(reasons), retrieval)


def _describe_settling(memory: Memory, retrieval: Retrieval) -> str:
    config, steps = memory.config(), int(retrieval.steps)
    after = f"after {steps} step{'s' * (steps != 1)}"
    if bool(retrieval.converged):
        return f"It settled {after}."
    if not memory.settles:
        temperature = f"temperature {config['temperature']:g}"
        return f"It did not settle: at {temperature} units flip by chance."
    has_energy = retrieval.energy is not None
    if steps == MOST_STEPS:
        advice = "give retrieve more steps"
        advice = advice if has_energy else "without an energy it need not settle"
        return f"It had not settled {after}; {advice}."
    period = 0 if retrieval.period is None else int(retrieval.period)
    if period > 1:
        cycle = "two states alternate" if period == 2 else f"a cycle of {period} states repeats"
        is_curable = has_energy and config.get("schedule") == "synchronous"
        remedy = "; schedule='asynchronous' settles" * is_curable
        return f"{after.capitalize()} {cycle}{remedy}."
    return "Some units have no value: no known entry decides them. Make more entries known."


def _order(*keys: Tensor) -> Tensor:
    """Indices sorted by the first key, its ties by the next; largest first."""
    order = numpy.lexsort([-key.cpu().numpy() for key in reversed(keys)])
    return torch.from_numpy(order).to(keys[0].device)
