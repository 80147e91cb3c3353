"""Gaussians of rows with gaps against dense matrices of each row, in float64."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from hopfield.sklearn.factors import FactorModel, fit_factors
from hopfield.sklearn.gaussian import Mixture, _next, fit_gaussian, fit_mixture, gap_groups
from hopfield.sklearn.row_model import ridge

DIM = 5


def random_rows(count=40, share=0.4, seed=0):
    draws = np.random.default_rng(seed)
    rows = torch.from_numpy(draws.normal(size=(count, DIM)))
    known = torch.from_numpy(draws.random((count, DIM)) >= share)
    known[0], known[1] = True, False  # a complete row, and an empty one
    return rows, known


def random_mixture(components, seed=0):
    draws = np.random.default_rng(seed)
    mean, roots = (
        torch.from_numpy(draws.normal(size=(components, *size))) for size in ((DIM,), (DIM, DIM))
    )
    covariance = roots @ roots.mT + 0.1 * torch.eye(DIM)
    share = torch.from_numpy(draws.dirichlet(np.ones(components)))
    wide = torch.full((DIM,), 1e6, dtype=torch.float64)
    mixture = Mixture(-wide, wide, covariance.mean(0), mean, torch.linalg.inv(covariance), share)
    return mixture, covariance


def truth(mixture, covariance, row, known):
    """Share, completed rows and covariances of one row by each component, and its gain."""
    k, m = known, ~known
    logs, completed, spreads, gains = [], [], [], []
    for mean, matrix, share in zip(mixture.mean, covariance, mixture.share, strict=True):
        inverse = torch.linalg.inv(matrix[k][:, k])
        gain = matrix[m][:, k] @ inverse
        filled = row.clone()
        filled[m] = mean[m] + gain @ (row[k] - mean[k])
        density = MultivariateNormal(mean[k], matrix[k][:, k]).log_prob(row[k]) if k.any() else 0.0
        logs.append(share.log() + density)
        completed.append(filled)
        spreads.append(matrix[m][:, m] - gain @ matrix[k][:, m])
        gains.append(gain)
    return torch.stack(logs).softmax(0), completed, spreads, gains


@pytest.mark.parametrize("components", [1, 3])
def test_expectations_are_those_of_the_known_features(components):
    mixture, covariance = random_mixture(components)
    rows, known = random_rows()
    assert len(gap_groups(known)) > 1
    conditional = mixture.given(rows, known)
    state = torch.zeros_like(rows)
    gain, complete = conditional.gain(state), conditional.complete()
    for i, (row, mask) in enumerate(zip(rows, known, strict=True)):
        share, completed, _, gains = truth(mixture, covariance, row, mask)
        assert conditional.share[i].tolist() == pytest.approx(share.tolist())
        expected = sum(p * each for p, each in zip(share, completed, strict=True))
        assert complete[i].tolist() == pytest.approx(expected.tolist())
        linear = sum(p * each for p, each in zip(share, gains, strict=True)) @ row[mask]
        assert gain[i][~mask].tolist() == pytest.approx(linear.tolist())
        assert (gain[i][mask] == 0).all()


@pytest.mark.parametrize("components", [1, 3])
def test_equal_masks_share_their_inverses(components):
    mixture, _ = random_mixture(components)
    rows, known = random_rows()
    known[2:] = known[2:4].repeat(19, 1)
    assert any(len(group.masks) < len(group.rows) for group in gap_groups(known))
    together = mixture.given(rows, known)
    for i in range(len(rows)):
        alone = mixture.given(rows[i : i + 1], known[i : i + 1])
        assert torch.allclose(together.complete()[i], alone.complete()[0])
        assert torch.allclose(together.share[i], alone.share[0])


def test_a_round_of_a_mixture_is_exact():
    """Means and covariances of expectation and maximisation, summed row by row."""
    mixture, covariance = random_mixture(2)
    rows, known = random_rows()
    shares, filled, spread = [], [], torch.zeros(2, DIM, DIM).double()
    for row, mask in zip(rows, known, strict=True):
        share, completed, spreads, _ = truth(mixture, covariance, row, mask)
        shares.append(share)
        filled.append(torch.stack(completed))
        for k, each in enumerate(spreads):
            gaps = (~mask).nonzero()
            spread[k][gaps, gaps.T] += share[k] * each
    share, filled = torch.stack(shares), torch.stack(filled, 1)
    count = share.sum(0)
    mean = torch.einsum("nk,knd->kd", share, filled) / count[:, None]
    centred = filled - mean[:, None]
    squares = torch.einsum("nk,kni,knj->kij", share, centred, centred) + spread
    pooled = squares.sum(0) / len(rows)
    expected = (squares + 20 * pooled) / (count + 20)[:, None, None] + ridge(40) * torch.eye(DIM)
    parts = [(slice(None), gap_groups(known))]
    following = _next(mixture, rows, known, parts)
    assert torch.allclose(following.mean, mean)
    assert torch.allclose(torch.linalg.inv(following.precision), expected)
    assert torch.allclose(following.share, count / len(rows))


def test_noise_has_the_covariance_of_unknown_features():
    mixture, covariance = random_mixture(1)
    rows, known = torch.zeros(20_000, DIM).double(), torch.tensor([True, False, False, True, False])
    noise = mixture.given(rows, known.expand(20_000, -1)).draw_noise(np.random.default_rng(0))
    spread = truth(mixture, covariance, rows[0], known)[2][0]
    assert (noise[:, known] == 0).all()
    assert torch.allclose(noise.T.cov()[~known][:, ~known], spread, atol=0.05 * float(spread.max()))


def test_complete_rows_need_no_rounds():
    rows, _ = random_rows()
    rows = rows - rows.mean(0)
    everything = torch.ones_like(rows, dtype=torch.bool)
    one = fit_gaussian(rows, everything)
    expected = rows.T @ rows / len(rows) + ridge(len(rows)) * torch.eye(DIM)
    assert torch.allclose(torch.linalg.inv(one.precision[0]), expected)
    halves = fit_mixture(one, rows, everything, (rows[:, 0] > 0).long())
    assert halves.share.sum() == pytest.approx(1)


def test_a_model_moves_with_its_rows():
    factor, shift = torch.linspace(0.5, 2, DIM).double(), torch.arange(DIM).double()
    rows, known = random_rows()
    mixture = fit_gaussian(torch.where(known, rows, 0.0), known)
    moved = mixture.scaled(factor, shift).complete(factor * rows + shift, known)
    assert torch.allclose(moved, factor * mixture.complete(rows, known) + shift)


def test_all_factors_are_the_gaussian_itself():
    mixture, covariance = random_mixture(1)
    values, vectors = torch.linalg.eigh(covariance[0] - 0.05 * torch.eye(DIM))
    model = FactorModel(
        mixture.low, mixture.high, covariance[0], mixture.mean[0], vectors * values.sqrt(), 0.05
    )
    rows, known = random_rows()
    dense, factors = mixture.given(rows, known), model.given(rows, known)
    assert torch.allclose(factors.complete(), dense.complete())
    state = torch.ones_like(rows)
    assert torch.allclose(factors.gain(state)[~known], dense.gain(state)[~known])
    many = rows[:1].expand(20_000, -1), torch.tensor([True, False, False, True, False])
    known = many[1].expand(20_000, -1)
    spread = model.given(many[0], known).draw_noise(np.random.default_rng(0)).T.cov()
    exact = dense.model.given(many[0], known).draw_noise(np.random.default_rng(1)).T.cov()
    assert torch.allclose(spread, exact, atol=0.05 * float(exact.max()))


def test_few_factors_complete_rows_of_few_factors():
    draws = np.random.default_rng(0)
    rows = torch.from_numpy(draws.normal(size=(300, 3)) @ draws.normal(size=(3, 80))).float()
    rows = (rows - rows.mean(0)) / rows.std(0)
    known = torch.from_numpy(draws.random(rows.shape) > 0.3)
    model = fit_factors(torch.where(known, rows, 0.0), known)
    error = (model.complete(rows, known) - rows)[~known].square().mean().sqrt()
    assert error < 0.2
