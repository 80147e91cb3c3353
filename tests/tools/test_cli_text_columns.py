"""Columns of a file of text: numbers, categories, or kept with a reason."""

import pytest

from hopfield.cli.text_columns import MAX_CATEGORIES, fill, read_column


@pytest.mark.parametrize(
    "others, kept",
    [
        (["unknown"], "add --missing unknown if that means missing, or --categories"),
        (["n.v.", "k. A."], "add --missing 'n.v.,k. A.' if that means missing, or --categories"),
        (["3+"], ""),
        (["x, y"], ""),
        (["a", "b", "c", "d"], ""),
    ],
)
def test_words_beside_numbers_may_be_marks(others, kept):
    texts = ["0", "1", "2"] * 6 + others * 2 + [""]
    column = read_column("a", texts, range(len(texts)), ",", False)
    assert (column.categories is None) is bool(kept) and column.reason.endswith(kept)
    assert read_column("a", texts, range(len(texts)), ",", True).categories is not None


@pytest.mark.parametrize(
    ("levels", "copies", "is_filled"),
    [(MAX_CATEGORIES, 2, True), (MAX_CATEGORIES + 1, 3, False), (3, 1, False), (2, 2, True)],
)
def test_text_is_a_category_where_it_repeats(levels, copies, is_filled):
    texts = [f"t{k}" for k in range(levels)] * copies + [""]
    column = read_column("a", texts, range(1, len(texts) + 1), ",", False)
    assert (column.categories is not None) is is_filled
    assert read_column("a", texts, range(1, len(texts) + 1), ",", True).categories is not None


@pytest.mark.parametrize(
    "texts, advice",
    [
        ([f"{k},{100 + k}.56" for k in range(1, 80)], "without separated thousands"),
        ([f"{k}.{k} kg" for k in range(80)], "without its unit"),
        ([f"{k}%" for k in range(80)], "without its unit"),
        ([f"{k}.5 m²" for k in range(80)], "without its unit"),
        ([f"€{k},000.50" for k in range(80)], "without its unit"),
        ([f"{k}.50 $" for k in range(80)], "without its unit"),
        ([f"name {k}" for k in range(80)], ""),
        ([f"{k} Main Street" for k in range(80)], ""),
    ],
)
def test_numbers_written_as_text_come_with_advice(texts, advice):
    reason = read_column("a", [*texts, ""], range(81), ";", False).reason
    assert reason.startswith(f"text of {len(texts)} different values")
    assert ("to have numbers filled" in reason) == bool(advice) and advice in reason
    assert not advice or texts[0] in reason


def test_a_table_without_gaps_needs_no_imputer():
    column = read_column("a", ["1", "2.5"], [1, 2], ",", False)
    assert fill([column], 0.9)[0] == {}
