"""Learning rules against the loop, the SVD and the textbook."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hopfield import rules

from ..harness import Case, Contender, Entry, Target
from ..inputs import binary
from ..plain import hebbian_coupling, svd_projection, textbook_storkey

Rule = Callable[[Tensor], Tensor]


def _case(ours: Rule, other: str, theirs: Rule, n: int, dim: int, flops: float = 0.0) -> Case:
    """Compare two ways to one coupling, to the rounding of n steps; `flops` per n·dim²."""
    patterns, _ = binary(n, dim, 1)
    exact = ours(patterns.double())
    eps = torch.finfo(patterns.dtype).eps
    return Case(
        {
            other: Contender(lambda: theirs(patterns)),
            "rules": Contender(lambda: ours(patterns), library=True),
        },
        lambda: theirs(patterns.double()),
        tolerance=16 * eps * n * exact.abs().max().item(),
        flops=flops * n * dim**2,
    )


def _entry(name: str, what: str, build: Callable[..., Case], bound: float, other: str) -> Entry:
    return Entry(
        name,
        f"{what}: 280 patterns of 2048 units to their coupling",
        build,
        ({"n": 280, "dim": 2048},),
        {"n": 4, "dim": 32},
        (Target("rules", bound, f"≥ {bound:g}× {other}"),),
    )


ENTRIES = (
    _entry(
        "hebb",
        "Hebb's rule",
        partial(_case, rules.hebbian, "loop of outer products", hebbian_coupling, flops=2),
        35,
        "the loop",
    ),
    _entry(
        "pseudo-inverse",
        "the pseudo-inverse rule",
        partial(_case, rules.pseudo_inverse, "SVD", svd_projection),
        3,
        "the SVD",
    ),
    _entry(
        "storkey",
        "Storkey's rule",
        partial(_case, rules.storkey, "textbook", textbook_storkey),
        20,
        "the textbook's way",
    ),
)
