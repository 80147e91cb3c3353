"""Parts of a published result: tasks to run, checks and curves made from their records.

Every check is an interval and the reason for its width: theory, or the sampling error of the
draws. A correct library fails one check by sampling error with probability `CHANCE` at most.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from scipy import stats

from hopfield.experiments import Record, Task

CHANCE = 1e-5
"""Probability that sampling error fails one check: about 0.1 % for the hundred checks of a run."""
LEAST_WIDTH = 1e-9
"""Least width of an interval, far below every sampling error."""
CHANCE_IN_WORDS = f"one in {round(1 / CHANCE):,}".replace(",", "\u00a0")


@dataclass(frozen=True)
class Form:
    """The size of a run, its seed and its images.

    Args:
        full: many draws and large sizes, within an hour; else few, within minutes.
        seed: of all randomness.
        images: the data set on which the walkthrough's results are measured.
    """

    full: bool = False
    seed: int = 0
    images: str = "digits"

    def pick(self, quick: int, full: int) -> int:
        """Return the number for this form."""
        return full if self.full else quick


class Check(NamedTuple):
    """One comparison, which holds where the measured value lies in the interval."""

    what: str
    measured: float
    expected: float
    low: float
    high: float
    reason: str

    @property
    def holds(self) -> bool:
        """Return whether the measured value lies in the interval."""
        return self.low <= self.measured <= self.high


class Series(NamedTuple):
    """One curve of a figure: measured points with standard errors, or theory (no errors)."""

    figure: str
    name: str
    x: Sequence[float]
    y: Sequence[float]
    error: Sequence[float] | None = None


class Figure(NamedTuple):
    """A figure: labels of its axes, caption, logarithmic axes ("", "x" or "xy")."""

    name: str
    x: str
    y: str
    caption: str
    log: str = ""


class Finding(NamedTuple):
    """Checks, figures and curves of a result."""

    checks: Sequence[Check]
    figures: Sequence[Figure]
    series: Sequence[Series]


@dataclass(frozen=True)
class Result:
    """A published result.

    Args:
        name: its name on the command line.
        title: heading of its page.
        claim: its statement, in a sentence or two.
        source: its publication.
        tasks: form → experiments to run.
        judge: records → checks, figures and curves.
    """

    name: str
    title: str
    claim: str
    source: str
    tasks: Callable[[Form], list[Task]]
    judge: Callable[[Sequence[Record]], Finding]


def near(
    what: str,
    line: Record,
    field: str,
    expected: float,
    *,
    floor: float = 0.0,
    reference: tuple[float, int] | None = None,
) -> Check:
    """Check that the mean of `field` over draws is the expected one, within sampling error.

    Args:
        what: the quantity, in words.
        line: a record with `field`, its `_sd` and `samples`.
        field: name of the result.
        expected: value of theory or publication.
        floor: lower limit of the standard deviation, which few draws may underestimate.
        reference: standard deviation and number of draws behind a published number.
    """
    draws = line["samples"]
    deviation = max(line[f"{field}_sd"], floor)
    error = deviation / math.sqrt(draws)
    error_of = f"standard error of {draws} draws"
    if reference is not None:
        error = math.hypot(error, max(reference[0], floor) / math.sqrt(reference[1]))
        error_of += f" and of {reference[1]} published"
    width = student(draws - 1) * error
    reason = f"{student(draws - 1):.1f} times the {error_of}: a chance of {CHANCE_IN_WORDS}"
    return Check(what, line[field], expected, expected - width, expected + width, reason)


def widened(check: Check, low: float, high: float, reason: str) -> Check:
    """Widen a check to all values from `low` to `high`, where theory gives only an interval."""
    below, above = check.expected - check.low, check.high - check.expected
    return check._replace(
        low=low - below, high=high + above, reason=f"{reason}; then {check.reason}"
    )


def exceeds(what: str, line: Record, other: Record, field: str) -> Check:
    """Check that the mean of `field` exceeds that of the other record beyond sampling error."""
    draws = min(line["samples"], other["samples"])
    errors = (each[f"{field}_sd"] / math.sqrt(each["samples"]) for each in (line, other))
    # Equal means exceed nothing, even where no draw differs.
    width = max(student(draws - 1) * math.hypot(*errors), LEAST_WIDTH)
    reason = f"more than {student(draws - 1):.1f} standard errors of {draws} draws above zero"
    return Check(what, line[field] - other[field] - width, 0.0, 0.0, math.inf, reason)


def deviation_of_share(share: float, n: int, seen: int = 1) -> float:
    """Return the standard deviation of a share of n, `seen` times measured.

    Taken as if one more of each kind had been seen, so that a share of 0 or 1 has one too.
    """
    expected = (share * n * seen + 1) / (n * seen + 2)
    return math.sqrt(expected * (1 - expected) / n)


def at_most(what: str, measured: float, bound: float, reason: str, expected: float = 0.0) -> Check:
    """Check an upper bound."""
    return Check(what, measured, expected, -math.inf, bound, reason)


def at_least(what: str, measured: float, bound: float, reason: str) -> Check:
    """Check a lower bound."""
    return Check(what, measured, bound, bound, math.inf, reason)


def exactly(what: str, measured: float, expected: float, reason: str) -> Check:
    """Check an exact value."""
    return Check(what, measured, expected, expected, expected, reason)


def misses(what: str, count: int, trials: int, chance: float) -> Check:
    """Check the number of failures, where each trial fails with probability `chance` at most."""
    allowed = max_failures(trials, chance)
    reason = (
        f"each of {trials} trials fails with probability {chance:.2g} at most; more than "
        f"{allowed} failures have a chance of {CHANCE_IN_WORDS}"
    )
    expected = chance * trials
    return Check(what, count, expected, -math.inf, max(allowed, expected), reason)


@cache
def max_failures(trials: int, chance: float) -> int:
    """Return the smallest k with P(more than k of the trials) ≤ CHANCE, each with this chance."""
    return int(stats.binom.isf(CHANCE, trials, chance))


@cache
def student(degrees: int) -> float:
    """Return t with P(|T| > t) = CHANCE for Student's distribution."""
    return float(stats.t.isf(CHANCE / 2, degrees))


def of(records: Iterable[Record], **fields: object) -> list[Record]:
    """Return the records with these fields, in their order."""
    return [r for r in records if all(r.get(key) == value for key, value in fields.items())]


def measured_series(
    figure: str, name: str, lines: Sequence[Record], x: str, field: str, unit: float = 1.0
) -> Series:
    """Return a curve of means with their standard errors, both divided by `unit`."""
    means = [line[field] / unit for line in lines]
    errors = [line[f"{field}_sd"] / math.sqrt(line["samples"]) / unit for line in lines]
    return Series(figure, name, [line[x] for line in lines], means, errors)


def curve(figure: str, name: str, xs: Sequence[float], theory: Callable[[float], float]) -> Series:
    """Return a curve of theory at these values of x."""
    return Series(figure, name, list(xs), [theory(x) for x in xs])


def grid(low: float, high: float, count: int = 60, *, log: bool = False) -> list[float]:
    """Return values from `low` to `high`, evenly spaced."""
    if log:
        return [math.exp(x) for x in grid(math.log(low), math.log(high), count)]
    return [low + (high - low) * i / (count - 1) for i in range(count)]
