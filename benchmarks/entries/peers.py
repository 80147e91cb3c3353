"""The strongest pattern of each query: this library and search libraries.

Search libraries return its index only; this library also returns weights, energy and entropy.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy
import torch
from torch import Tensor

from hopfield import DenseHopfield, Memory, ModernHopfield

from ..harness import Case, Contender, Entry
from ..inputs import binary, normal


def nearest(n: int, dim: int, queries: int) -> Case:
    """Nearest by distance."""
    patterns, cues = normal(n, dim, queries)
    memory = ModernHopfield(1.0, similarity="euclidean")
    memory.store(patterns)
    contenders = {
        "torch.cdist": Contender(lambda: torch.cdist(cues, patterns).argmin(-1)),
        **_ours(memory, cues),
    }
    if find_spec("faiss"):
        index = _faiss("IndexFlatL2", patterns.numpy(), dim)
        contenders["FAISS flat"] = _searched(lambda: index.search(cues.numpy(), 1)[1])
    if find_spec("sklearn"):
        from sklearn.neighbors import NearestNeighbors

        # "brute" is its fastest algorithm in this many dimensions.
        search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(patterns.numpy())
        contenders["scikit-learn"] = _searched(
            lambda: search.kneighbors(cues.numpy(), return_distance=False)
        )
    return Case(contenders, lambda: torch.cdist(cues.double(), patterns.double()).argmin(-1))


def nearest_binary(n: int, dim: int, queries: int) -> Case:
    """Nearest by the number of units that differ."""
    patterns, cues = binary(n, dim, queries)
    memory = DenseHopfield(0.1)
    memory.store(patterns)
    contenders = {
        "float32 product": Contender(lambda: (cues @ patterns.T).argmax(-1)),
        **_ours(memory, cues),
    }
    if find_spec("faiss"):
        index, words = _faiss("IndexBinaryFlat", _packed(patterns), dim), _packed(cues)
        contenders["FAISS binary flat"] = _searched(lambda: index.search(words, 1)[1])
    return Case(contenders, lambda: (cues.double() @ patterns.double().T).argmax(-1))


def _ours(memory: Memory, cues: Tensor) -> dict[str, Contender]:
    """One read of the cues without a step."""
    run = partial(memory.retrieve, cues, steps=0)
    return {"retrieve": Contender(run, lambda result: result.index, library=True)}


def _searched(run: Callable[[], Any]) -> Contender:
    return Contender(run, lambda index: torch.from_numpy(index).squeeze(-1))


def _faiss(kind: str, rows: Any, dim: int) -> Any:
    """Return an index of FAISS that holds `rows`, with as many threads as torch."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = getattr(faiss, kind)(dim)
    index.add(rows)
    return index


def _packed(signs: Tensor) -> Any:
    return numpy.packbits(signs.numpy() > 0, axis=-1)


ENTRIES = (
    Entry(
        "nearest",
        "nearest of 20 000 patterns of 784 numbers for 256 queries; the library also computes "
        "all weights",
        nearest,
        ({"n": 20_000, "dim": 784, "queries": 256},),
        {"n": 50, "dim": 8, "queries": 3},
    ),
    Entry(
        "nearest-binary",
        "nearest of 20 000 patterns of 1024 units for 64 queries; the library also makes "
        "a whole sweep",
        nearest_binary,
        ({"n": 20_000, "dim": 1024, "queries": 64},),
        {"n": 20, "dim": 64, "queries": 3},
    ),
)
