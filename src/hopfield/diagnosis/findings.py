"""What is wrong with a memory, why, and what would mend it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ..errors import InputTypeError, say
from ..memories import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from ..units import saturated
from .binary import classical, dense
from .modern import MODELLED, modern
from .rows import Rows
from .verdicts import Verdicts

NEAR = 0.25
"""Near-duplicates are this near, in units of the median distance to the nearest."""
HARDEST = 64
"""Patterns of least margin by which β is chosen."""
DOUBLINGS = 40
NAMES = {"dot": "the dot product", "euclidean": "the Euclidean distance", "cosine": "the cosine",
         "correlation": "correlation", "manhattan": "the Manhattan distance"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Remedy:
    """Settings that mend it, and what they are predicted to do.

    Attributes:
        words: what to do.
        kind: class of the memory to use instead.
        settings: its constructor's arguments.
        kept: places of the patterns to keep; None keeps all.
        expected: what the diagnosis of the mended memory will count, by name.
    """

    words: str
    kind: type[Memory]
    settings: Mapping[str, Any]
    kept: Int[Tensor, " kept"] | None = None
    expected: Mapping[str, int] = field(default_factory=dict)

    def apply(self, memory: Memory) -> Memory:
        """A new memory with these settings and the patterns and values of this one, kept ones."""
        if not isinstance(memory, Memory):
            raise InputTypeError(
                f"memory must be the memory that was diagnosed, but is {say(memory)}. "
                "Give that memory; a new one is returned."
            )
        mended = self.kind(**self.settings)
        patterns, values = memory.patterns, memory.values
        if self.kept is not None:
            patterns = patterns[self.kept]
            values = None if values is None else values[self.kept]
        mended.store(patterns, values)
        return mended


@dataclass(frozen=True, eq=False)
class Finding:
    """Something that keeps patterns from being recalled.

    Attributes:
        name: what it is, in a word.
        cause: why, in a sentence.
        patterns: places of the patterns it concerns.
        remedy: what mends it.
    """

    name: str
    cause: str
    patterns: Int[Tensor, " concerned"]
    remedy: Remedy

    def __str__(self) -> str:
        """Cause, remedy and predicted effect."""
        counts = ", ".join(f"{name} {count}" for name, count in self.remedy.expected.items())
        return f"{self.cause}\n  {self.remedy.words} Predicted then: {counts}."


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
        f"{say(memory)}. Use one of these."
    )


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
    beaten = lost & (verdicts.margin <= 0)
    if bool(beaten.any()) and memory.similarity != "euclidean":
        name = NAMES[memory.similarity]
        cause = (
            f"{_say(beaten)} no higher on {_own(beaten)} than another pattern does, and "
            f"{_be(beaten)} under {name}, however large β is."
        )
        remedy = _sharper(memory, rows, "euclidean")
        if remedy is not None:
            yield Finding("outscored", cause, _places(beaten), remedy)
    mixed = lost & (verdicts.margin > 0)
    if bool(mixed.any()):
        cause = (
            f"{int(mixed.sum())} {_plural(mixed)} best on {_own(mixed)}, but by too little: at "
            f"{memory.separation!r} others carry more than half of the weight where it settles."
        )
        remedy = _sharper(memory, rows, memory.similarity)
        if remedy is not None:
            yield Finding("β too small", cause, _places(mixed), remedy)


def _sharper(memory: ModernHopfield, rows: Rows, similarity: str) -> Remedy | None:
    """The least of β, 2β, 4β … (and what lies between) at which the hardest patterns hold."""
    separation: Any = memory.separation
    if not isinstance(separation, MODELLED) or similarity == "manhattan":
        return None
    config = memory._config() | {"similarity": similarity}

    def at(beta: float) -> ModernHopfield:
        return _shell(memory, config | {"separation": replace(separation, beta=beta)})

    start = max(float(separation.beta), 1e-6)
    margins = predict(at(start), rows).margin
    able = (margins > 0).nonzero().squeeze(-1)
    hardest = able[margins[able].argsort()[:HARDEST]]

    def holds(beta: float) -> bool:
        return bool(predict(at(beta), rows, hardest).attractor.all())

    beta, steps = start, 0
    while steps < DOUBLINGS and not holds(beta):
        beta, steps = 2 * beta, steps + 1
    if steps == DOUBLINGS:
        return None
    for _ in range(2 if steps else 0):
        lower = beta / 2 ** (1 / 2)
        beta = lower if holds(lower) else beta
    beta = _rounded_up(beta) if steps else start
    mended = at(beta)
    found = predict(mended, rows)
    expected = {"patterns": rows.count, "attractors": int(found.attractor.sum())}
    words = f"Use separation={mended.separation!r}"
    if similarity != memory.similarity:
        words = f"Use similarity={similarity!r} with separation={mended.separation!r}"
    return Remedy(f"{words}.", type(memory), mended._config(), None, expected)


def _rounded_up(beta: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(beta)) - 1)
    return float(f"{math.ceil(beta / unit - 1e-9) * unit:.2g}")


def _shell(memory: Memory, config: Mapping[str, Any]) -> Any:
    """A memory with other settings that reads the same rows; for predictions alone."""
    other = type(memory)(**config)
    other._store = memory._store
    return other


def _of_binary(memory: Memory, rows: Rows, verdicts: Verdicts) -> Iterator[Finding]:
    config = memory._config()
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
            Remedy("Use temperature=0.0.", type(memory), calm, None, _counts(verdicts)),
        )
    lost = ~verdicts.attractor
    if not bool(lost.any()):
        return
    number, verb = int(lost.sum()), "pattern has" if int(lost.sum()) == 1 else "patterns have"
    cause = f"{number} {verb} a unit whose field is against it, {_why(memory, rows)}."
    best: Remedy | None = None
    for kind, settings, words in _instead(memory, rows):
        other = kind(**settings)
        other._store = memory._store
        remedy = Remedy(words, kind, settings, None, _counts(predict(other, rows)))
        if best is None or remedy.expected["attractors"] > best.expected["attractors"]:
            best = remedy
    if best is not None and best.expected["attractors"] > _counts(verdicts)["attractors"]:
        yield Finding("unstable", cause, _places(lost), best)


def _why(memory: Memory, rows: Rows) -> str:
    """What makes patterns of a binary network unstable."""
    if isinstance(memory, DenseHopfield):
        return f"since {memory.separation!r} lets patterns that are less alike outweigh it"
    load = f"n/N = {rows.count / rows.dim:.2g}"
    alike = _alikeness(rows)
    if alike > 2:
        return (
            f"since patterns overlap: squared overlaps are {alike:.3g} times those of random "
            f"patterns, on which the {memory._config()['rule']} rule counts ({load})"
        )
    return f"since too many are stored for the {memory._config()['rule']} rule ({load})"


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
    config = memory._config()
    half = 2 * rows.count <= rows.dim  # beyond, the projection has hardly a basin
    if isinstance(memory, ClassicalHopfield) and config["rule"] != "pseudo_inverse" and half:
        settings = config | {"rule": "pseudo_inverse"}
        yield ClassicalHopfield, settings, "Use rule='pseudo_inverse'."
    beta = _rounded_up(saturated(math.inf, max(2, rows.count)))
    settings = {"beta": beta, "bits": config["bits"]}
    if isinstance(memory, DenseHopfield):
        settings["schedule"] = config["schedule"]
    yield DenseHopfield, settings, f"Use DenseHopfield(beta={beta:g})."


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
            words, type(memory), memory._config(), kept, expected
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
            words, type(memory), memory._config(), kept, expected
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


def _counts(verdicts: Verdicts) -> dict[str, int]:
    return {"patterns": len(verdicts.fixed), "attractors": int(verdicts.attractor.sum())}


def _places(mask: Tensor) -> Tensor:
    return mask.nonzero().squeeze(-1)


def _say(mask: Tensor) -> str:
    number = int(mask.sum())
    return f"{number} pattern scores" if number == 1 else f"{number} patterns score"


def _plural(mask: Tensor) -> str:
    return "pattern scores" if int(mask.sum()) == 1 else "patterns score"


def _own(mask: Tensor) -> str:
    return "itself" if int(mask.sum()) == 1 else "themselves"


def _be(mask: Tensor) -> str:
    return "is no attractor" if int(mask.sum()) == 1 else "are no attractors"
