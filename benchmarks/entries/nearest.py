"""The k nearest patterns: `memory.nearest` beside FAISS and NumPy, and by part of a vector.

FAISS and NumPy return places and scores; `nearest` also returns the weights of the patterns unless
`weights=False`. A mask says which entries of the queries are known; FAISS has none.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor

from hopfield import ModernHopfield

from ..harness import Case, Contender, Entry, Target
from ..inputs import normal

if TYPE_CHECKING:  # trees before `nearest` are compared too
    from hopfield import Nearest

K = 10
PART = 64
"""Queries whose scores NumPy and the reference hold at a time."""


def k_nearest(n: int, dim: int, queries: int) -> Case:
    """The ten best of n patterns by dot product; also by distance, and under masks."""
    patterns, cues = normal(n, dim, queries)
    generator = torch.Generator().manual_seed(1)
    known = torch.rand(queries, dim, generator=generator) < 0.5
    rows, best = patterns.numpy(), partial(_best_scores, patterns.double(), cues)
    reference = best("dot", None)
    contenders = {"NumPy": Contender(lambda: _numpy(rows, cues.numpy()), _own(patterns, cues))}
    if find_spec("faiss"):
        index = _faiss(rows)
        search = Contender(lambda: index.search(cues.numpy(), K)[1], _own(patterns, cues))
        contenders["FAISS flat"] = search
    masks = {"": None, ", one mask": known[0], ", a mask per query": known}
    for name, memory, weights in _memories(patterns):
        for words, mask in masks.items():
            similarity = str(memory.similarity)
            expected = reference if similarity + words == "dot" else best(similarity, mask)
            contenders[name + words] = Contender(
                partial(memory.nearest, cues, K, mask, weights=weights),
                partial(_graded, patterns, cues, similarity, mask, expected, reference),
                library=True,
            )
    return Case(contenders, lambda: reference, tolerance=1e-3)


def _memories(patterns: Tensor) -> list[tuple[str, ModernHopfield, bool]]:
    full = ModernHopfield(0.1, similarity="dot")
    certified = ModernHopfield(0.1, similarity="dot", precision="certified")
    euclidean = ModernHopfield(0.1, similarity="euclidean")
    for memory in (full, certified, euclidean):
        memory.store(patterns)
    return [
        ("nearest", full, True),
        ("without weights", full, False),
        ("certified, without weights", certified, False),
        ("Euclidean", euclidean, True),
    ]


def _scores(rows: Tensor, cues: Tensor, similarity: str, known: Tensor | None) -> Tensor:
    """Return scores in float64 of all rows, or of lists of them, `(batch, k, dim)`."""
    mask = torch.ones_like(cues, dtype=torch.float64)
    mask = mask if known is None else mask * known
    states = (mask * cues)[..., None]
    scores = (rows @ states)[..., 0] if rows.ndim == 3 else states[..., 0] @ rows.T
    if similarity == "dot":
        return scores
    squares = rows.square()
    squares = (squares @ mask[..., None])[..., 0] if rows.ndim == 3 else mask @ squares.T
    return scores - squares / 2 - (states[..., 0] * cues).sum(-1, keepdim=True) / 2


def _best_scores(rows: Tensor, cues: Tensor, similarity: str, known: Tensor | None) -> Tensor:
    parts = []
    for at in range(0, len(cues), PART):
        part = slice(at, at + PART)
        mask = known if known is None or known.ndim == 1 else known[part]
        parts.append(_scores(rows, cues[part], similarity, mask).topk(K).values)
    return torch.cat(parts)


def _own(patterns: Tensor, cues: Tensor) -> Callable[[Any], Tensor]:
    """Return the exact scores of the places that a search library found."""
    return lambda index: _scores(patterns[torch.from_numpy(index)].double(), cues, "dot", None)


def _graded(
    patterns: Tensor,
    cues: Tensor,
    similarity: str,
    known: Tensor | None,
    expected: Tensor,
    reference: Tensor,
    found: "Nearest",
) -> Tensor:
    """Return the reference of the case, changed by the errors of this contender's own answer."""
    return reference + _scores(patterns[found.index].double(), cues, similarity, known) - expected


def _numpy(rows: Any, cues: Any) -> Any:
    parts = []
    for at in range(0, len(cues), PART):
        scores = cues[at : at + PART] @ rows.T
        some = numpy.argpartition(scores, -K, axis=1)[:, -K:]
        order = numpy.argsort(-numpy.take_along_axis(scores, some, 1), axis=1)
        parts.append(numpy.take_along_axis(some, order, 1))
    return numpy.concatenate(parts)


def _faiss(rows: Any) -> Any:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index


NOTE = (
    "Without weights the time is that of torch's float32 product, which here takes longer than "
    "FAISS's whole search: MKL multiplies more slowly than OpenBLAS on this processor. A certified "
    "memory multiplies 8-bit codes, where the processor has instructions for that, and decides in "
    "float64 among the candidates; its order is the same."
)


def _entry(queries: int, *targets: Target, note: str = "") -> Entry:
    return Entry(
        f"k-nearest-{queries}",
        f"ten nearest of 200 000 patterns of 384 numbers by dot product for "
        f"{queries} {'query' if queries == 1 else 'queries'}, of which masks leave half",
        k_nearest,
        ({"n": 200_000, "dim": 384, "queries": queries},),
        {"n": 600, "dim": 16, "queries": min(queries, 3)},
        targets,
        measures_memory=False,
        note=note,
    )


def _masked(name: str) -> Target:
    words = "≥ 0.8× the unmasked query"
    return Target(f"{name}, one mask", 0.8, words, over=name)


ENTRIES = (
    _entry(1),
    _entry(
        32,
        Target("nearest", 1.0, "≥ 1× FAISS flat", over="FAISS flat"),
        _masked("nearest"),
        _masked("Euclidean"),
    ),
    _entry(
        1024,
        Target("without weights", 1.0, "≥ 1× FAISS flat", over="FAISS flat"),
        Target("certified, without weights", 1.0, "≥ 1× FAISS flat", over="FAISS flat"),
        _masked("certified, without weights"),
        _masked("nearest"),
        note=NOTE,
    ),
)
