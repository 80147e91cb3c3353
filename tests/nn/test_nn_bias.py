"""Numbers that are added to the scores of a layer, as by float masks of torch's attention."""

import pytest
import torch

from hopfield import Entmax, Softmax
from hopfield.nn import HopfieldAssociation, Iteration
from nn_layers import DIM, PADDING, STATE, STORED, as_torch, draw, seeded

HEADS = 2
PAIRS = draw(4, 5, seed=5) > 0.7
VISIBLE = PADDING & ~PADDING.all(-1, keepdim=True)
BIAS = draw(4, 5, seed=6).masked_fill(PAIRS, -torch.inf)


@pytest.mark.parametrize("padding", [None, VISIBLE], ids=["none", "padding"])
@pytest.mark.parametrize("learning", [False, True])
def test_a_bias_is_the_float_mask_of_torch(padding, learning):
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS))
    floats = None if padding is None else torch.zeros(2, 5).masked_fill(padding, -torch.inf)
    expected, weights = as_torch(layer)(
        STATE, STORED, STORED, key_padding_mask=floats, attn_mask=BIAS, average_attn_weights=False
    )
    given = {"padding_mask": padding, "association_mask": BIAS}
    with torch.set_grad_enabled(learning):
        torch.testing.assert_close(layer(STATE, STORED, **given), expected)
        torch.testing.assert_close(layer.describe(STATE, STORED, **given).weights, weights)


@pytest.mark.parametrize("iteration", [Iteration(2), Iteration(60, gradient="implicit")], ids=str)
@pytest.mark.parametrize("separation", [Softmax(0.3), Entmax(1.5, 0.3)], ids=["softmax", "entmax"])
def test_a_bias_is_learned(iteration, separation):
    """Without values of −∞, its derivative is that of differences."""
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS, separation, iteration)).double()
    bias = draw(4, 5, seed=6).double().requires_grad_()
    state, stored = STATE.double(), STORED.double()

    def loss(bias):
        return layer(state, stored, association_mask=bias).square().sum()

    (slope,) = torch.autograd.grad(loss(bias), bias)
    along, step = draw(4, 5, seed=9).double(), 1e-5
    with torch.no_grad():
        difference = loss(bias + step * along) - loss(bias - step * along)
    torch.testing.assert_close((slope * along).sum(), difference / (2 * step), rtol=1e-5, atol=1e-7)


def test_a_state_whose_bias_hides_all_patterns_reads_zeros():
    layer = seeded(lambda: HopfieldAssociation(DIM, HEADS))
    hidden = torch.zeros(4, 5).index_fill(0, torch.tensor([1]), -torch.inf)
    output = layer(STATE, STORED, association_mask=hidden)
    assert not output[:, 1].any() and output[:, 0].all()
    torch.testing.assert_close(output[:, 0], layer(STATE, STORED)[:, 0])
