"""The kernel of α-entmax for any α, against bisection and the formulas of its slopes in float64."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hopfield import Entmax, backend, kernels
from hopfield.nn.functional import association
from hopfield.separation import tsallis
from nn_layers import draw

ALPHAS = [1.01, 1.05, 1.2, 1.5, 1.75, 1.99, 2.0, 2.01, 2.5, 3.0, 10.0]
EPS = torch.finfo(torch.float32).eps
HIDDEN = torch.finfo(torch.float32).min / 64

ROWS = {
    "normal": draw(40, 37),
    "many": draw(4, 1000),
    "one": draw(5, 1),
    "vectors": draw(3, 32),
    "ties": torch.tensor([1.0, 1.0, 0.9, 0.9, 0.9, -1.0]).repeat(2, 4),
    "equal": torch.full((3, 19), -7.5),
    "one with weight": torch.cat([torch.full((2, 1), 40.0), draw(2, 20)], dim=-1),
    "hidden": draw(3, 21).where(draw(3, 21, seed=1) > 0, HIDDEN),
    "all hidden": torch.full((2, 18), HIDDEN),
    "huge": draw(4, 33) * 1e30,
    "far": torch.tensor([[300.0, 0.0, -1e30], [0.0, -torch.inf, -0.1]]),
}
every_row = pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
every_alpha = pytest.mark.parametrize("alpha", ALPHAS)


def beta_of(rows: Tensor) -> Tensor:
    return torch.linspace(0.5, 3, len(rows))


def fused(rows: Tensor, alpha: float | Tensor, beta: Tensor) -> Tensor:
    with backend("fused"):
        return Entmax(alpha, beta)(rows)


def of_each(rows: Tensor, alpha: float) -> Tensor:
    """One α for all rows, in float32: the other kernel does not take it."""
    return torch.full((len(rows),), alpha)


def bisected(rows: Tensor, alpha: float, beta: Tensor) -> tuple[Tensor, float]:
    """z − τ with Σ[z − τ]₊^r = 1 in float64, and r, for α as float32 has it."""
    sharp = torch.tensor(alpha).double() - 1
    power = 1 / float(sharp)
    z = sharp * beta.double()[:, None] * (rows.double() - rows.double().amax(-1, keepdim=True))
    low, high = torch.full_like(z[:, :1], -1.0), torch.zeros_like(z[:, :1])
    for _ in range(60):
        middle = (low + high) / 2
        above = ((z - middle).clamp_min(0) ** power).sum(-1, keepdim=True) >= 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return z - low, power


@pytest.mark.parametrize("power", [1 / 9, 0.5, 1.0, 1.75, 4.0, 20.0, 100.0])
def test_powers_are_right_to_roundings_of_their_logarithm(power):
    from hopfield.kernels import entmax

    t = torch.cat([-torch.linspace(0, 125.9, 4000), 0.5 - torch.arange(4000) / 4000]).exp2()
    found = torch.tensor([entmax._power(x, np.float32(power)) for x in t.numpy()])
    exact = t.double() ** float(np.float32(power))
    seen = exact > 2.0**-125.9
    assert seen.sum() > 4000, "premise: powers from 2^-126 on"
    bound = 2 * EPS * exact * (1 + exact.log2().abs())
    assert ((found - exact).abs() <= bound)[seen].all()
    assert (found[exact < 2.0**-126.1] == 0).all()


@every_row
@every_alpha
def test_weights_are_those_of_bisection(alpha, rows):
    """Within what some eps of z and τ do to a weight, to the sum, and to its logarithm."""
    found = fused(rows, of_each(rows, alpha), beta_of(rows)).double()
    t, power = bisected(rows, alpha, beta_of(rows))
    exact = t.clamp_min(0) ** power
    moved = (t + 4 * EPS).clamp_min(0) ** power - (t - 4 * EPS).clamp_min(0) ** power
    rounded = exact * moved.sum(-1, keepdim=True)
    rounded += 4 * EPS * torch.where(exact > 0, exact * (1 - exact.log2()), 0.0)
    assert ((found - exact).abs() <= moved + rounded + 1e-37).all()
    assert ((found.sum(-1) - 1).abs() <= 16 * EPS).all()
    assert (found[t < -4 * EPS] == 0).all()


def test_premises_of_the_rows():
    one = fused(ROWS["one with weight"], of_each(torch.empty(2), 1.2), beta_of(torch.empty(2)))
    assert ((one > 0).sum(-1) == 1).all()
    normal = fused(ROWS["normal"], of_each(ROWS["normal"], 1.5), beta_of(ROWS["normal"]))
    assert (normal == 0).any() and ((normal > 0).sum(-1) > 10).any()


def slopes(rows: Tensor, alpha: Tensor, beta: Tensor, above: Tensor) -> tuple[Tensor, ...]:
    """Weights, and the slopes by scores, α and β, by the kernel."""
    given = [each.clone().requires_grad_() for each in (rows, alpha, beta)]
    with backend("fused"):
        weights = Entmax(*given[1:])(given[0])
        return weights.detach(), *torch.autograd.grad(weights, given, above)


@every_row
@every_alpha
def test_slopes_are_those_of_the_weights(alpha, rows):
    """By scores, α and β, from the weights found, in float64."""
    each, beta, above = of_each(rows, alpha), beta_of(rows), draw(*rows.shape, seed=3) + 2
    weights, *found = slopes(rows, each, beta, above)
    p, a, b = weights.double(), each.double()[:, None], beta.double()[:, None]
    inside = p > 0
    scale = torch.where(inside, p ** (2 - a), 0.0)
    mean = (scale * above).sum(-1, keepdim=True) / scale.sum(-1, keepdim=True)
    centred = above - mean
    gap = torch.where(inside, rows - rows.amax(-1, keepdim=True), 0.0).double()
    tallied = torch.where(inside, p * p.log(), 0.0)
    by_beta, entropic = scale * centred * gap, centred * tallied
    by_alpha = (b * by_beta - entropic) / (a - 1)
    # Each term may be wrong by some roundings of its size, and of its logarithm.
    size = scale * (above.abs() + mean.abs()) * (1 + (scale + ~inside).log2().abs())
    slack = (b * size, (b * size * gap.abs() - size * tallied) / (a - 1), size * gap.abs())
    expected = (b * scale * centred, by_alpha, by_beta)
    for one, exact, bound in zip(found, expected, slack, strict=True):
        if one.ndim == 1:
            exact, bound = exact.sum(-1), bound.sum(-1)
        assert ((one - exact).abs() <= 16 * EPS * bound + 1e-30).all()


def test_a_row_does_not_depend_on_its_batch():
    rows, above = draw(9, 37), draw(9, 37, seed=1)
    alpha, beta = torch.linspace(1.1, 2.6, 9), torch.linspace(0.5, 3, 9)
    together = slopes(rows, alpha, beta, above)
    for i in range(9):
        own = slice(i, i + 1)
        alone = slopes(rows[own], alpha[own], beta[own], above[own])
        for one, other in zip(alone, together, strict=True):
            assert torch.equal(one, other[own])


def test_slopes_of_scores_of_three_axes():
    """An α and a β for each row of `(2, 3, n)`, against torch in float64."""
    rows, above = draw(2, 3, 17), draw(2, 3, 17, seed=1)
    alpha, beta = torch.linspace(1.1, 2.6, 6).view(2, 3), torch.linspace(0.1, 0.4, 6).view(2, 3)
    found = slopes(rows, alpha, beta, above)
    given = [each.double().requires_grad_() for each in (rows, alpha, beta)]
    with backend("torch"):
        weights = Entmax(*given[1:])(given[0])
    exact = (weights.detach(), *torch.autograd.grad(weights, given, above.double()))
    assert all(one.abs().min() > 1e-4 for one in exact[2:]), "premise"
    for one, other in zip(found, exact, strict=True):
        assert one.shape == other.shape and one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


def test_slopes_without_learning_are_the_same():
    rows, above = draw(9, 37).requires_grad_(), draw(9, 37, seed=1)
    alpha, beta = torch.linspace(1.1, 2.6, 9), torch.linspace(0.5, 3, 9)
    with backend("fused"):
        (by,) = torch.autograd.grad(Entmax(alpha, beta)(rows), rows, above)
    assert torch.equal(slopes(rows.detach(), alpha, beta, above)[1], by)


def test_nan_stays_in_its_row():
    rows = torch.tensor([[1.0, torch.nan, 0.0], [1.0, 0.5, 0.0]])
    weights, by, *_ = slopes(rows, torch.tensor([1.3, 2.5]), torch.ones(2), torch.eye(3)[:2])
    assert weights[0].isnan().all() and by[0].isnan().all()
    assert weights[1].isfinite().all() and by[1].isfinite().all()
    infinite = torch.tensor([[1.0, torch.inf], [-torch.inf, -torch.inf]])
    assert fused(infinite, 1.3, torch.ones(2)).isnan().all()


@pytest.mark.parametrize(
    ("alpha", "dtype", "name", "module"),
    [
        (torch.tensor([1.3, 1.7]), torch.float32, "fused", "entmax"),
        (torch.tensor([1.5, 1.7]), torch.float32, "fused", "entmax"),
        (1.5, torch.float32, "fused", "sparse"),
        (1.5, torch.float64, "fused", "sparse"),
        (1.3, torch.float64, "fused", None),
        (1.3, torch.float32, "torch", None),
    ],
)
def test_which_kernel_serves(alpha, dtype, name, module, monkeypatch):
    called = []

    def noted(count, seconds, work):
        called.append(work.func.__module__.rpartition(".")[-1])
        work(0, count)

    monkeypatch.setattr(kernels, "in_parts", noted)
    scores = draw(2, 5).to(dtype).requires_grad_()
    with backend(name):
        weights = Entmax(alpha)(scores)
        torch.autograd.grad(weights, scores, torch.ones_like(weights))
    assert called == ([] if module is None else [module] * 2)


def test_large_calls_alone_take_the_kernel(monkeypatch):
    monkeypatch.setattr(kernels, "LARGE", 40)
    alpha = torch.tensor([1.3, 1.7])
    few, many = draw(2, 19), draw(2, 20)
    assert tsallis._kernel(few, alpha) is None
    assert tsallis._kernel(many, alpha).__name__ == "hopfield.kernels.entmax"
    torch.testing.assert_close(Entmax(alpha)(many), fused(many, alpha, torch.ones(2)))


@pytest.mark.parametrize("by_head", [True, False])
def test_a_layer_by_kernels_agrees_with_torch(by_head):
    """An α that learns, beyond 2 too, with one that is 1.5 at first."""
    found = []
    for name in kernels.BACKENDS:
        alpha = torch.tensor([[1.2], [1.5], [2.2]] if by_head else 1.5, requires_grad=True)
        given = [draw(2, 3, 7, 4, seed=i).requires_grad_() for i in range(3)]
        with backend(name):
            read = association(*given, separation=Entmax(alpha, 0.8))
            loss = (read * draw(*read.shape, seed=4)).sum()
            found.append((read.detach(), *torch.autograd.grad(loss, [*given, alpha])))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-5)
    assert math.isfinite(float(found[0][-1].sum()))
