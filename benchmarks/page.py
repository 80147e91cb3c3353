"""docs/performance.md and its pictures, made from the records and nothing else."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hopfield.experiments import records
from hopfield.files import write_whole

from . import load, pictures
from .entries import ENTRIES
from .harness import Entry, Record, Target, compared

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, IMAGES = (
    ROOT / "benchmarks" / "results",
    ROOT / "docs" / "performance.md",
    ROOT / "docs" / "images",
)
SHORTFALL = 0.15
"""A shortfall below this counts as met where the limit of the machine stands beside it."""

INTRODUCTION = """# Performance

Made from the records under `benchmarks/results` by `python -m benchmarks page`: edit those, by \
measuring again, not this page.

From a checkout, `make bench` measures everything (about half an hour) and makes this page anew; \
one row is `python -m benchmarks NAME`. Each way of doing the work is first checked against a \
float64 reference. Then all are timed in turn within one process, in 5 rounds of at least 50 ms \
each. Seconds are medians, a speed is the ratio of two medians, in brackets its smallest and \
largest value over the rounds. Rounds in which other processes were busy are made again; where \
they stayed busy, the row says so. Memory is that of one call in a process of its own, beyond \
its inputs and its result. The limit of a workload is what its float32 products and one read of \
its patterns take on this machine, timed in the same rounds. On a shared machine trust ratios, \
not seconds.

Not measured: GPUs, of which none was at hand. Nothing there has a way of its own: torch's \
attention and products run where the tensors are, and kernels serve on the CPU only."""


@dataclass(frozen=True)
class Measured:
    """An entry with what was found: the file's header, and one record a size and contender."""

    entry: Entry
    head: Record
    records: list[Record]

    def sizes(self) -> list[tuple[Record, list[Record]]]:
        """The sizes, each with its records."""
        return [
            (dict(size), [r for r in self.records if all(r[k] == v for k, v in size.items())])
            for size in self.entry.sizes
        ]


@dataclass(frozen=True)
class Verdict:
    """How a target was met at the size where it was met worst.

    Args:
        target: it.
        line: the contender's record.
        found: what is bounded.
        spread: its smallest and largest value over the rounds, of a speed.
    """

    target: Target
    line: Record
    found: float
    spread: tuple[float, float] | None = None

    @property
    def strain(self) -> float:
        """1 where the target is just met, less where it is met with room."""
        bound = self.target.bound
        return bound / self.found if self.target.field == "speed" else self.found / bound

    @property
    def word(self) -> str:
        """Met or not."""
        if self.strain <= 1:
            return "met"
        speed = self.target.field == "speed" and not self.target.strict
        limited = speed and "share" in self.line
        near = limited and 1 - 1 / self.strain < SHORTFALL
        return "met (less than 15 % short)" if near else "**missed**"


def gathered(folder: Path = RESULTS) -> list[Measured]:
    """Every entry that has been measured."""
    found = []
    for name, entry in ENTRIES.items():
        path = folder / f"{name}.jsonl"
        if path.exists():
            found.append(Measured(entry, *records.read(path)))
    return found


def verdicts(measured: Measured) -> list[Verdict]:
    """Each target of an entry at its worst size."""
    worst = []
    for target in measured.entry.targets:
        each = [_verdict(target, lines) for _, lines in measured.sizes()]
        worst.append(max(each, key=lambda verdict: verdict.strain))
    return worst


def _verdict(target: Target, lines: list[Record]) -> Verdict:
    """A target at one size."""
    ways = {line["case"]: line for line in lines}
    line = ways[target.contender]
    if target.field != "speed":
        unit = 1.0 if target.over is None else ways[target.over][target.field]
        return Verdict(target, line, line[target.field] / unit)
    over = lines[0] if target.over is None else ways[target.over]
    ratio = compared(line["rounds"], over["rounds"])
    return Verdict(target, line, ratio["speed"], (ratio["speed_low"], ratio["speed_high"]))


def write(folder: Path = RESULTS) -> None:
    """Make the page and its pictures."""
    found = gathered(folder)
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, (_, draw, _) in drawings(found).items():
        write_whole(IMAGES / f"{name}.svg", pictures.svg(draw(), digest(found)).encode())
    write_whole(PAGE, text(found).encode())


