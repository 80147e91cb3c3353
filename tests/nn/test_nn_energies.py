"""Layers with an energy: the dense memory classifier and the energy transformer."""

import math

import pytest
import torch

from hopfield import Polynomial, RectifiedPolynomial, Softmax
from hopfield.errors import HopfieldError, InputTypeError, ShapeError
from hopfield.nn import DenseMemoryClassifier, EnergyTransformerBlock
from hopfield.nn.dense_memory import initial_deviation
from nn_layers import draw, seeded

CLASSES, PIXELS = 3, 6


@pytest.mark.parametrize(
    "separation", [RectifiedPolynomial(2), RectifiedPolynomial(5), Polynomial(3), Softmax(2.0)]
)
def test_logits_are_decreases_of_the_energy(separation):
    """States of ±1 have a root mean square r of 1; others are divided by theirs."""
    layer = with_class_units(PIXELS, CLASSES, 7, separation, scale=2.0)
    patterns = torch.cat([layer.memories, layer.classes], dim=-1) / (PIXELS + CLASSES) ** 0.5
    images = torch.cat([draw(4, PIXELS), draw(3, PIXELS).sign()]).double()
    roots = []
    for image, logits in zip(images, layer(images), strict=True):
        for unit in range(CLASSES):
            off = torch.cat([image, -torch.ones(CLASSES, dtype=image.dtype)])
            on = off.clone()
            on[PIXELS + unit] = 1.0
            r = off.square().mean().sqrt()
            energies = [-r * separation.potential(patterns @ x / r) for x in (off, on)]
            torch.testing.assert_close(logits[unit], 2 * (energies[0] - energies[1]))
            roots.append(r.item())
    assert roots[-1] == 1.0 != roots[0]


def with_class_units(*arguments, **options):
    """Return a seeded classifier in float64 whose class units differ from 0."""
    layer = seeded(lambda: DenseMemoryClassifier(*arguments, **options))
    with torch.no_grad():
        layer.classes.copy_(draw(*layer.classes.shape, seed=3))
    return layer.double()


@pytest.mark.parametrize("degree", [2, 3, 5, 8, 12, 20])
@pytest.mark.parametrize(("dim", "classes", "memories"), [(4, 2, 1), (64, 10, 100), (784, 100, 50)])
@pytest.mark.parametrize("unit", [1e-3, 1.0, 255.0])
def test_training_starts_at_the_log_of_the_classes(degree, dim, classes, memories, unit):
    layer = seeded(
        lambda: DenseMemoryClassifier(dim, classes, memories, RectifiedPolynomial(degree))
    )
    images, labels = unit * draw(32, dim).abs(), torch.arange(32) % classes
    optimiser = torch.optim.Adam(layer.parameters(), 1e-2)
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(layer(images), labels)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[0] == pytest.approx(math.log(classes), rel=1e-4)
    assert max(losses) < 1.5 * math.log(classes)


@pytest.mark.parametrize("scale", [1.0, 0.1, 100.0])
@pytest.mark.parametrize("degree", [2, 5, 20])
def test_memories_start_where_logits_are_of_size_one(degree, scale):
    """With class units as large as the memories; by a draw in place of quantiles."""
    separation, units, count = RectifiedPolynomial(degree), 74, 20_000
    sigma = initial_deviation(separation, count, units, scale)
    assert 0 < sigma < 1
    scores, classes = sigma * draw(2, count).double()
    logit = 2 * scale * (separation(scores) * classes).sum() / units**0.5
    spread = 2 * scale * sigma * separation(scores).norm() / units**0.5
    assert abs(logit) < 4 and 0.2 < spread < 5
    assert initial_deviation(Softmax(2.0), 10, units, 1.0) == 1.0


def test_the_unit_of_the_data_changes_neither_the_ranking_nor_the_size_of_the_logits():
    layer = with_class_units(PIXELS, CLASSES, 7, RectifiedPolynomial(9))
    images = 1e4 * draw(5, PIXELS).double()
    torch.testing.assert_close(layer(1e4 * images), layer(images), rtol=1e-2, atol=1e-4)
    layer.half()
    assert layer(images.half()).isfinite().all()


def test_the_classifier_accepts_any_batch_and_prints_its_formula():
    layer = with_class_units(PIXELS, CLASSES, 7).float()
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
