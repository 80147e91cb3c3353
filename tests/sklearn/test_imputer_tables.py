"""Tables of every form: each is filled rightly, or refused by a named error."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hopfield.errors import DomainError, HopfieldError, InputTypeError, OptionError
from hopfield.sklearn import HopfieldImputer

NAN = float("nan")


def fill(table, **options):
    return HopfieldImputer(**options).fit_transform(table)


def linear(rows=60, seed=0):
    """Rows of three numbers, the third the sum of the others."""
    draws = np.random.default_rng(seed)
    first = draws.normal(size=(rows, 2))
    return np.column_stack([first, first.sum(1)])


def hide(table, share=0.2, seed=1):
    draws = np.random.default_rng(seed)
    gaps = draws.random(table.shape) < share
    gaps[draws.integers(len(table)), :] = False
    return np.where(gaps, NAN, table), gaps


def masked(table):
    """A masked array, the first entry of the second row missing."""
    mask = np.zeros(np.shape(table), dtype=bool)
    mask[1, 0] = True
    return np.ma.masked_array(table, mask=mask)


FILLED = {
    "one row": ([[1.0, 2.0]], [[1.0, 2.0]]),
    "one row with a gap": ([[1.0, NAN]], [[1.0]]),
    "one column": ([[1.0], [NAN], [1.0]], [[1.0], [1.0], [1.0]]),
    "two rows": ([[1.0, 5.0], [NAN, 5.0]], [[1.0, 5.0], [1.0, 5.0]]),
    "constant column": ([[1, 5, 3], [2, 5, 4], [3, NAN, 5], [4, 5, 6]],
                        [[1, 5, 3], [2, 5, 4], [3, 5, 5], [4, 5, 6]]),
    "gap beside a constant column": ([[1, 5, 3], [2, 5, 4], [3, 5, NAN], [4, 5, 6]],
                                     [[1, 5, 3], [2, 5, 4], [3, 5, 5], [4, 5, 6]]),
    "constant column far from 0": ([[1, 1e9], [2, NAN], [3, 1e9]], [[1, 1e9], [2, 1e9], [3, 1e9]]),
    "all rows equal": ([[1, 2], [1, 2], [1, NAN], [NAN, 2]], [[1, 2]] * 4),
    "duplicate rows": ([[1, 2, 3], [4, 5, 6]] * 5 + [[1, 2, NAN]] * 3,
                       [[1, 2, 3], [4, 5, 6]] * 5 + [[1, 2, 3]] * 3),
    "one complete row": ([[1, 2, 3], [1, 2, NAN], [1, NAN, 3], [NAN, 2, 3]], [[1, 2, 3]] * 4),
    "no gaps": ([[1.5, 2], [3, 4]], [[1.5, 2], [3, 4]]),
    "a row without known entries": ([[2, 4], [NAN, NAN], [2, 4]], [[2, 4]] * 3),
    "empty column": ([[1, NAN], [2, NAN], [2, NAN]], [[1], [2], [2]]),
    "integers": ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    "tiny numbers": ([[1e-200, 2], [1e-200, NAN], [1e-200, 2]], [[1e-200, 2]] * 3),
    "large numbers": ([[1e100, 2], [NAN, 2], [1e100, 2]], [[1e100, 2]] * 3),
    "text": ([["a", "x"], ["b", "y"], ["a", None], ["b", "y"]], None),
    "text and numbers": ([["a", 1.0], [None, 1.0], ["a", 1.0]], [["a", 1.0]] * 3),
    "one level": ([["a"], [None], ["a"]], [["a"]] * 3),
    "None": ([[1.0, None], [1.0, 2.0]], [[1.0, 2.0]] * 2),
    "pandas.NA": ([[1.0, pd.NA], [1.0, 2.0]], [[1.0, 2.0]] * 2),
    "bools and None": ([[True, 1], [None, 1], [True, 1]], [[True, 1]] * 3),
    "numbers as objects": (np.array([[1, 2], [None, 2]], dtype=object), [[1, 2], [1, 2]]),
    "numbers as text": ([["1", "2"], ["1", None], ["1", "2"]], [["1", "2"]] * 3),
    "bytes": ([[b"x", 1.0], [None, 1.0]], [[b"x", 1.0]] * 2),
    "NaT": ([["x", 1.0], [pd.NaT, 1.0]], [["x", 1.0]] * 2),
    "masked numbers": (masked([[1.0, 2.0], [9.0, 2.0], [1.0, 2.0]]), [[1, 2]] * 3),
    "masked integers": (masked([[1, 2], [9, 2], [1, 2]]), [[1, 2]] * 3),
    "masked text": (masked([["a", "b"], ["z", "b"], ["a", "b"]]), [["a", "b"]] * 3),
    "float32": (np.array([[1, 2], [NAN, 2]], dtype=np.float32), [[1, 2], [1, 2]]),
    "float16": (np.array([[1, 2], [NAN, 2]], dtype=np.float16), [[1, 2], [1, 2]]),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLED)
def test_small_tables(name):
    table, expected = FILLED[name]
    filled = fill(table)
    if expected is not None:
        assert filled.tolist() == expected
    shape = np.shape(np.array(table, dtype=object))
    assert len(filled) == shape[0] and not pd.isna(filled).any()
    given_rows = table.tolist() if isinstance(table, np.ma.MaskedArray) else table
    for given, got in zip(given_rows, filled, strict=True):
        if len(given) == len(got):
            pairs = zip(given, got, strict=True)
            assert all(new == old for old, new in pairs if not pd.isna(old))


REFUSED = {
    "infinity": ([[1.0, float("inf")], [1.0, 2.0]], {}, DomainError, "row 0"),
    "minus infinity": ([[1.0, 2.0], [-float("inf"), 2.0]], {}, DomainError, "row 1"),
    "beyond squares": ([[1.0], [1e200]], {}, DomainError, "1e\\+150"),
    "sparse": (sparse.csr_matrix(np.eye(3)), {}, TypeError, "[Ss]parse"),
    "complex": (np.array([[1j, 2], [3, 4]]), {}, ValueError, "Complex"),
    "one dimension": (np.arange(3.0), {}, ValueError, "2D"),
    "no rows": (np.empty((0, 2)), {}, ValueError, "0 sample"),
    "no columns": (np.empty((2, 0)), {}, ValueError, "0 feature"),
    "empty frame": (pd.DataFrame({"a": []}), {}, ValueError, "0 sample"),
    "dates": (pd.DataFrame({"a": pd.to_datetime(["2020-01-01", None])}), {}, InputTypeError, "'a'"),
    "complex frame": (pd.DataFrame({"a": [1j, 2]}), {}, InputTypeError, "'a'"),
    "durations": (pd.DataFrame({"a": pd.to_timedelta(["1D", None])}), {}, InputTypeError, "'a'"),
    "weeks": (pd.DataFrame({"a": pd.PeriodIndex(["2020"], freq="W")}), {}, InputTypeError, "'a'"),
    "names of two types": (pd.DataFrame([[1, 2]], columns=["a", 1]), {}, TypeError, "string names"),
    "three dimensions": (np.zeros((2, 2, 2)), {}, ValueError, "dim 3"),
    "a series": (pd.Series([1.0, NAN]), {}, ValueError, "Series"),
    "infinity in a frame": (pd.DataFrame({"a": [1, float("inf")]}), {}, DomainError, "'a'.*row 1"),
    "lists in cells": (pd.DataFrame({"a": [[1], [2]]}), {}, InputTypeError, "'a'"),
    "dictionaries": ([[{"a": 1}, 1], [2, 3]], {}, InputTypeError, "dict"),
    "beta as text": ([[1.0]], {"beta": "high"}, OptionError, "beta"),
    "negative beta": ([[1.0]], {"beta": -1.0}, DomainError, "beta"),
    "linear above 1": ([[1.0]], {"linear": 2.0}, DomainError, "linear"),
    "beta of a wrong type": ([[1.0]], {"beta": [1]}, InputTypeError, "beta"),
    "unknown category": ([[1.0]], {"categories": ["b"]}, OptionError, "'b'"),
    "categories as text": ([[1.0]], {"categories": "b"}, InputTypeError, "categories"),
    "a generator as seed": (
        [[1.0]],
        {"random_state": np.random.RandomState(0)},
        InputTypeError,
        "random_state",
    ),
    "negative seed": ([[1.0]], {"random_state": -1}, DomainError, "random_state"),
    "round as text": ([[1.0], [NAN]], {"round": "up"}, HopfieldError, "round"),
    "round as a number": ([[1.0], [NAN]], {"round": 2}, HopfieldError, "round"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    table, options, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        fill(table, **options)


def mixed():
    return pd.DataFrame(
        {
            "size": [1.0, 1.1, NAN, 5.0, 5.2, 4.9],
            "kind": ["cat", "cat", "cat", "dog", None, "dog"],
            "tame": [True, None, True, False, False, False],
            "class": pd.Categorical(["s", "s", None, "l", "l", "l"], categories=["s", "l", "xl"]),
            "legs": pd.array([4, None, 4, 5, 5, 5], dtype="Int64"),
            "flag": pd.array([True, True, None, False, False, False], dtype="boolean"),
            "small": np.array([1, 1, 1, 2, 2, 2], dtype=np.int8),
        },
        index=list("fedcba"),
    )


def test_frames_come_back_as_they_were():
    frame = mixed()
    before = frame.copy(deep=True)
    filled = HopfieldImputer().set_output(transform="pandas").fit_transform(frame)
    assert filled.index.tolist() == list("fedcba")
    assert filled.columns.tolist() == frame.columns.tolist()
    assert filled.dtypes.tolist() == frame.dtypes.tolist()
    assert not filled.isna().any().any()
    assert filled.loc["b", "kind"] == "dog" and filled.loc["e", "tame"] is True
    assert filled.loc["d", "class"] == "s" and filled.loc["e", "legs"] == 4
    assert filled.loc["d", "flag"] is True or bool(filled.loc["d", "flag"]) is True
    assert filled.loc["d", "size"] < 3
    pd.testing.assert_frame_equal(frame, before)
    known = frame.notna()
    for name in frame:
        assert (filled[name][known[name]] == frame[name][known[name]]).all()


def test_frames_of_numbers_give_arrays_by_default():
    filled = fill(mixed()[["size", "small"]])
    assert isinstance(filled, np.ndarray) and filled.dtype == np.float64
    assert fill(mixed()).dtype == object


def test_impute_returns_frames_and_bounds():
    frame = pd.concat([mixed()] * 10, ignore_index=True)
    result = HopfieldImputer().fit(frame).impute(frame)
    assert result.values.dtypes.tolist() == frame.dtypes.tolist()
    assert result.low["kind"].isna().all() and result.low.index.equals(frame.index)
    known = frame["size"].notna()
    assert (result.low["size"][known] == frame["size"][known]).all()
    assert (result.low["size"] <= result.values["size"]).all()
    assert (result.high["size"] >= result.values["size"]).all()
    complete = frame.notna().all(axis=1).to_numpy()
    assert (result.n_effective[complete] == 0).all() and (result.index[complete] == -1).all()
    assert (result.n_effective[~complete] >= 1 - 1e-9).all() and (
        result.index[~complete] >= 0
    ).any()


def test_an_imputation_prints_one_line():
    table, _ = hide(linear(40))
    imputer = HopfieldImputer().fit(table)
    shown = repr(imputer.impute(pd.DataFrame(table)))
    rows = int(np.isnan(table).any(1).sum())
    assert shown.startswith(f"<Imputation of 40 rows × 3 columns: {rows} rows filled, the median")
    complete = repr(imputer.impute(linear(40)))
    assert complete == "<Imputation of 40 rows × 3 columns: 0 rows filled>"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    table, _ = hide(linear().astype(dtype))
    assert fill(table.astype(dtype)).dtype == dtype


def test_whole_numbers_and_bounds():
    draws = np.random.default_rng(0)
    flag = draws.integers(2, size=80).astype(float)
    table = np.column_stack([flag, flag + draws.normal(size=80) * 0.3, draws.integers(5, size=80)])
    damaged, gaps = hide(table)
    filled = fill(damaged)
    assert set(filled[gaps[:, 0], 0]) <= {0.0, 1.0}, "premise: there are gaps"
    assert (filled[:, 2] == np.round(filled[:, 2])).all()
    assert filled[:, 2].min() >= np.nanmin(damaged[:, 2])
    raw = fill(damaged, round=None)
    assert (raw[gaps[:, 0], 0] != np.round(raw[gaps[:, 0], 0])).any()
    only = fill(damaged, round=[0])
    assert set(only[gaps[:, 0], 0]) <= {0.0, 1.0}
    assert (only[gaps[:, 2], 2] != np.round(only[gaps[:, 2], 2])).any()


def test_named_categories():
    codes = np.repeat([10.0, 20.0, 70.0], 20)
    table = np.column_stack([codes, np.repeat([0.0, 1.0, 2.0], 20)])
    damaged, gaps = hide(table, share=0.1)
    damaged[~gaps[:, 0], 1] = table[~gaps[:, 0], 1]
    filled = fill(damaged, categories=[0])
    assert set(filled[:, 0]) <= {10.0, 20.0, 70.0}
    by_name = fill(pd.DataFrame(damaged, columns=["code", "x"]), categories=["code"])
    assert (by_name == filled).all()


def test_unseen_levels_are_left_as_they_are():
    frame = mixed()
    imputer = HopfieldImputer().set_output(transform="pandas").fit(frame)
    new = frame.iloc[:2].copy()
    new["kind"] = ["horse", None]
    filled = imputer.transform(new)
    assert filled["kind"].tolist() == ["horse", "cat"]


def test_a_category_that_only_fit_had_fills_a_gap():
    imputer = HopfieldImputer().set_output(transform="pandas")
    imputer.fit(pd.DataFrame({"a": pd.Categorical(["x", "y"] * 6), "b": [0.0, 1.0] * 6}))
    part = pd.DataFrame({"a": pd.Categorical(["x", None]), "b": [0.0, 1.0]})
    filled = imputer.transform(part)["a"]
    assert filled.tolist() == ["x", "y"] and filled.cat.categories.tolist() == ["x", "y"]


def test_text_where_fit_had_numbers_is_refused():
    imputer = HopfieldImputer().fit(pd.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(InputTypeError, match="'a'"):
        imputer.transform(pd.DataFrame({"a": ["x", "y"]}))


@pytest.mark.parametrize("mark", [-1, "?"])
def test_another_mark_of_missing(mark):
    table = np.array([[1, 2], [1, mark], [1, 2]], dtype=object)
    if mark == -1:
        table = table.astype(float)
    assert fill(table, missing_values=mark).tolist() == [[1, 2]] * 3


def test_empty_columns_and_indicators():
    frame = pd.DataFrame({"a": [1.0, NAN, 1.0], "b": [NAN] * 3, "c": [1.0, 2.0, 3.0]})
    dropped = HopfieldImputer(add_indicator=True).set_output(transform="pandas")
    filled = dropped.fit_transform(frame)
    assert filled.columns.tolist() == ["a", "c", "missingindicator_a", "missingindicator_b"]
    assert filled["missingindicator_a"].tolist() == [False, True, False]
    assert dropped.get_feature_names_out().tolist() == filled.columns.tolist()
    kept = fill(frame, keep_empty_features=True)
    assert kept.tolist() == [[1, 0, 1], [1, 0, 2], [1, 0, 3]]
    assert fill(frame.to_numpy(), add_indicator=True).tolist() == [
        [1, 1, 0, 1], [1, 2, 1, 1], [1, 3, 0, 1],
    ]  # fmt: skip


def test_partial_fit_is_fit_of_all_rows():
    table, _ = hide(linear(40))
    whole = HopfieldImputer().fit(table)
    parts = HopfieldImputer().partial_fit(table[:15]).partial_fit(table[15:])
    assert parts.beta_ == whole.beta_ and parts.linear_ == whole.linear_
    assert (parts.transform(table) == whole.transform(table)).all()
    frame = mixed()
    labels = HopfieldImputer().partial_fit(frame.iloc[:3]).partial_fit(frame.iloc[3:])
    assert (labels.transform(frame) == HopfieldImputer().fit(frame).transform(frame)).all()
