"""Define benchmarks, check their answers against float64, then time the contenders in turn."""

import math
import statistics
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from . import ceilings, load, memory

PAUSE = 0.05
"""Seconds before each contender: threads of the one before stop waiting for more work."""

Record = dict[str, Any]
Size = Mapping[str, int]


class WrongAnswerError(AssertionError):
    """A contender does not agree with the float64 reference, so its time means nothing."""


def _identity(answer: Any) -> Any:
    return answer


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Args:
        run: does the work once.
        answer: extracts from the result of `run` the tensor that is compared with the reference;
            None for work without an answer.
        first: number of queries it answers, from the first on; None for all.
        units: share of the workload in one run: 1/64 for one probe of 64, 2 for two reads.
        clock: extracts the seconds that a run measured, where it is a separate process.
        facts: extracts further fields of its record.
        slack: factor on the tolerance, for peers that are known to lose digits.
        library: True for calls of this library, which `compare` measures in two trees.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], Tensor] | None = _identity
    first: int | None = None
    units: float = 1.0
    clock: Callable[[Any], float] | None = None
    facts: Callable[[Any], dict[str, float]] | None = None
    slack: float = 1.0
    library: bool = False


@dataclass(frozen=True)
class Case:
    """A workload set up at one size.

    Args:
        contenders: by name; speeds are relative to the first.
        reference: computes the answer in float64.
        tolerance: largest difference allowed; 0 where the answer is exact.
        flops: float32 multiplications and additions that any method needs.
        bytes: bytes that any method must read.
        limits: further probes that bound the workload, by name.
    """

    contenders: dict[str, Contender]
    reference: Callable[[], Tensor]
    tolerance: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0
    limits: Mapping[str, ceilings.Probe] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A bound that one contender must meet.

    Args:
        contender: its name.
        bound: smallest speed, or largest value of another field.
        says: the target in words.
        field: "speed" (relative to `over`), or a field of the record.
        over: name of the contender to compare with. By default a speed is relative to the first
            contender, and another field is bounded itself, not as a ratio.
        strict: True if a small shortfall near the machine's limit is a miss too.
        floor: seconds of the first contender below which a size is not judged.
    """

    contender: str
    bound: float
    says: str
    field: str = "speed"
    over: str | None = None
    strict: bool = False
    floor: float = 0.0


@dataclass(frozen=True)
class Entry:
    """A benchmark.

    Args:
        name: one word for the command line, and the name of its file of records.
        workload: the work in one sentence.
        build: sets a case up, given a size.
        sizes: the sizes that are measured.
        quick: a tiny size, for tests.
        targets: bounds that hold at every size.
        measures_memory: True if each contender also runs in a separate process for its memory.
        note: text for the page, such as the cause of a missed target.
    """

    name: str
    workload: str
    build: Callable[..., Case]
    sizes: tuple[Size, ...]
    quick: Size
    targets: tuple[Target, ...] = ()
    measures_memory: bool = True
    note: str = ""


@dataclass(frozen=True)
class Effort:
    """Amount of measurement.

    Args:
        rounds: number of rounds that count.
        seconds: shortest time of each contender per round.
        patience: longest time in seconds for waiting until others are quiet, and for more rounds.
    """

    rounds: int = 5
    seconds: float = 0.05
    patience: float = 0.0


QUICK = Effort(rounds=2, seconds=0.001)


def measure(
    entry: Entry, number: int, quick: bool = False, effort: Effort | None = None
) -> list[Record]:
    """Return the records of one size of an entry, one per contender."""
    effort = effort or (QUICK if quick else Effort())
    size = entry.quick if quick else entry.sizes[number]
    case = entry.build(**size)
    checked = check(entry.name, case)
    probes = {} if quick else ceilings.probes(case.flops, case.bytes) | dict(case.limits)
    limits = {name: Contender(probe.run) for name, probe in probes.items()}
    seconds, others = _time_in_turn({**case.contenders, **limits}, effort)
    least = ceilings.least_seconds(probes, seconds)
    baseline = next(iter(case.contenders))
    records = []
    for name, facts in checked.items():
        times = seconds[name]
        line = {"experiment": entry.name, "case": name, **size, "seed": 0, **facts}
        line |= {"seconds": statistics.median(times), "rounds": times, "others": others}
        line |= compared(times, seconds[baseline])
        if least is not None:
            line["share"] = statistics.median(a / b for a, b in zip(least, times, strict=True))
        if entry.measures_memory and not quick:
            line |= memory.measured(entry.name, number, name)
        records.append(line)
    return records


def check(name: str, case: Case, ways: Collection[str] | None = None) -> dict[str, Record]:
    """Compare contenders with the reference: error, tolerance and further facts, or an error."""
    reference = case.reference()
    return {
        way: _checked(f"{name}: {way}", case.contenders[way], reference, case.tolerance)
        for way in (case.contenders if ways is None else ways)
    }


def _checked(name: str, contender: Contender, reference: Tensor, tolerance: float) -> Record:
    result = contender.run()
    facts = {} if contender.facts is None else contender.facts(result)
    if contender.answer is None:
        return facts
    answer, expected = contender.answer(result).double(), reference[: contender.first]
    tolerance *= contender.slack
    if answer.shape != expected.shape:
        raise WrongAnswerError(f"{name} answers {tuple(answer.shape)}, not {tuple(expected.shape)}")
    error = (answer - expected).abs().max().item()
    if not error <= tolerance:
        raise WrongAnswerError(
            f"{name} differs from the reference by {error:.3g}, more than {tolerance:.3g}"
        )
    return {"error": error, "tolerance": tolerance, **facts}


def compared(times: list[float], base: list[float]) -> Record:
    """Compare with `base`: ratio of medians, and smallest and largest ratio over the rounds.

    `more` is the difference in seconds. `allowance` is that difference in units of what a call may
    cost above `base`: 10 % of a base of 1 ms or more, else 100 µs.
    """
    ratios = [b / t for t, b in zip(times, base, strict=True)]
    own, other = statistics.median(times), statistics.median(base)
    return {
        "speed": other / own,
        "speed_low": min(ratios),
        "speed_high": max(ratios),
        "more": own - other,
        "allowance": (own - other) / (0.1 * other if other >= 1e-3 else 1e-4),
    }


def _time_in_turn(
    contenders: dict[str, Contender], effort: Effort
) -> tuple[dict[str, list[float]], float]:
    """Return seconds per unit of work, by contender and round, and the cores that others used.

    In every round each contender runs once, short ones repeatedly; odd rounds go backwards.
    Rounds are added while too few were quiet and patience lasts; the quietest count.
    """
    numbers = {name: repeats(one, effort.seconds) for name, one in contenders.items()}
    rounds: list[tuple[float, dict[str, float]]] = []
    patience, quiet = effort.patience, 0
    while len(rounds) < effort.rounds or (quiet < effort.rounds and patience > 0):
        patience = load.wait(patience)
        since, seconds = load.mark(), {}
        for name in list(contenders) if len(rounds) % 2 == 0 else list(reversed(contenders)):
            one = contenders[name]
            time.sleep(PAUSE)
            seconds[name] = seconds_spent(one, numbers[name]) / (numbers[name] * one.units)
        used = load.others(since)
        rounds.append((used, seconds))
        quiet += used < load.QUIET
        if len(rounds) > effort.rounds:
            patience -= time.perf_counter() - since.at
    best = sorted(rounds, key=lambda pair: pair[0])[: effort.rounds]
    others = statistics.mean(used for used, _ in best)
    return {name: [seconds[name] for _, seconds in best] for name in contenders}, others


def seconds_spent(contender: Contender, number: int) -> float:
    """Run a contender `number` times and return the seconds."""
    if contender.clock is not None:
        return sum(contender.clock(contender.run()) for _ in range(number))
    start = time.perf_counter()
    for _ in range(number):
        contender.run()
    return time.perf_counter() - start


def repeats(contender: Contender, seconds: float) -> int:
    """Return the number of runs that take about `seconds`."""
    if contender.clock is not None:
        return 1
    number = 1
    while number < 2**20:
        spent = seconds_spent(contender, number)
        if spent >= seconds / 4:
            return max(number, math.ceil(number * seconds / spent))
        number *= 4
    return number
