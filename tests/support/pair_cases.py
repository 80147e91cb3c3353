"""Memories of pairs in the table of the contract suite; their patterns are rows (x|y)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hopfield import BidirectionalMemory, ModernBidirectional, RectifiedPolynomial, Softmax

SPLIT = 5


def pair_cases(case: Callable[..., Any]) -> Iterator[Any]:
    """Make the cases, by the class of the table."""
    separations = {"kosko": None, "softmax": Softmax(0.2), "rectified3": RectifiedPolynomial(3)}
    for name, separation in separations.items():
        make = partial(BidirectionalMemory, separation, split=SPLIT)
        yield case(f"pairs-{name}", make, "pairs", True, getattr(separation, "beta", 0.0))
    thermal = partial(BidirectionalMemory, split=SPLIT, temperature=5.0)
    yield case("pairs-kosko-thermal", thermal, "pairs", False, thermal=True)
    for similarity in ("dot", "euclidean"):
        make = partial(ModernBidirectional, 1.2, split=SPLIT, similarity=similarity)
        yield case(f"pairs-modern-{similarity}", make, "modern", True, 1.2)
