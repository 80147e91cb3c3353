"""Columns of a file as numbers or categories with gaps; columns that are neither are kept."""

import math
import re
import shlex
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from ..data.delimited import unquote
from ..errors import DataError
from ..sklearn.imputer import HopfieldImputer
from ..sklearn.progress import Report, silent
from ..sklearn.table import LARGEST

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "<na>", "null", "nat", "?"})
"""Texts that mark a missing entry, in lower case."""

MISSING_NUMBER = MISSING | {"-", "--", ".", "none"}
"""Texts that mark a missing entry in a column of numbers."""

MAX_CATEGORIES = 50
"""Most values of a column of categories; a column of more, such as names, is kept."""

MIN_KNOWN = 0.2
"""Smallest share of known entries of a column of categories; one of fewer, such as remarks, is
kept."""

STRAY_SHARE = 0.9
"""Share of numbers in a column of text from which the first text is reported as a slip."""

MARK_SHARE, MOST_MARKS = 0.5, 3
"""Share of numbers from which words beside them, if no more than this many, may mark gaps."""

NUMBER = re.compile(r"[+-]?(\d+(\.(?P<decimals>\d*))?|\.(?P<only>\d+))(?P<exponent>[eE][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d*,(?P<decimals>\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}([,.' ]\d{3})+([.,]\d+)?")
WITH_UNIT = re.compile(r"[+-]?\d[\d.,]* ?([^\W\d_]{1,4}[²³]?|[%$€£¥])|[+-]?[$€£¥] ?[+-]?\d[\d.,]*")
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
CODE = re.compile(r"[+-]?0\d")
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AP]M)?",
    re.IGNORECASE,
)

YEARS = range(1500, 2200)
"""Whole numbers that may name a column."""


def is_header(texts: Sequence[str]) -> bool:
    """Return whether a line has names: no numbers or dates, though names may stand with years."""
    values = [x for x in texts if any(p.fullmatch(x) for p in (NUMBER, COMMA_NUMBER, DATE))]
    names = [x for x in texts if x not in values and x.lower() not in MISSING]
    return bool(names) and all(x.isdigit() and int(x) in YEARS for x in values)


