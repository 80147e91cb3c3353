"""Layers with an energy: the dense memory classifier and the energy transformer."""

import pytest
import torch

from hopfield import Polynomial, RectifiedPolynomial, Softmax
from hopfield.errors import HopfieldError, InputTypeError, ShapeError
from hopfield.nn import DenseMemoryClassifier, EnergyTransformerBlock
from nn_layers import draw, seeded

CLASSES, PIXELS = 3, 6


@pytest.mark.parametrize(
    "separation", [RectifiedPolynomial(2), RectifiedPolynomial(5), Polynomial(3), Softmax(2.0)]
)
def test_logits_are_decreases_of_the_energy(separation):
    layer = seeded(lambda: DenseMemoryClassifier(PIXELS, CLASSES, 7, separation, scale=2.0))
    layer, images = layer.double(), draw(4, PIXELS).double()
    patterns = torch.cat([layer.memories, layer.classes], dim=-1) / (PIXELS + CLASSES) ** 0.5
    for image, logits in zip(images, layer(images), strict=True):
        for unit in range(CLASSES):
            off = torch.cat([image, -torch.ones(CLASSES, dtype=image.dtype)])
            on = off.clone()
            on[PIXELS + unit] = 1.0
            energies = [-separation.potential(patterns @ x) for x in (off, on)]
            torch.testing.assert_close(logits[unit], 2 * (energies[0] - energies[1]))


def test_the_classifier_accepts_any_batch_and_prints_its_formula():
    layer = seeded(lambda: DenseMemoryClassifier(PIXELS, CLASSES, 7))
    images = draw(2, 5, PIXELS)
    torch.testing.assert_close(layer(images)[1, 2], layer(images[1, 2]))
    assert "RectifiedPolynomial(degree=3)" in repr(layer) and "memories=7" in repr(layer)
    assert torch.autograd.gradcheck(
        layer.double(), draw(2, PIXELS).double().requires_grad_(), fast_mode=False
    )


def block(**arguments) -> EnergyTransformerBlock:
    return seeded(lambda: EnergyTransformerBlock(8, 2, 10, **arguments)).double()


TOKENS = draw(3, 5, 8).double()
PADDING = torch.tensor([[False] * 5, [False, True] * 2 + [False], [True] * 4 + [False]])


def by_loops(layer, tokens, padding):
    """Return the energy of one batch entry by the paper, up to the log of the count."""
    g = layer.normalised(tokens[None])[0]
    seen = [i for i in range(len(g)) if not padding[i]]
    d, total = 4, torch.zeros((), dtype=g.dtype)
    for head in range(2):
        rows = slice(head * d, head * d + d)
        q, k = g @ layer.query.weight[rows].T, g @ layer.key.weight[rows].T
        for b in seen:
            others = [c for c in seen if c != b]
            if others:
                total -= d**0.5 * (k[others] @ q[b] / d**0.5).exp().mean().log()
    for b in seen:
        total -= 0.5 * (layer.memories @ g[b]).relu().square().sum()
    return total


def test_the_energy_by_loops():
    layer = block()
    with torch.no_grad():
        layer.log_gamma.fill_(0.3)
        layer.delta.copy_(draw(8, seed=2))
    found = layer.energy(TOKENS, padding_mask=PADDING)
    expected = [by_loops(layer, *one) for one in zip(TOKENS, PADDING, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected))
    torch.testing.assert_close(
        layer.energy(TOKENS), layer.energy(TOKENS, padding_mask=torch.zeros_like(PADDING))
    )


@pytest.mark.parametrize("padding", [None, PADDING], ids=["", "padding"])
def test_a_step_goes_down_the_slope_and_the_energy_falls(padding):
    layer = block(steps=1, rate=0.01)
    g = layer.normalised(TOKENS).detach().requires_grad_()
    energy = layer._energy(g, layer._matrices(g), layer._checked_mask(TOKENS, padding), padding)
    (slope,) = torch.autograd.grad(energy.sum(), g)
    expected = TOKENS - 0.01 * slope
    tokens = layer(TOKENS, padding_mask=padding)
    torch.testing.assert_close(tokens, expected)
    before = layer.energy(TOKENS, padding_mask=padding)
    for _ in range(50):
        after = layer.energy(tokens, padding_mask=padding)
        assert (after < before).all()
        before, tokens = after, layer(tokens, padding_mask=padding)
    if padding is not None:
        assert torch.equal(tokens[padding], TOKENS[padding])


def test_several_steps_are_single_steps_and_train():
    many, once = block(steps=3), block(steps=1)
    torch.testing.assert_close(many(TOKENS), once(once(once(TOKENS))))
    loss = many(TOKENS).square().sum()
    loss.backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in many.parameters())
    with torch.no_grad():
        torch.testing.assert_close(many(TOKENS), once(once(once(TOKENS))))
    assert "x ← x − 0.1·∂E/∂g × 3" in repr(many)


def test_the_order_of_tokens_does_not_matter():
    layer, order = block(), torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(layer(TOKENS[:, order]), layer(TOKENS)[:, order])


WRONG = {
    "dim": (lambda: DenseMemoryClassifier(0, 3, 4), HopfieldError, "dim"),
    "classes": (lambda: DenseMemoryClassifier(3, 1, 4), HopfieldError, "classes"),
    "separation": (lambda: DenseMemoryClassifier(3, 3, 4, 3), InputTypeError, "separation"),
    "inputs": (
        lambda: seeded(lambda: DenseMemoryClassifier(3, 3, 4))(draw(2, 5)),
        ShapeError,
        "Flatten images",
    ),
    "heads": (lambda: EnergyTransformerBlock(8, 3), ShapeError, "multiple of heads=3"),
    "tokens": (lambda: block()(TOKENS[0]), ShapeError, r"tokens\[None\]"),
    "float mask": (
        lambda: block()(TOKENS, padding_mask=PADDING.float()),
        InputTypeError,
        "padding_mask must be a bool tensor",
    ),
    "mask": (
        lambda: block().energy(TOKENS, padding_mask=PADDING[:, :4]),
        ShapeError,
        r"padding_mask must have shape \(3, 5\)",
    ),
    "rate": (lambda: EnergyTransformerBlock(8, rate=-1.0), HopfieldError, "rate"),
}


@pytest.mark.parametrize(("call", "error", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