def digest(found: list[Measured]) -> str:
    """A word for all of the records, which each picture carries."""
    lines = json.dumps([m.records for m in found], sort_keys=True)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def text(found: list[Measured]) -> str:
    """The page."""
    shown = "\n\n".join(
        f"![{alt}](images/{name}.svg)\n\n{caption}"
        for name, (alt, _, caption) in drawings(found).items()
    )
    parts = [INTRODUCTION, _machine(found), "## Targets", _targets(found), shown, _bounds()]
    parts += ["## Every way"]
    parts += [_section(m) for m in found if len(m.entry.sizes) == 1 or m.entry.note]
    return "\n\n".join(part for part in parts if part) + "\n"


def _bounds(path: Path = RESULTS / "certified.jsonl") -> str:
    """Whether the bounds of certified retrieval held, as `benchmarks.certified` found."""
    if not path.exists():
        return ""
    lines = records.read(path)[1]
    total = sum(line["queries"] for line in lines)
    rows = [
        [
            f"{line['case']}, n = {line['n']:,}",
            f"{line['queries']:,}",
            str(line["violations"]),
            str(line["wrong_index"]),
            f"{line['state_error']:.1g}",
            f"{line['state_bound']:.1g}",
            f"{max(line['largest_share_state'], line['largest_share_energy']):.0%}",
            f"{line['candidates']:.2f}",
            f"{line['fallback']:.1%}",
        ]
        for line in lines
    ]
    columns = ["memory", "queries", "bounds broken", "wrong index", "largest error of the state"]
    columns += ["largest bound", "nearest to its bound", "candidates a query", "read in full"]
    head = (
        f"## Certified bounds\n\n{total:,} queries to the three certified memories below, against "
        "float64: `python -m benchmarks.certified --queries N`, N to each. Bounds are of state and "
        "energy; errors are distances of whole states."
    )
    return f"{head}\n\n{_table(columns, rows)}"


Drawing = tuple[str, Callable[[], Any], str]
"""What it shows in words, how to draw it, the line below it."""


def drawings(found: list[Measured]) -> dict[str, Drawing]:
    """The pictures that these records allow."""
    by_name = {m.entry.name: m.records for m in found}
    every = [(m.entry.name, verdict) for m in found for verdict in verdicts(m)]
    speeds = [
        (f"{name}: {v.target.contender}", v.found, v.target.bound)
        for name, v in every
        if v.target.field == "speed"
    ]
    drawn: dict[str, Drawing] = {}
    if speeds:
        drawn["speeds"] = (
            "Measured speeds beside their targets",
            partial(pictures.speeds, speeds),
            "Bars: how many times as fast as what the target names; marks: the targets.",
        )
    if "growth" in by_name:
        drawn["growth-time"] = (
            "Seconds of one update by number of patterns",
            partial(pictures.growth, by_name["growth"], "seconds"),
            _growth(by_name["growth"]),
        )
        drawn["growth-memory"] = (
            "Extra memory of one update by number of patterns",
            partial(pictures.growth, by_name["growth"], "extra_mib"),
            "Memory beyond the patterns, the queries and the result.",
        )
    if "overhead" in by_name:
        drawn["overhead"] = (
            "Time of each path against that of naive torch",
            partial(pictures.overhead, by_name["overhead"]),
            "Each point is one path at one n, dim and batch. Below the line a path is within its "
            "allowance: 10 % of naive torch's time, or 100 µs where that is below 1 ms.",
        )
    return drawn


def _growth(lines: list[Record]) -> str:
    """How time and memory grow over the last tenfold of n, beside the limit."""
    said = []
    for queries in sorted({line["queries"] for line in lines}):
        mine = sorted(
            (r for r in lines if r["queries"] == queries),
            key=lambda line: (line["case"], line["n"]),
        )
        naive = [r["seconds"] for r in mine if r["case"] == "naive torch"]
        less, more = [r for r in mine if r["case"] == "update"][-2:]
        times = more["seconds"] / less["seconds"]
        bound = times * more["share"] / less["share"]
        said.append(
            f"{queries} {'query' if queries == 1 else 'queries'}: from n = {less['n']:,} to "
            f"{more['n']:,} time grows {times:.1f}×, naive torch's {naive[-1] / naive[-2]:.1f}×, "
            f"the limit {bound:.1f}×, and extra memory goes from {less['extra_mib']:.1f} to "
            f"{more['extra_mib']:.1f} MiB."
        )
    why = "What grows by more than n is read from the cache where it is small enough."
    return " ".join([*said, why])


