"""What a published result is made of: tasks to run, and checks and curves read off their records.

Every check is an interval and the reason for its width: theory, or the sampling error of the
draws. `CHANCE` is the probability with which sampling alone may take a right library out of one.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from hopfield.experiments import Task
from hopfield.experiments.records import Record
from hopfield.theory import cosine_tail

CHANCE = 1e-5
"""Of one check; some hundred checks a run leave 0.1 %, a tenth of what is allowed."""
SAID = f"one in {round(1 / CHANCE):,}".replace(",", "\u00a0")


@dataclass(frozen=True)
class Form:
    """How a run is made.

    Args:
        full: many draws and large sizes, within an hour; else few, within minutes.
        seed: of all randomness.
        images: the data set on which the walkthrough's results are measured.
    """

    full: bool = False
    seed: int = 0
    images: str = "digits"

    def pick(self, quick: int, full: int) -> int:
        """One of two numbers, such as draws."""
        return full if self.full else quick


class Check(NamedTuple):
    """One comparison: it holds where the measured value lies in the interval."""

    what: str
    measured: float
    expected: float
    low: float
    high: float
    reason: str

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.low <= self.measured <= self.high


class Series(NamedTuple):
    """One curve of a figure: measured points with standard errors, or theory (no errors)."""

    figure: str
    name: str
    x: Sequence[float]
    y: Sequence[float]
    error: Sequence[float] | None = None


class Figure(NamedTuple):
    """A figure: labels of its axes, its caption, and which axes are logarithmic ("", "x", "xy")."""

    name: str
    x: str
    y: str
    caption: str
    log: str = ""


class Finding(NamedTuple):
    """What the records of a result say."""

    checks: Sequence[Check]
    figures: Sequence[Figure]
    series: Sequence[Series]


@dataclass(frozen=True)
class Result:
    """A published result.

    Args:
        name: what the command line calls it.
        title: what it is.
        claim: what it says, in a sentence or two.
        source: where it was published.
        tasks: the experiments that are run for it.
        judge: what their records say.
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
    """The mean of `field` over draws is what was expected, within sampling error.

    Args:
        what: what is compared.
        line: a record with `field`, its `_sd` and `samples`.
        field: name of the result.
        expected: what theory or publication say.
        floor: smallest standard deviation to believe in, where few draws may show too little.
        reference: standard deviation and number of draws behind a published number.
    """
    draws = line["samples"]
    deviation = max(line[f"{field}_sd"], floor)
    error = deviation / math.sqrt(draws)
    said = f"standard error of {draws} draws"
    if reference is not None:
        error = math.hypot(error, max(reference[0], floor) / math.sqrt(reference[1]))
        said += f" and of {reference[1]} published"
    width = student(draws - 1) * error
    reason = f"{student(draws - 1):.1f} times the {said}: a chance of {SAID}"
    return Check(what, line[field], expected, expected - width, expected + width, reason)


def widened(check: Check, low: float, high: float, reason: str) -> Check:
    """The same around the interval from `low` to `high`, which is all that theory says."""
    below, above = check.expected - check.low, check.high - check.expected
    return check._replace(
        low=low - below, high=high + above, reason=f"{reason}; then {check.reason}"
    )


def above_zero(what: str, difference: float, error: float, draws: int) -> Check:
    """A difference is positive beyond its sampling error."""
    width = student(draws - 1) * error
    reason = f"more than {student(draws - 1):.1f} standard errors of {draws} draws above zero"
    return Check(what, difference - width, 0.0, 0.0, math.inf, reason)


def at_most(what: str, measured: float, bound: float, reason: str, expected: float = 0.0) -> Check:
    """A number that has a bound."""
    return Check(what, measured, expected, -math.inf, bound, reason)


def at_least(what: str, measured: float, bound: float, reason: str) -> Check:
    """A number that has a lower bound."""
    return Check(what, measured, bound, bound, math.inf, reason)


def exactly(what: str, measured: float, expected: float, reason: str) -> Check:
    """A number that leaves no room."""
    return Check(what, measured, expected, expected, expected, reason)


def misses(what: str, count: int, trials: int, chance: float) -> Check:
    """So many failures where each trial fails with probability `chance` at most."""
    allowed = likely_most(trials, chance)
    reason = (
        f"each of {trials} trials fails with probability {chance:.2g} at most; more than "
        f"{allowed} failures have a chance of {SAID}"
    )
    return Check(what, count, chance * trials, -math.inf, allowed, reason)


@cache
def likely_most(trials: int, chance: float) -> int:
    """The smallest k with P(more than k of the trials) ≤ CHANCE, each with this chance."""
    tail, k = 1.0, -1
    while tail > CHANCE and k < trials:
        k += 1
        tail -= math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
    return k


@cache
def student(degrees: int) -> float:
    """t with P(|T| > t) = CHANCE of Student's distribution."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cosine_tail(degrees - 1, middle) > CHANCE else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def of(records: Iterable[Record], **fields: object) -> list[Record]:
    """The records with these fields, in their order."""
    return [r for r in records if all(r.get(key) == value for key, value in fields.items())]


def measured_series(figure: str, name: str, lines: Sequence[Record], x: str, field: str) -> Series:
    """A curve of means with their standard errors."""
    error = [line[f"{field}_sd"] / math.sqrt(line["samples"]) for line in lines]
    return Series(figure, name, [line[x] for line in lines], [line[field] for line in lines], error)


def curve(figure: str, name: str, xs: Sequence[float], theory: Callable[[float], float]) -> Series:
    """Theory at these places."""
    return Series(figure, name, list(xs), [theory(x) for x in xs])


def grid(low: float, high: float, count: int = 60, *, log: bool = False) -> list[float]:
    """Places from `low` to `high`."""
    if log:
        return [math.exp(x) for x in grid(math.log(low), math.log(high), count)]
    return [low + (high - low) * i / (count - 1) for i in range(count)]
