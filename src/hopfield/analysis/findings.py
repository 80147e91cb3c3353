"""What is wrong with a memory, why, and what would mend it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..memories import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from ..separation import TopK
from ..units import saturated_beta
from .remedies import Remedy, counts, learned, plain, predict, rounded_up, sharper
from .rows import Rows, shell
from .verdicts import Verdicts

NEAR = 0.25
"""Near-duplicates are this near, in units of the median distance to the nearest."""
NAMES = {"dot": "the dot product", "euclidean": "the Euclidean distance", "cosine": "the cosine",
         "correlation": "correlation", "manhattan": "the Manhattan distance"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Finding:
    """Something that keeps patterns from being recalled.

    Attributes:
        name: what it is, in a word.
        cause: why, in a sentence.
        patterns: places of the patterns it concerns.
        remedy: what mends it; None where nothing was found that does.
    """

    name: str
    cause: str
    patterns: Int[Tensor, " concerned"]
    remedy: Remedy | None

    def __str__(self) -> str:
        """Cause, remedy and predicted effect."""
        if self.remedy is None:
            return f"{self.cause}\n  No remedy was found."
        told = ", ".join(f"{name} {count}" for name, count in self.remedy.expected.items())
        return f"{self.cause}\n  {self.remedy.words} Predicted then: {told}."


def near_duplicates(nearest: Tensor) -> Tensor:
    """Which patterns have another, not equal to them, unusually near."""
    finite = nearest[nearest.isfinite()]
    return nearest <= NEAR * finite.median() if len(finite) else torch.zeros_like(nearest).bool()


def findings(
    memory: Memory, rows: Rows, verdicts: Verdicts, near: tuple[Tensor, Tensor]
) -> Iterator[Finding]:
    """All that is found, gravest first; `near` are distances to the nearest, and which it is."""
    if isinstance(memory, ModernHopfield):
        yield from _of_modern(memory, rows, verdicts)
    else:
        yield from _of_binary(memory, rows, verdicts)
    yield from _of_copies(memory, rows, near)


def _of_modern(memory: ModernHopfield, rows: Rows, verdicts: Verdicts) -> Iterator[Finding]:
    lost = ~verdicts.attractor
    beaten = lost & (verdicts.margin <= 0) & (memory.similarity != "euclidean")
    if bool(beaten.any()):
        name = NAMES.get(memory.similarity.name, memory.similarity.name)
        cause = (
            f"{_say(beaten)} no higher on {_own(beaten)} than another pattern does, and "
            f"{_be(beaten)} under {name}, however large β is."
        )
        yield Finding("outscored", cause, _places(beaten), sharper(memory, rows, "euclidean"))
    other = lost & ~beaten
    if not bool(other.any()):
        return
    remedy = sharper(memory, rows, memory.similarity.name)
    close = other & (verdicts.rounded | (verdicts.margin <= verdicts.slack))
    if bool(close.any()):
        computed = torch.promote_types(memory.patterns.dtype, torch.float32)
        cause = (
            f"{_say(close)} best on {_own(close)} by no more than "
            f"{str(computed).removeprefix('torch.')} may round off a score "
            f"(up to {float(verdicts.slack[close].max()):.2g})."
        )
        yield Finding("rounding", cause, _places(close), remedy)
    mixed = other & ~close
    if bool(mixed.any()):
        now = learned(memory.separation)
        cause = (
            f"{_say(mixed)} best on {_own(mixed)}, but by too little: at "
            f"{plain(memory.separation)!r}{f' ({now} as learned now)' if now else ''} others carry "
            "more than half of the weight where it settles."
        )
        kind = "k too large" if isinstance(memory.separation, TopK) else "β too small"
        yield Finding(kind, cause, _places(mixed), remedy)


def _of_binary(memory: Memory, rows: Rows, verdicts: Verdicts) -> Iterator[Finding]:
    config = memory.config()
    if config.get("temperature", 0.0) > 0:
        cause = (
            f"At temperature {config['temperature']:g} no state is kept: units flip by chance. "
            "What is said of patterns here holds at temperature 0."
        )
        calm = config | {"temperature": 0.0}
        yield Finding(
            "thermal",
            cause,
            torch.arange(rows.count, device=rows.device),
            Remedy("Use temperature=0.0.", type(memory), calm, None, counts(verdicts)),
        )
    lost = ~verdicts.attractor
    if not bool(lost.any()):
        return
    number, verb = int(lost.sum()), "pattern has" if int(lost.sum()) == 1 else "patterns have"
    best: Remedy | None = None
    freed = _unbiased(memory, rows)
    why = without = _why(memory, rows)
    if freed is not None and freed.expected["attractors"] > counts(verdicts)["attractors"]:
        best = freed
        more = freed.expected["attractors"]
        why = f"since the thresholds outweigh it: without them {more} of {rows.count} hold"
        if more < rows.count:
            why += f"; and {without.removeprefix('since ')}"
    cause = f"{number} {verb} a unit whose field is against it, {why}."
    for kind, settings, words in _instead(memory, rows):
        found = counts(predict(shell(memory, settings, kind), rows))
        remedy = Remedy(words, kind, settings, None, found)
        if best is None or remedy.expected["attractors"] > best.expected["attractors"]:
            best = remedy
    if best is None or best.expected["attractors"] <= counts(verdicts)["attractors"]:
        best = _fewer(memory, rows, lost)
    yield Finding("unstable", cause, _places(lost), best)


def _unbiased(memory: Memory, rows: Rows) -> Remedy | None:
    """A classical network without its thresholds."""
    if not isinstance(memory, ClassicalHopfield) or memory.thresholds is None:
        return None
    settings = memory.config() | {"thresholds": None}
    found = counts(predict(shell(memory, settings), rows))
    return Remedy("Use thresholds=None.", ClassicalHopfield, settings, None, found)


def _fewer(memory: Memory, rows: Rows, lost: Tensor) -> Remedy | None:
    """The patterns that hold, and hold without the others."""
    kept = _places(~lost)
    while len(kept):
        draft = Remedy("", type(memory), memory.config(), kept)
        other = draft.apply(memory)
        found = predict(other, Rows(other))
        if bool(found.attractor.all()):
            gone = rows.count - len(kept)
            words = f"Leave out {gone} that cannot hold beside the others: remedy.apply does."
            return Remedy(words, type(memory), memory.config(), kept, counts(found))
        kept = kept[found.attractor]
    return None


def _why(memory: Memory, rows: Rows) -> str:
    """What makes patterns of a binary network unstable."""
    if isinstance(memory, DenseHopfield):
        return f"since {memory.separation!r} lets patterns that are less alike outweigh it"
    load = f"n/N = {rows.count / rows.dim:.2g}"
    alike = _alikeness(rows)
    if alike > 2:
        return (
            f"since patterns overlap: squared overlaps are {alike:.3g} times those of random "
            f"patterns, on which the {memory.config()['rule']} rule counts ({load})"
        )
    return f"since too many are stored for the {memory.config()['rule']} rule ({load})"


def _alikeness(rows: Rows) -> float:
    """Mean squared overlap of some patterns with all others, times N: 1 for random ones."""
    if rows.count < 2:
        return 0.0
    some = torch.arange(min(rows.count, 256), device=rows.device)
    overlap = torch.cat([rows.take(some) @ b.rows.T for b in rows.blocks()], dim=-1) / rows.dim
    squares = overlap.square().sum(-1) - 1
    return float(squares.mean() / (rows.count - 1) * rows.dim)


def _instead(memory: Memory, rows: Rows) -> Iterator[tuple[type[Memory], dict[str, Any], str]]:
    """Binary networks that may hold more."""
    config = memory.config()
    half = 2 * rows.count <= rows.dim  # beyond, the projection has hardly a basin
    if isinstance(memory, ClassicalHopfield) and config["rule"] != "pseudo_inverse" and half:
        settings = config | {"rule": "pseudo_inverse", "thresholds": None}
        words = "Use rule='pseudo_inverse'" + ", thresholds=None." * _biased(memory)
        yield ClassicalHopfield, settings, words if _biased(memory) else f"{words}."
    beta = rounded_up(saturated_beta(math.inf, max(2, rows.count)))
    settings = {"beta": beta}
    if isinstance(memory, DenseHopfield):
        settings["schedule"] = config["schedule"]
    yield DenseHopfield, settings, f"Use DenseHopfield(beta={beta:g})."


def _biased(memory: Memory) -> bool:
    return getattr(memory, "thresholds", None) is not None


def _of_copies(memory: Memory, rows: Rows, near: tuple[Tensor, Tensor]) -> Iterator[Finding]:
    places = torch.arange(rows.count, device=rows.device)
    copies = rows.copy_of != places
    if bool(copies.any()):
        groups = len(rows.copy_of[copies].unique())
        cause = (
            f"{int(copies.sum())} {'pattern is' if int(copies.sum()) == 1 else 'patterns are'} "
            f"stored again ({groups} {'is' if groups == 1 else 'are'} there more than once): "
            "copies share the weight, and only the first is ever returned."
        )
        kept = _places(~copies)
        expected = {"patterns": len(kept), "duplicates": 0}
        words = "Store each once: remedy.apply leaves the first of each."
        yield Finding("duplicates", cause, _places(copies), Remedy(
            words, type(memory), memory.config(), kept, expected
        ))  # fmt: skip
    close = near_duplicates(near[0]) & ~copies
    if bool(close.any()):
        kept, expected = _thinned(memory, rows, near, close)
        cause = (
            f"{int(close.sum())} {'pattern has' if int(close.sum()) == 1 else 'patterns have'} "
            f"another within {NEAR:g} of the median distance to the nearest (the nearest two: "
            f"{float(near[0][close].min()):.3g}); half of that is all the damage they bear."
        )
        words = "If they mean the same, keep one of each: remedy.apply does."
        yield Finding("near-duplicates", cause, _places(close), Remedy(
            words, type(memory), memory.config(), kept, expected
        ))  # fmt: skip


def _thinned(
    memory: Memory, rows: Rows, near: tuple[Tensor, Tensor], close: Tensor
) -> tuple[Tensor, dict[str, int]]:
    """Places to keep so that of two near-duplicates the later goes; copies go as well."""
    places = torch.arange(rows.count, device=rows.device)
    kept = rows.copy_of == places
    for place in _places(close).tolist():
        other = int(rows.copy_of[near[1][place]])
        if bool(kept[other]) and bool(kept[place]):
            kept[max(place, other)] = False
    found = _places(kept)
    return found, {"patterns": len(found), "duplicates": 0}


def _places(mask: Tensor) -> Tensor:
    return mask.nonzero().squeeze(-1)


def _say(mask: Tensor) -> str:
    number = int(mask.sum())
    return f"{number} pattern scores" if number == 1 else f"{number} patterns score"


def _own(mask: Tensor) -> str:
    return "itself" if int(mask.sum()) == 1 else "themselves"


def _be(mask: Tensor) -> str:
    return "is no attractor" if int(mask.sum()) == 1 else "are no attractors"
