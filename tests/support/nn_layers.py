"""The layers that the tests of `hopfield.nn` go through, small and seeded."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from hopfield import Entmax, Softmax, Sparsemax, TopK
from hopfield.nn import (
    DenseMemoryClassifier,
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
)

DIM = 8


class Case(NamedTuple):
    """A layer, and what it is called with."""

    make: Callable[[], torch.nn.Module]
    inputs: tuple[torch.Tensor, ...]
    masks: dict[str, torch.Tensor]

    def call(self, layer: torch.nn.Module) -> torch.Tensor:
        return layer(*self.inputs, **self.masks)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def learned(value: float, heads: int = 2) -> torch.Tensor:
    return torch.full((heads,), value, requires_grad=True)


PADDING = torch.tensor([[False, False, True, False, True], [True] * 5])
STATE, STORED = draw(2, 4, DIM, seed=1), draw(2, 5, DIM, seed=2)
STEPS = Iteration(3, tol=1e-3)

LAYERS = {
    "association": Case(
        lambda: HopfieldAssociation(DIM, 2, iteration=STEPS),
        (STATE, STORED),
        {"padding_mask": PADDING},
    ),
    "pooling": Case(
        lambda: HopfieldPooling(HopfieldAssociation(DIM, 2, iteration=STEPS), queries=3),
        (STORED,),
        {"padding_mask": PADDING},
    ),
    "lookup": Case(
        lambda: HopfieldLookup(HopfieldAssociation(DIM, 2, iteration=STEPS), memories=6),
        (STATE,),
        {},
    ),
}


SEPARATIONS = {
    "softmax": lambda: Softmax(learned(0.5)),
    "sparsemax": lambda: Sparsemax(learned(0.5)),
    "entmax": lambda: Entmax(learned(1.5), learned(0.5)),
    "topk": lambda: TopK(2, learned(0.5)),
}


def separated(name: str) -> Case:
    """An association with a learned separation."""
    return Case(
        lambda: HopfieldAssociation(DIM, 2, SEPARATIONS[name](), Iteration(2)),
        (STATE, STORED),
        {"padding_mask": PADDING},
    )


def differentiated(gradient: str) -> Case:
    """An association of several steps, and how gradients pass them."""
    steps = Iteration(30, gradient=gradient)
    return Case(
        lambda: HopfieldAssociation(DIM, 2, iteration=steps),
        (STATE, STORED),
        {"padding_mask": PADDING},
    )


GRADIENTS = {gradient: differentiated(gradient) for gradient in ("implicit", "last")}
"""Their query projection learns nothing: where a state begins is a constant to them."""

ENERGIES = {
    "dense memory": Case(lambda: DenseMemoryClassifier(DIM, 3, 6), (STATE[0],), {}),
    "energy transformer": Case(
        lambda: EnergyTransformerBlock(DIM, 2, 6), (STORED,), {"padding_mask": PADDING}
    ),
}
CASES = LAYERS | ENERGIES | {name: separated(name) for name in SEPARATIONS}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def seeded(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """A layer drawn from torch's global generator, as layers are, which is then put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


every_layer = pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)


def slopes(
    case: Case, layer: torch.nn.Module, compiled: Callable | None = None
) -> list[torch.Tensor]:
    """What a layer answers, and the gradients of its parameters; None where there is none."""
    found = case.call(layer if compiled is None else compiled)
    wanted = list(layer.parameters())
    return [found, *torch.autograd.grad(found.square().sum(), wanted, allow_unused=True)]
