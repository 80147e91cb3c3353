"""What a benchmark is, and how it is measured: checked first, then timed in turn."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from . import ceilings, load, memory

Record = dict[str, Any]
Size = Mapping[str, int]


class WrongAnswerError(AssertionError):
    """A contender does not agree with the float64 reference, so its time means nothing."""


def _itself(answer: Any) -> Any:
    return answer


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Args:
        run: does it.
        answer: what is compared with the reference, out of what `run` returned; None where it
            answers nothing, and only bounds the others.
        first: it answers only so many queries, the first ones; None is all.
        units: how much of the workload one run does: 1/64 for one probe of 64, 2 for two reads.
        clock: the seconds that a run reports of itself, where it is a process of its own.
        facts: further fields of its record.
        slack: how many times the tolerance it may be off: for peers that are known to lose digits.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], Tensor] | None = _itself
    first: int | None = None
    units: float = 1.0
    clock: Callable[[Any], float] | None = None
    facts: Callable[[Any], dict[str, float]] | None = None
    slack: float = 1.0


@dataclass(frozen=True)
class Case:
    """A workload set up at one size.

    Args:
        contenders: by name; the first is the one the others are compared with.
        reference: the answer in float64.
        tolerance: largest difference allowed; 0 where the answer is exact.
        flops: float32 multiplications and additions that the workload cannot do without.
        bytes: what it must read at least once.
        limits: further probes that bound it, by name.
    """

    contenders: dict[str, Contender]
    reference: Callable[[], Tensor]
    tolerance: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0
    limits: Mapping[str, ceilings.Probe] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What one contender must reach.

    Args:
        contender: its name.
        field: "speed" (how many times as fast as `over`), or a field of its record.
        bound: at least this speed; at most this much of anything else.
        over: whom it is compared with. None is the first contender for a speed; for another field
            it is nobody, and else the ratio is bounded.
        says: the target in words.
        strict: whether a small shortfall beside the limit is a miss too.
    """

    contender: str
    bound: float
    says: str
    field: str = "speed"
    over: str | None = None
    strict: bool = False


@dataclass(frozen=True)
class Entry:
    """A benchmark.

    Args:
        name: one word for the command line, and the name of its file of records.
        workload: what is done, in a sentence.
        build: sets a case up, given a size.
        sizes: the sizes that are measured.
        quick: a tiny size, for tests.
        targets: what must be reached at every size.
        measures_memory: whether each contender is also run in a process of its own.
        note: what the page says below the figures, for instance what the limit is.
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
    """How long to measure.

    Args:
        rounds: how many count.
        seconds: each contender runs at least so long in each of them.
        patience: seconds spent at most waiting for others to be quiet, and on further rounds.
    """

    rounds: int = 5
    seconds: float = 0.05
    patience: float = 0.0


QUICK = Effort(rounds=2, seconds=0.001)


def measure(
    entry: Entry, number: int, quick: bool = False, effort: Effort | None = None
) -> list[Record]:
    """The records of one size of an entry, one for each contender."""
    effort = effort or (QUICK if quick else Effort())
    size = entry.quick if quick else entry.sizes[number]
    case = entry.build(**size)
    checked = check(entry.name, case)
    probes = {} if quick else ceilings.probes(case.flops, case.bytes) | dict(case.limits)
    seconds, others = _in_turn(
        {**case.contenders, **{name: Contender(probe.run) for name, probe in probes.items()}},
        effort,
    )
    least = ceilings.least_seconds(probes, seconds)
    baseline = next(iter(case.contenders))
    records = []
    for name, found in checked.items():
        times = seconds[name]
        line = {"experiment": entry.name, "case": name, **size, "seed": 0, **found}
        line |= {"seconds": statistics.median(times), "rounds": times, "others": others}
        line |= compared(times, seconds[baseline])
        if least is not None:
            line["share"] = statistics.median(a / b for a, b in zip(least, times, strict=True))
        if entry.measures_memory and not quick:
            line |= memory.measured(entry.name, number, name)
        records.append(line)
    return records


def check(name: str, case: Case) -> dict[str, Record]:
    """Each contender against the reference: error, tolerance and further facts, or an error."""
    reference = case.reference()
    return {
        who: _checked(f"{name}: {who}", one, reference, case.tolerance * one.slack)
        for who, one in case.contenders.items()
    }


def _checked(who: str, one: Contender, reference: Tensor, tolerance: float) -> Record:
    found = one.run()
    facts = {} if one.facts is None else one.facts(found)
    if one.answer is None:
        return facts
    answer, expected = one.answer(found).double(), reference[: one.first]
    if answer.shape != expected.shape:
        raise WrongAnswerError(f"{who} answers {tuple(answer.shape)}, not {tuple(expected.shape)}")
    error = (answer - expected).abs().max().item()
    if not error <= tolerance:
        raise WrongAnswerError(f"{who} is {error:.3g} off the reference, more than {tolerance:.3g}")
    return {"error": error, "tolerance": tolerance, **facts}


def compared(times: list[float], base: list[float]) -> Record:
    """How many times as fast as `base`: ratio of medians, and the spread over the rounds.

    `more` is how many seconds longer it takes, `allowance` the part that is of what a path may
    lose: 10 % of a base of 1 ms or more, else 100 µs.
    """
    each = [b / t for t, b in zip(times, base, strict=True)]
    own, other = statistics.median(times), statistics.median(base)
    return {
        "speed": other / own,
        "speed_low": min(each),
        "speed_high": max(each),
        "more": own - other,
        "allowance": (own - other) / (0.1 * other if other >= 1e-3 else 1e-4),
    }


def _in_turn(
    contenders: dict[str, Contender], effort: Effort
) -> tuple[dict[str, list[float]], float]:
    """Seconds for one unit of the workload by contender and round; cores that others used.

    In every round each contender runs once, short ones many times over; odd rounds go backwards.
    Further rounds are made while fewer than enough were quiet and patience lasts; the quietest
    count.
    """
    repeats = {name: _repeats(one, effort.seconds) for name, one in contenders.items()}
    rounds: list[tuple[float, dict[str, float]]] = []
    patience, quiet = effort.patience, 0
    while len(rounds) < effort.rounds or (quiet < effort.rounds and patience > 0):
        patience = load.wait(patience)
        since, seconds = load.mark(), {}
        for name in list(contenders) if len(rounds) % 2 == 0 else list(reversed(contenders)):
            one = contenders[name]
            seconds[name] = _spent(one, repeats[name]) / (repeats[name] * one.units)
        used = load.others(since)
        rounds.append((used, seconds))
        quiet += used < load.QUIET
        if len(rounds) > effort.rounds:
            patience -= time.perf_counter() - since.at
    best = sorted(rounds, key=lambda each: each[0])[: effort.rounds]
    others = statistics.mean(used for used, _ in best)
    return {name: [seconds[name] for _, seconds in best] for name in contenders}, others


def _spent(one: Contender, repeats: int) -> float:
    """Seconds that so many runs take."""
    if one.clock is not None:
        return sum(one.clock(one.run()) for _ in range(repeats))
    start = time.perf_counter()
    for _ in range(repeats):
        one.run()
    return time.perf_counter() - start


def _repeats(one: Contender, seconds: float) -> int:
    """How often to run so that it takes about so many seconds."""
    if one.clock is not None:
        return 1
    number = 1
    while number < 2**20:
        spent = _spent(one, number)
        if spent >= seconds / 4:
            return max(number, math.ceil(number * seconds / spent))
        number *= 4
    return number