def _machine(found: list[Measured]) -> str:
    """On what, and with what, in words; ranges where runs differ."""
    heads = [m.head for m in found]

    def said(key: str) -> str:
        values = sorted({str(head[key]) for head in heads if key in head})
        return " / ".join(values)

    def between(key: str, digits: int = 1) -> str:
        values = sorted(head[key] for head in heads if key in head)
        low, high = f"{values[0]:.{digits}f}", f"{values[-1]:.{digits}f}"
        return low if low == high else f"{low}–{high}"

    if not heads:
        return ""
    peers = sorted({key for head in heads for key in head if key.startswith("version_")})
    versions = ["python", "torch", "numpy", "hopfield", *peers]
    names = ", ".join(f"{key.removeprefix('version_')} {said(key)}" for key in versions)
    return (
        f"Measured on {said('processor')}; {said('cores')} cores, {said('threads')} threads, "
        f"{said('memory_gib')} GiB; {said('system')}; {names}. Load before each run: "
        f"{between('load')}. Limits of the machine, the best of 9 tries before each run: "
        f"float32 products {between('float32_tflops', 2)} TFLOP/s, bfloat16 products "
        f"{between('bfloat16_tflops', 2)} TFLOP/s, reading {between('read_gb_s')} GB/s."
    )


def _targets(found: list[Measured]) -> str:
    rows = [
        [
            m.entry.workload,
            f"`{verdict.target.contender}` {verdict.target.says}",
            _found(m, verdict),
            verdict.word,
            _share(verdict.line),
            f"`python -m benchmarks {m.entry.name}`",
        ]
        for m in found
        for verdict in verdicts(m)
    ]
    return _table(["work", "target", "measured", "", "of the limit", "again"], rows)


def _found(measured: Measured, verdict: Verdict) -> str:
    line, field = verdict.line, verdict.target.field
    if field == "allowance":
        inside = sum(r["case"] == line["case"] and r["allowance"] <= 1 for r in measured.records)
        size = ", ".join(f"{key} {line[key]}" for key in measured.entry.sizes[0])
        return (
            f"{inside} of {len(measured.entry.sizes)} sizes; at worst {line['speed']:.2f}×, "
            f"{duration(line['more'])} more ({size})"
        )
    if field == "speed" and verdict.spread is not None:
        said = f"{_times(verdict.found)} ({_times(verdict.spread[0])}–{_times(verdict.spread[1])})"
    else:
        said = _bounded(verdict)
    if "saved" in line:
        said += f"; {line['saved']:.0%} of the reads saved"
    busy = line["others"] >= load.QUIET
    return said + (f"; others used {line['others']:.1f} cores" if busy else "")


def _bounded(verdict: Verdict) -> str:
    """What is bounded by a target that is no speed."""
    if verdict.target.over is not None:
        return _times(verdict.found)
    if verdict.target.field == "extra_mib":
        return f"{verdict.found:.1f} MiB"
    return duration(verdict.found)


def _section(measured: Measured) -> str:
    """Every contender of an entry of one size, and what there is to say of any."""
    workload = measured.entry.workload
    parts = [f"### {measured.entry.name}", f"{workload[0].upper()}{workload[1:]}."]
    if len(measured.entry.sizes) == 1:
        columns = ["way", "time", "speed", "of the limit", "extra memory"]
        columns += ["error of what is allowed"]
        parts.append(_table(columns, [cells(line) for line in measured.records]))
    return "\n\n".join(filter(None, [*parts, measured.entry.note]))


def cells(line: Record) -> list[str]:
    """A record in words: way, time, speed, share of the limit, extra memory, error."""
    return [
        line["case"],
        duration(line["seconds"]),
        f"{_times(line['speed'])} ({_times(line['speed_low'])}–{_times(line['speed_high'])})",
        _share(line),
        f"{line['extra_mib']:.1f} MiB" if "extra_mib" in line else "",
        f"{line['error']:.1g} of {line['tolerance']:.1g}" if "error" in line else "",
    ]


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(line: Record) -> str:
    return f"{line['share']:.0%}" if "share" in line else ""


def _times(ratio: float) -> str:
    """A ratio in three digits."""
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


def duration(seconds: float) -> str:
    """A time in three digits and its unit."""
    size = abs(seconds)
    scale, unit = (1, "s") if size >= 1 else (1e3, "ms") if size >= 1e-3 else (1e6, "µs")
    return f"{seconds * scale:.3g} {unit}"
