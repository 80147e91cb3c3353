"""HopfieldDenoiser against the expected clean row, and in the hands of scikit-learn."""

import pickle

import numpy as np
import pandas
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from hopfield.errors import DomainError, HopfieldError, InputTypeError
from hopfield.sklearn import HopfieldDenoiser


def noisy(rows, sigma, seed=0):
    return rows + sigma * np.random.default_rng(seed).normal(size=rows.shape)


def table(n=50, seed=0):
    draws = np.random.default_rng(seed)
    return draws.normal(size=(n, 3)) * [1.0, 50.0, 0.1] + [0.0, 1000.0, 0.0]


def test_one_read_is_the_expected_clean_row():
    clean, sigma = table(), 0.3
    queries = noisy(clean[:9] / clean.std(0), sigma) * clean.std(0)
    scores = -np.square((queries[:, None] - clean) / clean.std(0)).sum(-1) / (2 * sigma**2)
    posterior = np.exp(scores - scores.max(1, keepdims=True))
    expected = posterior / posterior.sum(1, keepdims=True) @ clean
    found = HopfieldDenoiser(1 / sigma**2).fit(clean).transform(queries)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_large_beta_gives_stored_rows_back():
    clean = table()
    found = HopfieldDenoiser(1e5).fit(clean).transform(noisy(clean, 1e-3))
    np.testing.assert_allclose(found, clean, rtol=1e-9)


def test_new_rows_are_restored_better_than_by_another_beta_or_by_components():
    rows = load_digits().data
    clean, new, sigma = rows[:1200], rows[1200:1500], 4.0
    unit = np.sqrt(clean.var(0).mean())
    queries = noisy(new, sigma)

    def error(restored):
        return np.sqrt(np.square(restored - new).mean())

    chosen = HopfieldDenoiser(noise=sigma / unit, scale=False).fit(clean)
    grid = {
        factor: error(HopfieldDenoiser(chosen.beta_ * factor, scale=False).fit(clean)
                      .transform(queries))
        for factor in (0.1, 0.5, 2.0, 10.0)
    }  # fmt: skip
    mine = error(chosen.transform(queries))
    assert mine < 1.02 * min(grid.values()) and mine < 0.9 * max(grid.values())
    components = PCA(24).fit(clean)
    assert mine < 0.85 * error(components.inverse_transform(components.transform(queries)))
    # More reads go on to a mode of the density, away from the expected row.
    settled = HopfieldDenoiser(chosen.beta_, scale=False, steps=100).fit(clean)
    assert error(settled.transform(queries)) > mine
    assert not settled.scale_ and HopfieldDenoiser().fit(table()).scale_


@pytest.mark.parametrize("scale", [True, False])
def test_beta_has_the_least_error_of_noisy_rows_read_from_the_others(scale):
    clean = table()
    denoiser = HopfieldDenoiser(noise=0.4, scale=scale).fit(clean)
    unit = clean.std(0) if scale else np.sqrt(clean.var(0).mean())
    draws = torch.Generator().manual_seed(1)
    normal = torch.randn(clean.shape, generator=draws, dtype=torch.float64).numpy()
    queries, width = clean + 0.4 * unit * normal, clean.std(0) if scale else 1.0

    def loss(beta):
        scores = -beta / 2 * np.square((queries[:, None] - clean) / width).sum(-1)
        np.fill_diagonal(scores, -np.inf)
        power = np.exp(scores - scores.max(1, keepdims=True))
        restored = power / power.sum(1, keepdims=True) @ clean
        return np.square((restored - clean) / width).mean()

    at = {factor: loss(denoiser.beta_ * factor) for factor in (0.25, 0.5, 1, 2, 4)}
    assert denoiser._reader().loss == pytest.approx(at[1], rel=1e-6)
    assert at[1] == min(at.values()) < 0.99 * max(at.values())


def test_parts_frames_and_dtypes():
    clean = table()
    frame = pandas.DataFrame(clean, columns=["a", "b", "c"], index=range(100, 150))
    denoiser = HopfieldDenoiser().set_output(transform="pandas").fit(frame)
    found = denoiser.transform(frame)
    assert found.columns.tolist() == ["a", "b", "c"] and found.index.equals(frame.index)
    assert denoiser.get_feature_names_out().tolist() == ["a", "b", "c"]
    parts = HopfieldDenoiser().partial_fit(clean[:20]).partial_fit(clean[20:])
    whole = HopfieldDenoiser().fit(clean)
    assert np.array_equal(parts.transform(clean), whole.transform(clean))
    assert parts.transform(clean.astype(np.float32)).dtype == np.float32
    assert whole.transform(clean.astype(int)).dtype == np.float64
    loaded = pickle.loads(pickle.dumps(whole))
    assert np.array_equal(loaded.transform(clean), whole.transform(clean))


def test_it_works_in_a_pipeline_that_is_searched():
    rows, labels = load_digits(return_X_y=True)
    rows, labels = rows[:300], labels[:300]
    steps = make_pipeline(HopfieldDenoiser(scale=False), KNeighborsClassifier())
    grid = {"hopfielddenoiser__beta": ["auto", 0.01]}
    search = GridSearchCV(steps, grid, cv=3).fit(rows, labels)
    assert search.best_score_ > 0.8


BAD = {
    "noise": ({"noise": 0.0}, DomainError, "noise must be above 0"),
    "steps": ({"steps": 0}, DomainError, "steps must be at least 1"),
    "scale": ({"scale": "auto"}, InputTypeError, "scale must be True or False"),
    "beta": ({"beta": np.nan}, DomainError, "beta must be at least 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_refused_by_name(name):
    options, error, message = BAD[name]
    with pytest.raises(error, match=message) as caught:
        HopfieldDenoiser(**options).fit(table()).transform(table())
    assert isinstance(caught.value, HopfieldError)


def test_missing_entries_and_sparse_rows_are_refused():
    denoiser = HopfieldDenoiser().fit(table())
    with pytest.raises(ValueError, match="NaN"):
        denoiser.transform(np.full((2, 3), np.nan))
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="Sparse"):
        denoiser.transform(csr_array(table()))


def test_scale_may_be_a_bool_of_numpy():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    for scale in (True, False):
        expected = HopfieldDenoiser(1.0, scale=scale).fit_transform(rows)
        assert (HopfieldDenoiser(1.0, scale=np.bool_(scale)).fit_transform(rows) == expected).all()
