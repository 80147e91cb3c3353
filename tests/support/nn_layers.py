"""Small seeded layers with inputs, for the tests of `hopfield.nn`."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch

from hopfield import Entmax, KSubsets, Normmax, Softmax, Sparsemax, TopK
from hopfield.nn import (
    DenseMemoryClassifier,
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
    ProductKeyLookup,
)

DIM = 8


class Case(NamedTuple):
    """A layer and its inputs."""

    make: Callable[[], torch.nn.Module]
    inputs: tuple[torch.Tensor, ...]
    masks: dict[str, torch.Tensor]

    def call(self, layer: torch.nn.Module) -> torch.Tensor:
        return layer(*self.inputs, **self.masks)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


draw64 = partial(draw, dtype=torch.float64)


def learned(value: float, heads: int = 2) -> torch.Tensor:
    return torch.full((heads,), value, requires_grad=True)


PADDING = torch.tensor([[False, False, True, False, True], [True] * 5])
STATE, STORED = draw(2, 4, DIM, seed=1), draw(2, 5, DIM, seed=2)
STEPS = Iteration(3, tol=1e-3)

MASKED = {"padding_mask": PADDING}

LAYERS = {
    "association": Case(
        lambda: HopfieldAssociation(DIM, 2, iteration=STEPS), (STATE, STORED), MASKED
    ),
    "pooling": Case(
        lambda: HopfieldPooling(
            HopfieldAssociation(DIM, 2, Softmax(learned(0.5)), Iteration(2)), queries=3
        ),
        (STORED,),
        MASKED,
    ),
    "lookup": Case(
        lambda: HopfieldLookup(HopfieldAssociation(DIM, 2), memories=6),
        (STATE,),
        {},
    ),
}

# One step where many operations would be compiled per step.
SEPARATIONS = {
    "sparsemax": lambda: HopfieldAssociation(DIM, 2, Sparsemax(learned(0.5))),
    "entmax": lambda: HopfieldAssociation(DIM, 2, Entmax(learned(1.5), learned(0.5))),
    "normmax": lambda: HopfieldAssociation(DIM, 2, Normmax(learned(2.5), learned(0.5))),
    "k-subsets": lambda: HopfieldAssociation(DIM, 2, KSubsets(2, learned(0.5))),
    "topk": lambda: HopfieldAssociation(DIM, 2, TopK(2, learned(0.5)), Iteration(2)),
}


def differentiated(gradient: str) -> Case:
    steps = Iteration(30, gradient=gradient)
    return Case(lambda: HopfieldAssociation(DIM, 2, iteration=steps), (STATE, STORED), MASKED)


GRADIENTS = {gradient: differentiated(gradient) for gradient in ("implicit", "last")}
"""Their query projections have no gradient: the initial state is a constant to them."""


def dense_memory() -> DenseMemoryClassifier:
    """Return a classifier whose class units differ from 0, with which they start."""
    layer = DenseMemoryClassifier(DIM, 3, 6)
    torch.nn.init.normal_(layer.classes)
    return layer


PRODUCT_KEYS = {
    "product keys": Case(
        lambda: ProductKeyLookup(DIM, 9, 2, 4, Softmax(learned(2.0))), (STATE,), {}
    )
}
ENERGIES = {
    "dense memory": Case(dense_memory, (STATE[0],), {}),
    "energy transformer": Case(
        lambda: EnergyTransformerBlock(DIM, 2, 6, steps=2), (STORED,), MASKED
    ),
}
CASES = (
    LAYERS
    | ENERGIES
    | PRODUCT_KEYS
    | {name: Case(make, (STATE, STORED), MASKED) for name, make in SEPARATIONS.items()}
)
UNCOMPILED = ("sparsemax", "normmax", "k-subsets")
COMPILED = {name: case for name, case in CASES.items() if name not in UNCOMPILED}
"""Sparsemax is entmax at α = 2, by the same code. The others trace many steps: too long here."""

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_layer = pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)


def rotate(*axes):
    """Return cases in which each value of the first two axes meets each of the other."""
    first, second, *others = (list(axis) for axis in axes)
    return [
        (one, other, *(axis[(i + j) % len(axis)] for axis in others))
        for i, one in enumerate(first)
        for j, other in enumerate(second)
    ]


def seeded(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Make a layer from a seeded global generator, whose state is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def as_torch(layer: HopfieldAssociation) -> torch.nn.MultiheadAttention:
    """Return torch's attention with the weights of a layer."""
    other = seeded(lambda: torch.nn.MultiheadAttention(DIM, layer.heads, batch_first=True))
    inputs = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        other.in_proj_weight.copy_(torch.cat([one.weight for one in inputs]))
        other.in_proj_bias.copy_(torch.cat([one.bias for one in inputs]))
        other.out_proj.load_state_dict(layer.out.state_dict())
    return other


def output_and_gradients(
    case: Case, layer: torch.nn.Module, compiled: Callable | None = None
) -> list[torch.Tensor]:
    """Return the output and the gradients of the parameters; None without a gradient."""
    output = case.call(layer if compiled is None else compiled)
    parameters = list(layer.parameters())
    return [output, *torch.autograd.grad(output.square().sum(), parameters, allow_unused=True)]
