"""Layers whose projections are other modules: with low-rank updates, quantised, on no device."""

import copy

import pytest
import torch
from torch import nn

from hopfield import Entmax, Sparsemax
from hopfield.errors import InputTypeError
from hopfield.nn import (
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldDecoderLayer,
    HopfieldEncoderLayer,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
    ProductKeyLookup,
    Projections,
)
from nn_layers import DIM, MASKED, STATE, STORED, Case, draw, learned, seeded

NORMED = Projections(key=nn.Sequential(nn.LayerNorm(DIM), nn.Linear(DIM, DIM)), null=True)

BLOCKS = {
    "association": Case(
        lambda: HopfieldAssociation(DIM, 2, iteration=Iteration(3)), (STATE, STORED), MASKED
    ),
    "entmax": Case(
        lambda: HopfieldAssociation(DIM, 2, Entmax(learned(1.5), learned(0.5))), (STATE, STORED), {}
    ),
    "normed": Case(
        lambda: HopfieldAssociation(DIM, 2, projections=copy.deepcopy(NORMED)), (STATE, STORED), {}
    ),
    "pooling": Case(
        lambda: HopfieldPooling(HopfieldAssociation(DIM, 2, Sparsemax(0.5)), 3), (STORED,), MASKED
    ),
    "lookup": Case(lambda: HopfieldLookup(HopfieldAssociation(DIM, 2), 6), (STATE,), {}),
    "energy transformer": Case(
        lambda: EnergyTransformerBlock(DIM, 2, 6, steps=2), (STORED,), MASKED
    ),
    "product keys": Case(lambda: ProductKeyLookup(DIM, 9, 2, 9), (STATE,), {}),
    "encoder": Case(
        lambda: HopfieldEncoderLayer(DIM, 2, 16, batch_first=True, steps=2).eval(), (STORED,), {}
    ),
    "decoder": Case(
        lambda: HopfieldDecoderLayer(DIM, 2, 16, batch_first=True).eval(), (STATE, STORED), {}
    ),
}
every_block = pytest.mark.parametrize("case", BLOCKS.values(), ids=BLOCKS)


class LowRank(nn.Module):
    """x ↦ Wx + BAx with W fixed, as in the layers of peft: its weight is not that of the map."""

    def __init__(self, base: nn.Linear, seed: int):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(0.3 * draw(2, base.in_features, seed=seed))
        self.up = nn.Parameter(0.3 * draw(base.out_features, 2, seed=seed + 100))

    @property
    def weight(self):
        raise AssertionError("the weight of a module is its own affair")

    @property
    def update(self) -> torch.Tensor:
        return self.up @ self.down

    def forward(self, rows):
        return self.base(rows) + rows @ self.update.T


def projections(layer: nn.Module) -> list[tuple[nn.Module, str]]:
    """Return each Linear as its parent and its name."""
    return [
        (parent, name)
        for parent in layer.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear
    ]


@every_block
def test_low_rank_updates_are_those_of_the_weights(case):
    merged = seeded(case.make)
    layer = copy.deepcopy(merged)
    before = case.call(layer).detach()
    pairs = zip(projections(layer), projections(merged), strict=True)
    for seed, ((parent, name), (other, _)) in enumerate(pairs):
        wrapped = LowRank(getattr(parent, name), seed)
        setattr(parent, name, wrapped)
        with torch.no_grad():
            getattr(other, name).weight.add_(wrapped.update)
    output = case.call(layer)
    torch.testing.assert_close(output, case.call(merged), rtol=1e-5, atol=1e-6)
    assert (output - before).abs().max() > 0.01, "premise: the updates show"
    output.square().sum().backward()
    for name, parameter in layer.named_parameters():
        if name.endswith(("up", "down")):
            assert parameter.grad.any(), name


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@every_block
def test_weights_of_8_bits(case):
    layer = seeded(case.make).eval()
    expected = case.call(layer).detach()
    places = len(projections(layer))
    quantized = torch.ao.quantization.quantize_dynamic(layer, {nn.Linear}, dtype=torch.qint8)
    modules = sum(type(one).__module__.startswith("torch.ao") for one in quantized.modules())
    assert modules >= places > 0 and not projections(quantized), "premise: all were replaced"
    output = case.call(quantized)
    scale = expected.abs().max().item()
    torch.testing.assert_close(output, expected, rtol=0, atol=0.05 * scale)
    assert not torch.equal(output, expected), "premise: 8 bits round"


def test_a_hook_that_brings_the_weights_is_waited_for():
    """As with sharded or offloaded weights: between the calls they are of another dtype."""
    layer = seeded(lambda: HopfieldAssociation(DIM, 2))
    expected = layer(STATE)
    layer.key.double()
    with pytest.raises(InputTypeError, match="stored must be float64"):
        layer(STATE, STORED)
    layer.key.register_forward_pre_hook(lambda module, _: module.float() and None)
    layer.key.register_forward_hook(lambda module, *_: module.double() and None)
    torch.testing.assert_close(layer(STATE), expected)
    assert layer.key.weight.dtype == torch.float64, "premise: the hooks ran"