@dataclass(frozen=True)
class NumberForm:
    """The form of the numbers of a column.

    Attributes:
        decimals: digits after the point; None for numbers with an exponent.
        has_comma: True if a comma is the decimal point.
    """

    decimals: int | None = 0
    has_comma: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table with gaps.

    Attributes:
        name: its name.
        missing: the mask of its gaps.
        values: numbers, or numbers of categories, with NaN in gaps; None for a column that is kept.
        categories: text of each category; None for a column of numbers.
        reason: why the column is kept.
        form: the form of numbers.
    """

    name: str
    missing: np.ndarray
    values: np.ndarray | None = None
    categories: list[str] | None = None
    reason: str = ""
    form: NumberForm = NumberForm()

    def text(self, value: float) -> str:
        """Return a value as text, with as many decimals as the column has."""
        if self.categories is not None:
            return self.categories[int(value)]
        decimals = self.form.decimals
        written = f"{value:.6g}" if decimals is None else f"{value:.{decimals}f}"
        if float(written) == 0:
            written = written.removeprefix("-")
        return written.replace(".", ",") if self.form.has_comma else written

    def bound(self, value: float, up: bool) -> str:
        """Return a bound of a number as text, rounded outwards to the decimals of the column."""
        if self.form.decimals is None:
            return self.text(value)
        unit = 10.0**self.form.decimals
        return self.text((math.ceil(value * unit) if up else math.floor(value * unit)) / unit)


@dataclass(frozen=True, eq=False)
class FilledColumn:
    """The filled gaps of a column.

    Attributes:
        column: the column.
        values, low, high: values of its gaps in their order, and bounds of numbers.
        error: root mean square of the error at hidden entries, or the share of wrong categories.
        scale: standard deviation of the known numbers; NaN for categories.
    """

    column: Column
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: float
    scale: float

    @property
    def half_width(self) -> float:
        """Return half of the mean distance of the bounds; NaN for categories."""
        return float((self.high - self.low).mean() / 2)

    def bounds(self) -> dict[str, np.ndarray]:
        """Return the bounds by their names; none for categories."""
        return {} if self.column.categories else {"low": self.low, "high": self.high}

    def facts(self) -> dict[str, str | int | float | None]:
        """Return the facts of a summary; None for an unknown number."""
        numbers = {"error": self.error, "standard_deviation": self.scale,
                   "half_width": self.half_width}  # fmt: skip
        return {
            "name": self.column.name,
            "cells": len(self.values),
            "kind": "number" if self.column.categories is None else "category",
            **{name: x if math.isfinite(x) else None for name, x in numbers.items()},
        }

    def sureness(self, interval: float | None) -> str:
        """Say in words how sure the values are, with the width of an interval if there is one."""
        if math.isnan(self.error):
            return "error unknown: too few cells are known"
        if self.column.categories is not None:
            return f"about {1 - self.error:.0%} right"
        text = f"error about {self.error:.3g}"
        if self.scale > 0:
            text += f" ({self.error / self.scale:.0%} of the standard deviation)"
        if interval is None:
            return text
        if not math.isfinite(self.half_width):
            return f"{text}; too few known cells for {interval:.0%} bounds"
        return f"{text}, {interval:.0%} within ± {self.half_width:.3g}"


def fill(
    columns: Sequence[Column], interval: float, report: Report = silent
) -> tuple[dict[int, FilledColumn], float]:
    """Fill the gaps of numbers and categories.

    Returns:
        filled: the filled columns by their indices.
        rows_read: median over rows with gaps of the number of rows read.

    Raises:
        DataError: if a number is infinite, or its square overflows.
    """
    used = {j: column.values for j, column in enumerate(columns) if column.values is not None}
    if not any(columns[j].missing.any() for j in used):
        return {}, np.nan
    table = np.stack(list(used.values()), axis=1)
    if len(large := np.argwhere(np.abs(table) > LARGEST)):
        row, place = large[0]
        raise DataError(
            f"column {columns[list(used)[place]].name!r} must hold numbers up to {LARGEST:g}, but "
            f"row {row + 1} holds {table[row, place]:g}."
        )
    categories = [place for place, j in enumerate(used) if columns[j].categories is not None]
    imputer = HopfieldImputer(categories=categories, verbose=report).fit(table)
    imputation = imputer.impute(table, interval=interval)
    filled, gaps = {}, np.isnan(table)
    for place, j in enumerate(used):
        if gaps[:, place].any():
            values, low, high = (
                np.asarray(each)[gaps[:, place], place].astype(np.float64)
                for each in (imputation.values, imputation.low, imputation.high)
            )
            scale = np.nan if place in categories else float(np.nanstd(table[:, place]))
            error = float(imputer.error_[place])
            filled[j] = FilledColumn(columns[j], values, low, high, error, scale)
    return filled, float(np.median(imputation.n_effective[gaps.any(1)]))


def read_column(
    name: str,
    fields: Sequence[str],
    lines: Sequence[int],
    separator: str,
    is_category: bool,
    marks: Set[str] = frozenset(),
) -> Column:
    """Return the column of these raw fields.

    Args:
        name: its name.
        fields: raw texts, one per row.
        lines: number of the line of each field, for messages.
        separator: the sign between columns: if it is no comma, a comma can be a decimal point.
        is_category: True for a column to be read as categories whatever it holds.
        marks: further texts that mark a missing entry, in lower case.

    Raises:
        DataError: if the column holds an infinite number.
    """
    texts = [unquote(each) for each in fields]
    lower = [each.lower() for each in texts]
    missing = np.array([each in MISSING | marks for each in lower], dtype=bool)
    if is_category:
        return text_column(name, texts, missing, True)
    no_number = np.array([each in MISSING_NUMBER | marks for each in lower], dtype=bool)
    known = [text for text, gap in zip(texts, no_number, strict=True) if not gap]
    has_comma = _has_decimal_comma(known, separator)
    pattern = COMMA_NUMBER if has_comma else NUMBER
    others = [
        text
        for text in known
        if CODE.match(text) or not (NUMBER.fullmatch(text) or pattern.fullmatch(text))
    ]
    if known and not others:
        return _numbers(name, texts, no_number, has_comma)
    column = text_column(name, texts, missing, False)
    if not others:
        return column
    place = f"line {lines[texts.index(others[0])]}"
    if all(INFINITE.fullmatch(text) for text in others):
        raise DataError(
            f"column {name!r} must hold finite numbers, but {place} has {others[0]!r}. Leave the "
            "field empty to have it filled."
        )
    reason = _reason_for_text(column.reason, known, others, place)
    return Column(name, missing, reason=reason) if reason else column


def _reason_for_text(reason: str, known: list[str], others: list[str], place: str) -> str:
    """Return why numbers are read as text, if that is a slip; else the reason as it is."""
    share, slip = 1 - len(others) / len(known), f"numbers, but {others[0]!r} in {place}"
    if share >= MARK_SHARE and (marked := _marks(others)):
        marks = shlex.quote(marked)
        return f"{slip}; add --missing {marks} if that means missing, or --categories"
    if reason and share >= STRAY_SHARE:
        return slip
    advice = _advice(known) if reason else ""
    return f"{reason}; {advice}" if advice else reason


def text_column(name: str, texts: list[str], missing: np.ndarray, is_category: bool) -> Column:
    """Return a column of text: categories, or kept where its values hardly repeat."""
    known = [text for text, gap in zip(texts, missing, strict=True) if not gap]
    reason = _reason_to_keep(known, len(texts), is_category)
    if reason:
        return Column(name, missing, reason=reason)
    names = list(Counter(known))
    number = {text: k for k, text in enumerate(names)}
    values = [np.nan if gap else number[text] for text, gap in zip(texts, missing, strict=True)]
    return Column(name, missing, np.array(values, dtype=np.float64), names)


def _marks(others: list[str]) -> str:
    """Return the words beside numbers that may mark gaps, joined by commas; "" if they do not."""
    words = list(dict.fromkeys(others))
    is_word = all(not any(sign.isdigit() or sign == "," for sign in word) for word in words)
    return ",".join(words) if len(words) <= MOST_MARKS and is_word else ""


def _has_decimal_comma(known: list[str], separator: str) -> bool:
    known = [text for text in known if any(sign.isdigit() for sign in text)]
    with_comma = [text for text in known if "," in text]
    if not with_comma or any("." in text for text in known):
        return False
    matches = [COMMA_NUMBER.fullmatch(text) for text in with_comma]
    # Beside separating commas, "1,234" may be a thousand.
    return all(matches) and (
        separator != "," or any(m is not None and len(m["decimals"]) != 3 for m in matches)
    )


def _numbers(name: str, texts: list[str], missing: np.ndarray, has_comma: bool) -> Column:
    if has_comma:
        texts = [text.replace(",", ".") for text in texts]
    known = [text for text, gap in zip(texts, missing, strict=True) if not gap]
    values = np.array(
        [np.nan if gap else float(text) for text, gap in zip(texts, missing, strict=True)]
    )
    counts_up = len(values) > 2 and values[0] in (0, 1) and (np.diff(values) == 1).all()
    if counts_up and not missing.any():
        return Column(name, missing, reason="row numbers")
    matches = [NUMBER.fullmatch(text) for text in known]
    decimals: int | None = max(
        (len(m["decimals"] or m["only"] or "") for m in matches if m is not None), default=0
    )
    if any(m is not None and m["exponent"] for m in matches):
        decimals = None
    return Column(name, missing, values, form=NumberForm(decimals, has_comma))


def _advice(known: list[str]) -> str:
    """Return how to write numbers that are read as text; "" if it is text."""
    numbers = sum(1 for text in known if NUMBER.fullmatch(text))
    for pattern, part in ((THOUSANDS, "separated thousands"), (WITH_UNIT, "its unit")):
        matches = [text for text in known if pattern.fullmatch(text)]
        if matches and len(matches) + numbers >= STRAY_SHARE * len(known):
            return f"to have numbers filled, write {matches[0]!r} without {part}"
    return ""


def _reason_to_keep(known: list[str], rows: int, is_category: bool) -> str:
    """Return why a column of text is not filled; "" if it holds categories."""
    if not known:
        return "empty"
    if is_category:
        return ""
    if all(DATE.fullmatch(text) for text in known):
        return "dates"
    count = len(set(known))
    if count > min(MAX_CATEGORIES, max(1, len(known) // 2)):
        return f"text of {count} different values"
    if len(known) < MIN_KNOWN * rows:
        return f"text, known in {len(known)} of {rows} rows"
    return ""
