"""HopfieldImputer: gaps in every row, and entries hidden by a user."""

import numpy as np
import pytest

from hopfield.errors import HopfieldError
from hopfield.sklearn import HopfieldImputer

NAN = float("nan")


def test_every_row_has_a_gap():
    rows = [
        [1, 10, NAN, 4],
        [2, 20, 7, NAN],
        [NAN, 30, 9, 6],
        [4, NAN, 11, 8],
        [1, NAN, 5, 4],
    ]
    table = np.array(rows)
    filled = HopfieldImputer().fit_transform(table)
    known = ~np.isnan(table)
    assert (filled[known] == table[known]).all() and np.isfinite(filled).all()


def test_entries_hidden_by_a_user_are_not_those_that_choose():
    """With the same random numbers, all entries to be hidden would be missing already."""
    rows = np.random.default_rng(1).standard_normal((60, 2)) @ np.ones((2, 5))
    for seed in range(3):
        hidden = np.random.default_rng(seed).random(rows.shape) < 0.25
        imputer = HopfieldImputer(random_state=seed).fit(np.where(hidden, np.nan, rows))
        assert np.isfinite(imputer.error_).all() and imputer.error_.max() < 0.5


@pytest.mark.parametrize("wrong", [{"beta": -1.0}, {"linear": "ridge"}])
def test_a_failed_fit_stores_nothing(wrong):
    table = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 6.0]])
    imputer = HopfieldImputer(**wrong)
    with pytest.raises(HopfieldError):
        imputer.fit(table + 100)
    imputer.set_params(beta="auto", linear="auto").partial_fit(table)
    np.testing.assert_array_equal(imputer.transform(table), HopfieldImputer().fit_transform(table))


def test_progress_is_printed_or_handed_over(capsys):
    table = np.random.default_rng(0).normal(size=(90, 3))
    table[::4, 0] = np.nan
    HopfieldImputer().fit_transform(table)
    assert capsys.readouterr().out == ""
    HopfieldImputer(verbose=1).fit_transform(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[HopfieldImputer] fitting one Gaussian: 0 %"
    assert lines[-1] == "[HopfieldImputer] filling rows: 100 %"
    reports = []
    HopfieldImputer(verbose=lambda *report: reports.append(report)).fit_transform(table)
    assert reports[-1] == ("filling rows", 23, 23)
    assert {stage for stage, _, _ in reports} == {
        "fitting one Gaussian", "fitting 4 Gaussians", "filling rows"
    }  # fmt: skip


@pytest.mark.parametrize("verbose", ["yes", None, -1, 0.5])
def test_verbose_is_checked_before_anything_is_stored(verbose):
    imputer = HopfieldImputer(verbose=verbose)
    with pytest.raises(HopfieldError, match="verbose must be"):
        imputer.fit([[1.0, np.nan], [2.0, 3.0]])
    assert not hasattr(imputer, "rows_")
