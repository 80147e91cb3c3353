"""HopfieldImputer against truths: exact recipes, hidden entries, coverage, and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from hopfield import ModernHopfield
from hopfield.errors import DomainError
from hopfield.sklearn import HopfieldImputer

NAN = float("nan")


def hidden(table, share, seed=0):
    gaps = np.random.default_rng(seed).random(table.shape) < share
    return np.where(gaps, NAN, table), gaps


def scaled_error(filled, table, gaps):
    return float(np.sqrt((((filled - table) / table.std(0))[gaps] ** 2).mean()))


def clusters(rows=200, seed=0):
    draws = np.random.default_rng(seed)
    centres, kinds = 2 * draws.normal(size=(5, 6)), draws.integers(5, size=rows)
    return centres[kinds] + 0.2 * draws.normal(size=(rows, 6))


def linear(rows=200, seed=0):
    draws = np.random.default_rng(seed)
    return draws.normal(size=(rows, 2)) @ draws.normal(size=(2, 6)) + 0.1 * draws.normal(
        size=(rows, 6)
    )


def test_a_new_row_is_read_by_the_modern_network():
    table = clusters(40)
    imputer = HopfieldImputer(beta=2.0, linear=0.0, round=None).fit(table)
    row = table[:1] + 0.1
    row[0, 2] = NAN
    mean, std = table.mean(0), table.std(0)
    memory = ModernHopfield(2.0 * 6 / 5, similarity="euclidean")
    memory.store(torch.from_numpy((table - mean) / std))
    cue = torch.from_numpy((row - mean) / std)
    state = memory.retrieve(cue, known=~cue.isnan(), steps=1).state.numpy() * std + mean
    assert imputer.transform(row) == pytest.approx(state, rel=1e-6)


@pytest.mark.parametrize("dim, share", [(6, 0.1), (6, 0.4)])
def test_clusters_and_lines_are_filled_better_than_by_either_alone(dim, share):
    for make in (clusters, linear):
        table = make()
        damaged, gaps = hidden(table, share)
        chosen = HopfieldImputer(round=None).fit(damaged)
        error = scaled_error(chosen.transform(damaged), table, gaps)
        mean = np.where(gaps, np.nanmean(damaged, 0), table)
        assert error < 0.6 * scaled_error(mean, table, gaps)
        other = {"linear": 1.0, "beta": 0.0} if make is clusters else {"linear": 0.0}
        single = HopfieldImputer(round=None, **other).fit_transform(damaged)
        assert error <= 1.02 * scaled_error(single, table, gaps)
        assert (chosen.linear_ > 0.5) or make is clusters


def test_a_row_never_reads_itself():
    """Rows filled by column means find themselves; rows left out of their own reading do not."""
    table = clusters()
    damaged, gaps = hidden(table, 0.2)
    filled = HopfieldImputer(beta=64.0, linear=0.0, round=None).fit_transform(damaged)
    assert scaled_error(filled, table, gaps) < 0.6
    twice = np.concatenate([damaged, damaged])  # a copy of the row has the same gaps
    filled = HopfieldImputer(beta=64.0, linear=0.0, round=None).fit_transform(twice)
    assert scaled_error(filled[: len(table)], table, gaps) < 0.6


def test_beta_is_chosen_for_new_entries():
    """The β that recalls stored rows best would be the largest one."""
    draws = np.random.default_rng(0)
    angle = draws.uniform(0, 2 * np.pi, 400)
    table = np.column_stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)])
    table += 0.3 * draws.normal(size=table.shape)
    damaged, gaps = hidden(table, 0.25)
    errors = {
        beta: scaled_error(
            HopfieldImputer(beta=beta, linear=0.0).fit_transform(damaged), table, gaps
        )
        for beta in (1 / 8, 4.0, 64.0)
    }
    chosen = HopfieldImputer(linear=0.0).fit(damaged)
    assert 1 <= chosen.beta_ <= 16
    assert scaled_error(chosen.transform(damaged), table, gaps) < errors[64.0] * 0.95
    assert errors[4.0] < errors[64.0] and errors[4.0] < errors[1 / 8]


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "diabetes", "iris"])
def test_no_entry_of_a_table_in_its_own_units_is_a_placeholder(name):
    """Every entry is hidden once, a few of each row at a time: none becomes 0 or the mean."""
    table = getattr(datasets, f"load_{name}")().data
    rows, columns = table.shape
    filled, mean = np.full(table.shape, NAN), np.full(table.shape, NAN)
    offset = (np.arange(rows)[:, None] + np.arange(columns)) % columns
    for hidden_together in np.array_split(np.arange(columns), min(columns, 8)):
        gaps = np.isin(offset, hidden_together)
        damaged = np.where(gaps, NAN, table)
        filled[gaps] = HopfieldImputer().fit_transform(damaged)[gaps]
        mean[gaps] = np.broadcast_to(np.nanmean(damaged, 0), table.shape)[gaps]
    deviation = table.std(0)
    assert np.isfinite(filled).all() and (filled[table != 0] != 0).all()
    assert (np.abs(filled - mean) > 1e-9 * deviation).all()
    error, error_of_mean = (
        np.sqrt(np.square((each - table) / deviation).mean()) for each in (filled, mean)
    )
    assert error < 0.75 * error_of_mean


def test_intervals_cover_entries_missing_at_random():
    inside = []
    for seed in range(3):
        table = linear(200, seed)
        damaged, gaps = hidden(table, 0.2, seed)
        result = HopfieldImputer(round=None).fit(damaged).impute(damaged, interval=0.9)
        inside.append(((table >= result.low) & (table <= result.high))[gaps])
    assert 0.86 < np.concatenate(inside).mean() < 0.96


def test_intervals_do_not_cover_entries_that_are_missing_for_their_value():
    """The bounds know nothing of the reason: the largest values are missing, or likelier to be."""
    shares = []
    for largest in (False, True):
        inside = []
        for seed in range(3):
            table = linear(200, seed)[:, :3]
            draws = np.random.default_rng(seed).random(200)
            rank = table[:, 0].argsort().argsort() / 200
            missing = rank > 0.7 if largest else draws < 0.6 * rank
            damaged = table.copy()
            damaged[missing, 0] = NAN
            result = HopfieldImputer(round=None).fit(damaged).impute(damaged, interval=0.9)
            within = (table >= result.low) & (table <= result.high)
            inside.append(within[missing, 0])
        shares.append(np.concatenate(inside).mean())
    assert shares[1] < 0.6 and shares[0] > 0.8


def test_intervals_grow_with_their_share_and_hold_the_value():
    damaged, gaps = hidden(linear(200), 0.2)
    imputer = HopfieldImputer(round=None).fit(damaged)
    narrow, wide = imputer.impute(damaged, 0.5), imputer.impute(damaged, 0.95)
    assert (wide.low[gaps] < narrow.low[gaps]).all() and (wide.high[gaps] > narrow.high[gaps]).all()
    assert (narrow.low <= narrow.values).all() and (narrow.values <= narrow.high).all()
    assert (narrow.low[~gaps] == damaged[~gaps]).all()
    assert np.isinf(imputer.impute(damaged, 1.0).high[gaps]).all()


def test_samples_are_completed_tables_that_spread_as_the_truth_does():
    table = linear(200)
    damaged, gaps = hidden(table, 0.2)
    result = HopfieldImputer(round=None).fit(damaged).impute(damaged)
    drawn = np.stack(result.sample(40, random_state=0))
    assert (drawn[:, ~gaps] == table[~gaps]).all()
    assert (drawn == np.stack(result.sample(40, random_state=0))).all()
    assert (drawn != np.stack(result.sample(40, random_state=1))).any()
    with pytest.raises(DomainError, match="n must be at least 0"):
        result.sample(-1)
    spread = drawn.std(0)[gaps]
    error = (result.values - table)[gaps]
    assert 0.6 < np.sqrt((spread**2).mean() / (error**2).mean()) < 1.5


def test_error_is_that_of_hidden_entries():
    table = linear(200)
    damaged, gaps = hidden(table, 0.2)
    imputer = HopfieldImputer(round=None).fit(damaged)
    filled = imputer.transform(damaged)
    true = [np.sqrt(((filled - table)[gaps[:, j], j] ** 2).mean()) for j in range(6)]
    assert 0.6 < np.mean(imputer.error_) / np.mean(true) < 1.6


def test_many_rows_are_read_block_by_block(monkeypatch):
    damaged, _ = hidden(linear(60), 0.2)
    imputer = HopfieldImputer(round=None).fit(damaged)
    whole = imputer.transform(damaged)
    monkeypatch.setattr("hopfield.sklearn.donors.CACHED_SCORES", 180)
    monkeypatch.setattr("hopfield.sklearn.donors.BLOCK_ROWS", 1)
    monkeypatch.setattr("hopfield.sklearn.row_model.BLOCK", 900)
    assert imputer.transform(damaged) == pytest.approx(whole, rel=1e-9)
    again = HopfieldImputer(round=None).fit(damaged)
    assert again.transform(damaged) == pytest.approx(whole, rel=1e-6)


def test_rows_stand_alone():
    damaged, _ = hidden(linear(120), 0.2)
    imputer = HopfieldImputer().fit(damaged[:100])
    together = imputer.transform(damaged[100:])
    alone = np.concatenate([imputer.transform(row[None]) for row in damaged[100:]])
    assert alone == pytest.approx(together, rel=1e-9)


def test_wide_tables_have_one_gaussian_in_float32():
    draws = np.random.default_rng(0)
    table = draws.normal(size=(120, 3)) @ draws.normal(size=(3, 80))
    damaged, gaps = hidden(table, 0.2)
    filled = HopfieldImputer(round=None).fit_transform(damaged)
    assert scaled_error(filled, table, gaps) < 0.2


def test_in_pipelines_and_searches():
    table, target = datasets.load_diabetes(return_X_y=True)
    damaged, _ = hidden(table[:120], 0.1)
    pipeline = make_pipeline(HopfieldImputer(), Ridge())
    search = GridSearchCV(pipeline, {"hopfieldimputer__linear": [0.0, 1.0]}, cv=2)
    assert search.fit(damaged, target[:120]).best_score_ > 0.1
    frame = pd.DataFrame({"a": [1.0, NAN, 1.0], "b": ["x", "y", None], "c": [1, 2, 3]})
    columns = ColumnTransformer([("fill", HopfieldImputer(), ["a", "c"])], remainder="passthrough")
    columns.set_output(transform="pandas")
    out = columns.fit_transform(frame)
    assert out.columns.tolist() == ["fill__a", "fill__c", "remainder__b"]
    assert out["fill__a"].tolist() == [1.0, 1.0, 1.0]
