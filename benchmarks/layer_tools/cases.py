"""The layers that are tried, and the shapes of their inputs, with sizes that stay open."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hopfield import Entmax, Softmax, TopK
from hopfield.nn import (
    DenseMemoryClassifier,
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldEncoderLayer,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
    MultiheadHopfield,
    ProductKeyLookup,
    Window,
)

DIM, HEADS, MEMORIES = 8, 2, 6
FIRST = {"batch": 3, "m": 4, "n": 5, "dim": DIM, "memories": MEMORIES}
OTHER = {"batch": 7, "m": 2, "n": 9, "dim": DIM, "memories": MEMORIES}
"""Sizes with which a layer is compiled or exported, and others with which it is called."""
OPEN = ("batch", "m", "n")


class Case(NamedTuple):
    """A layer, and the axes of the arguments of its call by their names."""

    make: Callable[[], nn.Module]
    shapes: dict[str, str]
    least: int = 1
    """Smallest number of patterns in an export."""
    numbers: bool = False
    """True for masks of numbers, which are added to the scores."""

    def layer(self) -> nn.Module:
        """Make the layer, with the same weights each time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make().eval()

    def draw(self, sizes: dict[str, int]) -> dict[str, Tensor]:
        """Draw the arguments of a call; a mask hides every third pattern, and one row all."""
        generator, inputs = torch.Generator().manual_seed(1), {}
        for name, axes in self.shapes.items():
            shape = [sizes[axis] for axis in axes.split()]
            inputs[name] = torch.randn(shape, generator=generator)
            if "mask" in name and not self.numbers:
                inputs[name] = inputs[name] > 0.4
                inputs[name][0] = True
        return inputs


def association(separation: object = "softmax", **options: object) -> HopfieldAssociation:
    """Return the layer by which all others read."""
    return HopfieldAssociation(DIM, HEADS, separation, **options)  # type: ignore[arg-type]


class DropIn(nn.Module):
    """Torch's call of attention, without the weights."""

    def __init__(self, **options: object) -> None:
        """Make the attention."""
        super().__init__()
        self.attention = MultiheadHopfield(DIM, HEADS, batch_first=True, **options)  # type: ignore[arg-type]

    def forward(
        self,
        tokens: Tensor,
        key: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        attn_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the output where the keys are the values; None for self-attention."""
        key = tokens if key is None else key
        output: Tensor = self.attention(tokens, key, key, key_padding_mask, False, attn_mask)[0]
        return output


def learned(value: float) -> Tensor:
    """Return a parameter per head."""
    return torch.full((HEADS,), value, requires_grad=True)


def dense_memory() -> DenseMemoryClassifier:
    """Return a classifier whose class units differ from 0, with which they start."""
    layer = DenseMemoryClassifier(DIM, 3, MEMORIES)
    nn.init.normal_(layer.classes)
    return layer


STATE, STORED = {"state": "batch m dim"}, {"stored": "batch n dim"}
PADDED, PAIRS = {"padding_mask": "batch n"}, {"association_mask": "m n"}
TOKENS = {"tokens": "batch n dim"}
QUERY = {"tokens": "batch m dim", "key": "batch n dim"}

CASES = {
    "association": Case(association, STATE | STORED),
    "association, padded, 3 steps": Case(
        lambda: association(iteration=Iteration(3, tol=1e-3)), STATE | STORED | PADDED
    ),
    "association, pairs masked": Case(association, STATE | STORED | PAIRS),
    "association, sparsemax, padded": Case(
        lambda: association("sparsemax"), STATE | STORED | PADDED
    ),
    "association, learned α and β": Case(
        lambda: association(Entmax(learned(1.5), learned(0.5))), STATE | STORED
    ),
    "association, top-2": Case(lambda: association(TopK(2, learned(0.5))), STATE | STORED, least=3),
    "pooling": Case(lambda: HopfieldPooling(association(), 2), STORED),
    "pooling, padded, 2 steps": Case(
        lambda: HopfieldPooling(association(Softmax(learned(0.5)), iteration=Iteration(2)), 2),
        STORED | PADDED,
    ),
    "pooling, entmax": Case(lambda: HopfieldPooling(association("entmax"), 2), STORED),
    "lookup": Case(lambda: HopfieldLookup(association(), MEMORIES), STATE),
    "lookup, padded": Case(
        lambda: HopfieldLookup(association(), MEMORIES),
        STATE | {"padding_mask": "batch memories"},
    ),
    "lookup, pairs masked": Case(
        lambda: HopfieldLookup(association(), MEMORIES),
        STATE | {"association_mask": "batch m memories"},
    ),
    "product keys": Case(lambda: ProductKeyLookup(DIM, 9, HEADS, 4), STATE),
    "association, bias": Case(association, STATE | STORED | PAIRS, numbers=True),
    "drop-in": Case(DropIn, QUERY | {"attn_mask": "m n"}),
    "drop-in, bias": Case(DropIn, QUERY | {"attn_mask": "m n"}, numbers=True),
    "drop-in, entmax, 2 steps, padded": Case(
        lambda: DropIn(separation="entmax", steps=2), QUERY | {"key_padding_mask": "batch n"}
    ),
    "drop-in, learned β, grouped heads": Case(
        lambda: DropIn(beta=learned(0.5), num_kv_heads=1), QUERY
    ),
    "drop-in, window with ALiBi": Case(lambda: DropIn(window=Window.alibi(HEADS, 2)), TOKENS),
    "drop-in, entmax, window, padded": Case(
        lambda: DropIn(separation="entmax", window=Window(1, 1)),
        TOKENS | {"key_padding_mask": "batch n"},
    ),
    "encoder layer, entmax, padded": Case(
        lambda: HopfieldEncoderLayer(DIM, HEADS, 16, batch_first=True, separation="entmax"),
        {"src": "batch n dim", "src_key_padding_mask": "batch n"},
    ),
    "dense memory": Case(dense_memory, {"inputs": "batch dim"}),
    "energy transformer": Case(
        lambda: EnergyTransformerBlock(DIM, HEADS, MEMORIES, steps=2), TOKENS
    ),
    "energy transformer, padded": Case(
        lambda: EnergyTransformerBlock(DIM, HEADS, MEMORIES, steps=2), TOKENS | PADDED
    ),
}
