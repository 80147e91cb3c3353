"""Certified retrieval against plain torch: images by distance, normal numbers by product."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hopfield import ModernHopfield, corruption, data

from .. import plain
from ..harness import Case, Contender, Entry, Target
from ..inputs import normal

IMAGE_NOISE, IMAGE_BETA = 0.1, 32.0
QUICK = 300
"""A number of patterns for which the digits of scikit-learn replace the other images."""


def images(name: str, n: int, queries: int) -> tuple[Tensor, Tensor]:
    """The first n training images of a set, or all of MNIST's test images, and noisy ones."""
    split = {"mnist": "test", "fashion-mnist": "train"}.get(name)
    rows = data.load(name, split=split).patterns[:n]
    generator = torch.Generator().manual_seed(0)
    chosen = rows[torch.randint(len(rows), (queries,), generator=generator)]
    noisy = corruption.gaussian_noise(chosen, IMAGE_NOISE, generator=generator).state
    return rows, noisy.clamp(0, 1)


def setting(
    name: str, n: int, queries: int, precision: str = "certified"
) -> tuple[ModernHopfield, Tensor]:
    """Return a memory of one of the three kinds, and noisy queries."""
    if name == "gaussian":
        rows, cues = normal(n, 784, queries)
        memory = ModernHopfield(1.0, precision=precision)
    else:
        rows, cues = images(name, n, queries)
        memory = ModernHopfield(IMAGE_BETA, similarity="euclidean", precision=precision)
    memory.store(rows)
    return memory, cues


def nearness(rows: Tensor, state: Tensor, beta: float, bias: Tensor | None = None) -> Tensor:
    """softmax(−β/2 ‖x_μ − x‖²) X as a product with one bias per row."""
    bias = rows.square().sum(-1) / -2 if bias is None else bias
    return torch.softmax(beta * (state @ rows.T + bias), dim=-1) @ rows


def _case(name: str, n: int, queries: int) -> Case:
    memory, cues = setting(name, n, queries)
    full, _ = setting(name, n, queries, "full")
    rows, beta = memory.patterns, 1.0 if name == "gaussian" else IMAGE_BETA
    way: Callable[[Tensor, Tensor], Tensor] = partial(plain.naive, beta=beta)
    naive = partial(way, rows, cues)
    if name != "gaussian":
        way, bias = partial(nearness, beta=beta), rows.square().sum(-1) / -2
        naive = partial(nearness, rows, cues, beta, bias)
    slack = plain.slack(rows, cues, beta)
    return Case(
        {
            # One product for scores and norms loses digits that the differences keep.
            "naive torch": Contender(naive, slack=4.0),
            "update": Contender(lambda: full.update(cues), library=True),
            "update, certified": Contender(lambda: memory.update(cues), library=True),
        },
        lambda: plain.in_float64(way, rows, cues),
        slack,
        flops=4.0 * len(cues) * rows.numel(),
        bytes=rows.nbytes,
    )


def _entry(name: str, n: int, says: str, quick: str) -> Entry:
    def build(n: int, queries: int) -> Case:
        return _case(name if n > QUICK else quick, n, queries)

    return Entry(
        f"certified-{name}",
        f"one update of 256 queries, {says}",
        build,
        ({"n": n, "queries": 256},),
        {"n": QUICK, "queries": 5},
        (Target("update, certified", 3.0, "≥ 3× naive torch"),),
        measures_memory=False,
    )


ENTRIES = (
    _entry("mnist", 10_000, "10 000 MNIST images, Euclidean, β = 32", "digits"),
    _entry("fashion-mnist", 60_000, "60 000 Fashion-MNIST images, Euclidean, β = 32", "digits"),
    _entry("gaussian", 60_000, "60 000 patterns of 784 normal numbers, β = 1", "gaussian"),
)
