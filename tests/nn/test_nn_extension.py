"""Separations of a user in layers: they work, or are refused by name."""

import pytest
import torch

from hopfield import Separation, Softmax
from hopfield.errors import OptionError
from hopfield.nn import HopfieldAssociation, HopfieldPooling, Iteration
from hopfield.nn.functional import association, describe
from nn_layers import DIM, PADDING, STATE, STORED, seeded


class OwnSoftmax(Separation):
    """softmax(2s), written from the documentation."""

    def potential(self, scores):
        return (2 * scores).logsumexp(-1) / 2 - torch.tensor(scores.shape[-1]).log() / 2

    def __call__(self, scores):
        return torch.softmax(2 * scores, dim=-1)


class Declared(OwnSoftmax):
    """OwnSoftmax with the capability that leads to torch's attention."""

    def softmax_beta(self):
        return 2.0


class Tempered(OwnSoftmax):
    """softmax(s·t) with a parameter t per head."""

    def __init__(self, t):
        self.t = t

    def __call__(self, scores):
        return torch.softmax(scores * self.t[..., None], dim=-1)


class Additive(OwnSoftmax):
    simplex = False


class Mixed(OwnSoftmax):
    """A tenth of all weight is shared by all patterns."""

    def __call__(self, scores):
        return 0.9 * super().__call__(scores) + 0.1 / scores.shape[-1]


def operands():
    state, stored = STATE.double().requires_grad_(), STORED.double().requires_grad_()
    return [state, stored]


@pytest.mark.parametrize("mask", [None, PADDING[:, None]], ids=["", "mask"])
@pytest.mark.parametrize("own", [OwnSoftmax(), Declared()], ids=lambda one: type(one).__name__)
def test_potential_and_call_are_enough(own, mask):
    given, iteration = operands(), Iteration(3, tol=1e-9)
    one, other = (
        association(*given, separation=separation, mask=mask, iteration=iteration)
        for separation in (own, Softmax(2.0))
    )
    torch.testing.assert_close(one, other)
    by_one, by_other = (torch.autograd.grad(y.square().sum(), given) for y in (one, other))
    for mine, expected in zip(by_one, by_other, strict=True):
        torch.testing.assert_close(mine, expected)
    energies, expected = (
        describe(*given, separation=separation, mask=mask, iteration=Iteration(3)).energies
        for separation in (own, Softmax(2.0))
    )
    torch.testing.assert_close(energies, expected)


def test_a_parameter_of_a_separation_is_learned_or_moves_with_the_layer():
    layers = []
    for learned in (True, False):
        t = torch.tensor([0.5, 2.0], requires_grad=learned)
        layers.append(seeded(lambda t=t: HopfieldAssociation(DIM, 2, Tempered(t))))
    learned, fixed = layers
    torch.testing.assert_close(learned(STATE, STORED), fixed(STATE, STORED))
    assert "separation.t.raw" in dict(learned.named_parameters())
    assert "separation.t.fixed" in dict(fixed.named_buffers())
    assert "t=[0.5, 2], learned" in repr(learned)
    learned(STATE, STORED).square().sum().backward()
    assert learned.separation.t.raw.grad.abs().min() > 0
    beta = torch.tensor([0.5, 2.0])
    expected = seeded(lambda: HopfieldAssociation(DIM, 2, Softmax(beta)))
    torch.testing.assert_close(learned(STATE, STORED), expected(STATE, STORED))


def test_what_does_not_work_is_refused_by_name():
    with pytest.raises(OptionError, match="Additive does not"):
        association(*operands(), separation=Additive())
    association(*operands(), separation=Mixed())
    with pytest.raises(OptionError, match="Mixed cannot be used with a mask"):
        association(*operands(), separation=Mixed(), mask=PADDING[:, None])
    layer = seeded(lambda: HopfieldPooling(HopfieldAssociation(DIM, 2, Mixed())))
    with pytest.raises(OptionError, match="Mixed cannot be used with a mask"):
        layer(STORED, padding_mask=PADDING)
