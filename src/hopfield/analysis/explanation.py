"""Why one cue ended where it did."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import check_integer, short_repr
from ..cue import Cue
from ..errors import InputTypeError, ShapeError
from ..iteration import HALF, Retrieval
from ..memories import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from ..separation import Softmax
from ..similarity import as_similarity
from .ends import carrying, kind

NEAR = 0.95
"""Overlap from which a ±1 state is taken for a pattern, its negative, or a mixture."""
CLOSE = 32
"""Patterns that a mixture is looked for among."""
STEPS = 100


@dataclass(frozen=True)
class Competitor:
    """One pattern that had a part in it.

    Attributes:
        pattern: its place.
        score: at the cue, as far as entries counted.
        hidden: what the entries that did not count would have added to it, as they stand in the
            cue; None without a mask.
        share: of the weights at the cue: |p_μ|/Σ|p|; classical: its overlap.
        final: the same where the dynamics ended.
    """

    pattern: int
    score: float
    hidden: float | None
    share: float
    final: float


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a cue ended where it did; printing it says so in words.

    Attributes:
        kind: "stored", "inverse" (the negative of a stored pattern), "mixture" or "spurious".
        competitors: patterns of the largest shares at the cue and at the end, largest first.
        carrying: how many patterns make up .9 of the weights at the end.
        reasons: sentences.
        found: what `retrieve` returned.
    """

    kind: str
    competitors: tuple[Competitor, ...]
    carrying: int
    reasons: tuple[str, ...]
    found: Retrieval

    def to_records(self) -> list[dict[str, Any]]:
        """Flat records: one of the whole, one a competitor."""
        whole = {
            "experiment": "explanation", "kind": self.kind, "pattern": int(self.found.index),
            "weight": float(self.found.weight), "carrying": self.carrying,
            "steps": int(self.found.steps), "converged": bool(self.found.converged),
            "energy": None if self.found.energy is None else float(self.found.energy),
            "reasons": list(self.reasons),
        }  # fmt: skip
        return [whole, *({"experiment": "competitor", **vars(each)} for each in self.competitors)]

    def __repr__(self) -> str:
        """The reasons, and a table of the competitors."""
        hidden = any(each.hidden is not None for each in self.competitors)
        head = f"{'pattern':>7}  {'score':>9}" + f"  {'hidden':>9}" * hidden
        lines = [f"{head}  {'at the cue':>10}  {'at the end':>10}"]
        for each in self.competitors:
            part = "" if each.hidden is None else f"  {each.hidden:9.4g}"
            begun = f"{each.pattern:>7}  {each.score:9.4g}{part}"
            lines.append(f"{begun}  {each.share:10.3f}  {each.final:10.3f}")
        return "\n".join([*self.reasons, "", *lines])


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores and shares of every pattern, at the cue and at the end, `(n,)` each."""

    start: Float[Tensor, " n"]
    hidden: Float[Tensor, " n"] | None
    share: Float[Tensor, " n"]
    final: Float[Tensor, " n"]


def explain(
    memory: Memory, cue: Tensor | Cue, known: Tensor | None = None, *, top: int = 5
) -> Explanation:
    """Say why one cue ends where it does: who competed, what was hidden, how it settled.

    Args:
        memory: holds at least one pattern, and is left alone.
        cue: one cue, `(dim,)`, or a `Cue` of one.
        known: as for `retrieve`.
        top: how many competitors to name.

    Raises:
        ShapeError, InputTypeError, DomainError, OptionError: as `retrieve` does, and for more cues
            than one.
    """
    if not isinstance(memory, Memory):
        raise InputTypeError(
            "memory must be a ClassicalHopfield, DenseHopfield or ModernHopfield, but is "
            f"{short_repr(memory)}. Store the patterns in one of these."
        )
    count = check_integer("top", top, low=1)
    found = memory.retrieve(cue, known, steps=STEPS)
    if found.steps.ndim:
        raise ShapeError(
            f"cue must be one cue, of shape (dim,), but holds {tuple(found.steps.shape)} of them. "
            "Give one of them, as in cue[0]."
        )
    asked = cue if isinstance(cue, Cue) else Cue(cue, known)
    with torch.no_grad():
        scored = _scored(memory, asked, found.state)
        best = torch.maximum(scored.share.abs(), scored.final.abs())
        named = best.topk(min(count, len(memory))).indices
        named = named[scored.final[named].abs().argsort(descending=True, stable=True)]
        ended = _kind(memory, found.state, scored.final)
        k = int(carrying(scored.final.abs()))
        competitors = tuple(
            Competitor(
                place,
                float(scored.start[place]),
                None if scored.hidden is None else float(scored.hidden[place]),
                float(scored.share[place]),
                float(scored.final[place]),
            )
            for place in named.tolist()
        )
        reasons = tuple(_reasons(memory, asked, found, scored, ended))
    return Explanation(ended, competitors, k, reasons, found)


def _scored(memory: Memory, asked: Cue, end: Tensor) -> Scored:
    """Scores by what counts, what is hidden from them, and shares."""
    similarity: Callable[..., Tensor] = as_similarity(getattr(memory, "similarity", "dot"))
    rows = memory.patterns
    if isinstance(memory, ModernHopfield):
        start, mask = asked.state.nan_to_num(), asked.known
    else:  # what is not known is 0 and adds nothing
        start = asked.state if asked.known is None else torch.where(asked.known, asked.state, 0.0)
        mask = None
    counted = similarity(rows, start, mask)
    hidden = None
    if asked.known is not None:
        hidden = similarity(rows, asked.state.nan_to_num(), None) - counted
    final = similarity(rows, end, mask if _clamped(memory, asked) else None)
    return Scored(
        counted.double(),
        None if hidden is None else hidden.double(),
        _shares(memory, counted),
        _shares(memory, final),
    )


def _clamped(memory: Memory, asked: Cue) -> bool:
    """Whether known entries alone count to the end."""
    return isinstance(memory, ModernHopfield) and asked.known is not None


def _shares(memory: Memory, scores: Tensor) -> Tensor:
    """Weights as shares of their sum; overlaps, where there are no weights."""
    if isinstance(memory, (ModernHopfield, DenseHopfield)):
        weights = memory.separation(scores.double())
        total = weights.abs().sum().clamp_min(torch.finfo(weights.dtype).tiny)
        return weights / total
    return scores.double() / memory.patterns.shape[-1]


def _kind(memory: Memory, state: Tensor, final: Tensor) -> str:
    """What the end is: by weights where states are continuous, by overlaps where they are ±1."""
    if isinstance(memory, ModernHopfield):
        same = (memory.patterns == memory.patterns[final.argmax()]).all(-1)
        return "stored" if float(final[same].sum()) > HALF else "mixture"
    overlap = memory.patterns.to(state.dtype) @ state
    near = overlap.abs().topk(min(CLOSE, len(overlap))).indices
    found = kind(memory.patterns[near], state[None].to(memory.patterns.dtype), NEAR)
    return next(name for name, hit in found.items() if bool(hit))


def _reasons(
    memory: Memory, asked: Cue, found: Retrieval, scored: Scored, ended: str
) -> Iterator[str]:
    yield _where(memory, found, scored, ended)
    yield from _lead(memory, found, scored)
    yield from _masked(memory, asked, scored)
    yield _settling(memory, found)


def _where(memory: Memory, found: Retrieval, scored: Scored, ended: str) -> str:
    """What it ended at."""
    place, share = int(found.index), float(scored.final[int(found.index)])
    named = "overlap" if isinstance(memory, ClassicalHopfield) else "share of the weights"
    if ended == "stored":
        return f"It ended at pattern {place}, whose {named} is {share:.3f}."
    if ended == "inverse":
        overlaps = memory.patterns.to(found.state.dtype) @ found.state
        return (
            f"It ended at the negative of pattern {int(overlaps.argmin())}: without thresholds a "
            "state and its negative have the same energy."
        )
    if ended == "mixture" and isinstance(memory, ModernHopfield):
        k = int(carrying(scored.final))
        return (
            f"It ended at a mixture: {k} patterns make up 0.9 of the weight, and the strongest, "
            f"pattern {place}, has {share:.3f}."
        )
    what = "a spurious state, stored by nobody"
    if ended == "mixture":
        what = "a mixture of several patterns"
    return f"It ended at {what}; the nearest pattern is {place}, its {named} {share:.3f}."


def _lead(memory: Memory, found: Retrieval, scored: Scored) -> Iterator[str]:
    """Who led at the cue, by how much."""
    if len(scored.start) < 2:
        yield "No other pattern is stored."
        return
    best, place = scored.start.topk(2)
    lead = float(best[0] - best[1])
    first, second = place.tolist()
    words = (
        f"At the cue pattern {first} scored highest, {lead:.4g} more than pattern {second}"
        if lead > 0
        else f"At the cue patterns {first} and {second} scored alike"
    )
    separation = getattr(memory, "separation", None)
    if isinstance(separation, Softmax) and lead > 0:
        beta = float(separation.beta)
        times = math.exp(min(beta * lead, 700.0))
        words += f": at β = {beta:.4g} its weight is {times:.3g} times the other's"
    yield words + "."
    if first != int(found.index) and lead > 0:
        yield f"The dynamics then led from it to pattern {int(found.index)}."


def _masked(memory: Memory, asked: Cue, scored: Scored) -> Iterator[str]:
    """What the mask changed, or would change if there were one."""
    if scored.hidden is not None and asked.known is not None:
        missing = int((~asked.known).sum())
        first = int(scored.start.argmax())
        other = int((scored.start + scored.hidden).argmax())
        words = f"{missing} of {asked.known.numel()} entries are not known and added nothing"
        if other == first:
            yield f"{words}; had they counted as they stand, the same pattern would lead."
        else:
            gained = float(scored.hidden[other] - scored.hidden[first])
            yield (
                f"{words}; had they counted as they stand, they would have given pattern {other} "
                f"{gained:.4g} more than pattern {first}, and the lead."
            )
    elif isinstance(memory, ModernHopfield):
        empty = asked.state == 0
        shown = ~empty
        if 10 * int(empty.sum()) < empty.numel() or not bool(shown.any()):
            return
        similarity: Callable[..., Tensor] = memory.similarity
        masked = similarity(memory.patterns, asked.state, shown)
        other, first = int(masked.argmax()), int(scored.start.argmax())
        if other != first:
            yield (
                f"{int(empty.sum())} entries are 0 and counted as evidence. If they are missing, "
                f"say so with known=cue != 0: pattern {other} would lead."
            )


def _settling(memory: Memory, found: Retrieval) -> str:
    """How it stopped."""
    steps = int(found.steps)
    times = f"{steps} {'step' if steps == 1 else 'steps'}"
    if bool(found.converged):
        return f"It settled after {times}."
    heat = getattr(memory, "temperature", 0.0)
    if heat > 0:
        return f"It did not settle: at temperature {heat:g} units flip by chance."
    if getattr(memory, "schedule", "") == "synchronous" and steps < STEPS:
        return (
            f"It did not settle: after {times} two states follow one another for ever. With "
            "schedule='asynchronous' it would settle."
        )
    if steps < STEPS:
        return "Nothing that is known speaks for either value of some unit. Say more entries."
    return f"It had not settled after {times}; give retrieve more steps."
