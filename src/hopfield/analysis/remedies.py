"""What would mend a memory: other settings, a finer precision, or fewer patterns."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError
from ..memories import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from ..separation import Separation, Softmax, TopK
from .binary import classical, dense
from .modern import MODELLED, modern
from .reduced import sharpness
from .rows import Rows, shell
from .verdicts import Verdicts

HARDEST = 64
"""Patterns of least margin by which β is chosen."""
DOUBLINGS = 12
"""From the β that two patterns of the least margin need at least."""


@dataclass(frozen=True, eq=False)
class Remedy:
    """Settings that mend it, and what they are predicted to do.

    Attributes:
        words: what to do.
        kind: class of the memory to use instead.
        settings: its constructor's arguments.
        kept: places of the patterns to keep; None keeps all.
        expected: what the diagnosis of the mended memory will count, by name.
        dtype: what to store them in; None leaves it.
    """

    words: str
    kind: type[Memory]
    settings: Mapping[str, Any]
    kept: Int[Tensor, " kept"] | None = None
    expected: Mapping[str, int] = field(default_factory=dict)
    dtype: torch.dtype | None = None

    def apply(self, memory: Memory) -> Memory:
        """A new memory with these settings and the patterns and values of this one, kept ones."""
        if not isinstance(memory, Memory):
            raise InputTypeError(
                f"memory must be the memory that was diagnosed, but is {short_repr(memory)}. "
                "Give that memory; a new one is returned."
            )
        mended = self.kind(**self.settings)
        patterns, values = memory.patterns, memory.values
        if self.kept is not None:
            patterns = patterns[self.kept]
            values = None if values is None else values[self.kept]
        patterns = patterns if self.dtype is None else patterns.to(self.dtype)
        mended.store(patterns, values)
        return mended


def predict(memory: Memory, rows: Rows, asked: Tensor | None = None) -> Verdicts:
    """Verdicts by the theory of the network."""
    places = torch.arange(rows.count, device=rows.device) if asked is None else asked
    if isinstance(memory, ClassicalHopfield):
        return classical(memory, rows, places)
    if isinstance(memory, DenseHopfield):
        return dense(memory, rows, places)
    if isinstance(memory, ModernHopfield):
        return modern(memory, rows, places)
    raise InputTypeError(
        f"memory must be a ClassicalHopfield, DenseHopfield or ModernHopfield, but is "
        f"{short_repr(memory)}. Use one of these."
    )


def counts(verdicts: Verdicts) -> dict[str, int]:
    """What a remedy promises."""
    return {"patterns": len(verdicts.fixed), "attractors": int(verdicts.attractor.sum())}


def plain(separation: Separation) -> Separation:
    """The same with numbers for what is learned."""
    tensors = {
        each.name: float(f"{float(value):.6g}")
        for each in fields(separation)
        if isinstance(value := getattr(separation, each.name), Tensor)
    }
    return replace(separation, **tensors)


def learned(separation: Separation) -> str:
    """Names of what is learned, in words."""
    names = {"beta": "β", "alpha": "α"}
    found = [each.name for each in fields(separation)
             if isinstance(getattr(separation, each.name), Tensor)]  # fmt: skip
    return " and ".join(names.get(name, name) for name in found)


def sharper(memory: ModernHopfield, rows: Rows, similarity: str) -> Remedy | None:
    """Settings under which all patterns hold, or as many as can: β, precision, fewer patterns."""
    config = memory.config() | {"similarity": similarity}
    if not isinstance(memory.separation, Softmax):
        config |= {"precision": "full"}
    best: tuple[Remedy, Verdicts] | None = None
    for draft in _drafts(memory, config):
        found = _fitted(memory, rows, draft)
        if found is None:
            continue
        if best is None or counts(found[1])["attractors"] > counts(best[1])["attractors"]:
            best = found
        if not bool(_failing(found[1], similarity).any()):
            break
    if best is None:
        return None
    remedy, verdicts = best
    failing = _failing(verdicts, similarity)
    if not bool(failing.any()):
        return remedy
    kept = _without(rows, verdicts, failing)
    fewer = _fitted(memory, rows, replace(remedy, kept=kept))
    return remedy if fewer is None else fewer[0]


def _failing(verdicts: Verdicts, similarity: str) -> Tensor:
    """Those that are lost, but not since another scores higher on them, however large β is."""
    lost = ~verdicts.attractor
    return lost if similarity == "euclidean" else lost & (verdicts.margin > 0)


def _drafts(memory: ModernHopfield, config: Mapping[str, Any]) -> Iterator[Remedy]:
    """What could be done before β is chosen."""
    yield Remedy("", type(memory), config)
    if memory.patterns.dtype != torch.float64:
        yield Remedy("", type(memory), config, dtype=torch.float64)


def _fitted(memory: ModernHopfield, rows: Rows, draft: Remedy) -> tuple[Remedy, Verdicts] | None:
    """A draft with the β it needs, in words and with what it will do."""
    same = draft.kept is None and draft.dtype is None
    other: Any = shell(memory, draft.settings) if same else draft.apply(memory)
    its = rows if same else Rows(other)
    chosen = _chosen(other, its)
    if chosen is None:
        return None
    mended = shell(other, dict(draft.settings) | {"separation": chosen})
    found = predict(mended, its)
    words = f"separation={chosen!r}"
    if mended.similarity != memory.similarity:
        words = f"similarity={mended.similarity!r} with {words}"
    parts = [f"Use {words}"]
    if draft.dtype is not None:
        now = str(memory.patterns.dtype).removeprefix("torch.")
        parts.append(f"store the patterns in float64, since {now} rounds their scores too much")
    if draft.kept is not None:
        gone = rows.count - len(draft.kept)
        parts.append(f"leave out {gone} that no precision here tells from another")
    said = "; ".join(parts) + "."
    if learned(memory.separation):
        said += (
            f" It has a number where {learned(memory.separation)} is learned now; to go on "
            "learning, begin there."
        )
    remedy = replace(draft, words=said, settings=mended.config(), expected=counts(found))
    return remedy, found


def _chosen(memory: ModernHopfield, rows: Rows) -> Separation | None:
    """TopK(1); of others the least of β, 2β, 4β … (and what lies between) that serves."""
    given = plain(memory.separation)
    if isinstance(given, TopK):  # the best alone, whatever β is
        return replace(given, k=1)
    modelled: Any = given if isinstance(given, MODELLED) else Softmax(1.0)

    def at(beta: float) -> ModernHopfield:
        found: ModernHopfield = shell(
            memory, memory.config() | {"separation": replace(modelled, beta=beta)}
        )
        return found

    start = max(float(modelled.beta), 1e-6)
    everything = torch.arange(rows.count, device=rows.device)
    verdicts = modern(at(start), rows, everything, follow=False)
    lead = verdicts.margin - verdicts.slack
    able = ((lead > 0) & lead.isfinite()).nonzero().squeeze(-1)
    hardest = able[lead[able].argsort()[:HARDEST]]
    if not len(hardest):
        return replace(modelled, beta=start)

    def holds(beta: float) -> bool:
        found = predict(at(beta), rows, hardest)
        return bool((found.attractor & (found.proved | ~found.rounded)).all())

    if holds(start):
        return replace(modelled, beta=start)
    scale = sharpness(modelled) / max(float(modelled.beta), 1e-300) or 1.0
    least = max(start, 1 / (scale * float(verdicts.margin[hardest[0]])))
    return replace(modelled, beta=_least(holds, start, least))


def _least(holds: Callable[[float], bool], start: float, beta: float) -> float:
    """The least of β, 2β, 4β … that serves, or the last; then what lies below."""
    for _ in range(DOUBLINGS):
        if holds(beta):
            break
        beta *= 2
    for _ in range(3):
        lower = beta / 2**0.5
        if lower <= start or not holds(lower):
            break
        beta = lower
    return rounded_up(beta)


def rounded_up(beta: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(beta)) - 1)
    return float(f"{math.ceil(beta / unit - 1e-9) * unit:.2g}")


def _without(rows: Rows, verdicts: Verdicts, failing: Tensor) -> Tensor:
    """Places that are left where of each failing pattern and its rival the later goes."""
    kept = torch.ones_like(failing)
    for place in failing.nonzero().squeeze(-1).tolist():
        first = int(rows.copy_of[place])
        other = int(rows.copy_of[verdicts.rival[place]])
        if bool(kept[first]) and bool(kept[other]):
            kept &= rows.copy_of != max(first, other)
    return kept.nonzero().squeeze(-1)
