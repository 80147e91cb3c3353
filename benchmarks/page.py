"""Make docs/performance.md and its pictures from the records and nothing else."""

import hashlib
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hopfield.experiments import records

from . import certified_page, load, pictures
from .entries import ENTRIES
from .harness import Entry, Record, Target, compared

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE, IMAGES = ROOT / "docs" / "performance.md", ROOT / "docs" / "images"
MISSED = "**missed**"
SHORTFALL = 0.15
"""Largest shortfall that counts as met where the row also shows the limit of the machine."""

TITLE = """# Performance

Speed and memory against other tools on the same work, each answer checked first. Of {all} \
targets {met} are met natively, and {limited} limited to AVX2, with those that are less than 15 % \
short; those missed are in bold. [How it is measured](#how-it-is-measured)."""

METHOD = """## How it is measured

`make bench` measures everything twice, natively and limited to AVX2 (as on half of all \
processors), in about an hour; `python -m benchmarks NAME` measures one row, with `--isa avx2` \
under that limit; `page` in place of NAME makes this page from the records. `python -m benchmarks \
compare --before DIR` compares two source trees, row by row.

Each answer is first checked against a float64 reference. All contenders are then timed in turn \
within one process, in 5 rounds of at least 50 ms. Seconds are medians. A speed is the ratio of \
two medians; the brackets hold its smallest and largest value over the rounds. Rounds in which \
other processes were busy are repeated; if they stayed busy, the row shows it. Memory is that of \
one call in a separate process, without its inputs and its result. The limit of a workload is the \
time of its float32 products and of one read of its patterns on this machine, measured in the same \
rounds. On a shared machine trust ratios, not seconds.

GPUs are not measured: torch's attention and products run there, and no kernels of the library."""


@dataclass(frozen=True)
class Measured:
    """An entry with its results: the header of the file, and one record per size and contender."""

    entry: Entry
    head: Record
    records: list[Record]

    def sizes(self) -> list[list[Record]]:
        """Return the records of each size."""
        return [
            [line for line in self.records if dict(size).items() <= line.items()]
            for size in self.entry.sizes
        ]


@dataclass(frozen=True)
class Verdict:
    """Result of a target at the size where it was hardest to meet.

    Args:
        target: the target.
        line: the contender's record.
        value: the bounded quantity.
        spread: its smallest and largest value over the rounds, for a speed.
    """

    target: Target
    line: Record
    value: float
    spread: tuple[float, float] | None = None

    @property
    def strain(self) -> float:
        """Bound over value of a speed, else value over bound: above 1 the target is missed."""
        bound = self.target.bound
        return bound / self.value if self.target.field == "speed" else self.value / bound

    @property
    def word(self) -> str:
        """Met or missed."""
        if self.strain <= 1:
            return "met"
        lenient = self.target.field == "speed" and not self.target.strict and "share" in self.line
        near = lenient and 1 - 1 / self.strain < SHORTFALL
        return "met (less than 15 % short)" if near else MISSED


def folder(limit: str) -> Path:
    """Return the folder of the records measured natively, or under a limit of instructions."""
    return RESULTS if limit == "native" else RESULTS / limit


def gathered(limit: str = "native") -> list[Measured]:
    """Return every entry that has been measured."""
    paths = {name: folder(limit) / f"{name}.jsonl" for name in ENTRIES}
    return [
        Measured(ENTRIES[name], *records.read(path))
        for name, path in paths.items()
        if path.exists()
    ]


def verdicts(measured: Measured) -> list[Verdict]:
    """Return each target of an entry at its worst size, of those it applies to."""
    worst = []
    for target in measured.entry.targets:
        # A contender is missing where its library was.
        wanted = {target.contender, target.over or target.contender}
        sizes = [s for s in measured.sizes() if wanted <= {line["case"] for line in s}]
        judged = [lines for lines in sizes if lines[0]["seconds"] >= target.floor]
        each = [_verdict(target, lines) for lines in judged]
        worst += [max(each, key=lambda verdict: verdict.strain)] if each else []
    return worst


def _verdict(target: Target, lines: list[Record]) -> Verdict:
    ways = {line["case"]: line for line in lines}
    line = ways[target.contender]
    if target.field != "speed":
        unit = 1.0 if target.over is None else ways[target.over][target.field]
        return Verdict(target, line, line[target.field] / unit)
    over = lines[0] if target.over is None else ways[target.over]
    ratio = compared(line["rounds"], over["rounds"])
    return Verdict(target, line, ratio["speed"], (ratio["speed_low"], ratio["speed_high"]))


def write() -> None:
    """Make the page and its pictures."""
    native, limited = gathered(), gathered("avx2")
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, (_, draw, _) in drawings(native).items():
        (IMAGES / f"{name}.svg").write_text(pictures.svg(draw(), digest(native)), "utf-8")
    PAGE.write_text(text(native, limited), "utf-8")


def digest(measured: list[Measured]) -> str:
    """Return a checksum of all records, which each picture carries."""
    lines = json.dumps([m.records for m in measured], sort_keys=True)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def text(native: list[Measured], limited: list[Measured]) -> str:
    """Return the page."""
    shown = "\n\n".join(
        f"![{alt}](images/{name}.svg)\n\n{caption}"
        for name, (alt, _, caption) in drawings(native).items()
    )
    avx2 = {m.entry.name: m for m in limited}
    parts = [_title(native, limited), "## Targets", _targets(native, avx2), shown]
    parts += [METHOD, _machine(native, "natively"), _machine(limited, "limited to AVX2")]
    tables = certified_page.sections(RESULTS)
    parts += [_peaks(), *(f"{head}\n\n{_table(names, lines)}" for head, names, lines in tables)]
    parts += [_comparison(), "## All rows"]
    parts += [_section(m, avx2.get(m.entry.name)) for m in native]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(native: list[Measured], limited: list[Measured]) -> str:
    words = [[v.word for m in part for v in verdicts(m)] for part in (native, limited)]
    met, below = (len(part) - part.count(MISSED) for part in words)
    return TITLE.format(all=len(words[0]), met=met, limited=below)


def _peaks(path: Path = RESULTS / "peaks.jsonl") -> str:
    """Return the table of peak memory that `benchmarks.peaks` measured."""
    if not path.exists():
        return ""
    rows = [
        [line["case"], f"{line['n']:,}", f"{line['extra_mib']:.0f} MiB"]
        for line in records.read(path)[1]
    ]
    head = (
        "## Peak memory\n\nRise above the memory of inputs during one call on one thread: `python "
        "-m benchmarks.peaks`. All scores of 1024 queries and 10⁵ patterns would take 391 MiB."
    )
    return f"{head}\n\n{_table(['call', 'patterns', 'extra memory'], rows)}"


def _comparison(path: Path = RESULTS / "compare.jsonl") -> str:
    """Return the table of `python -m benchmarks compare`: one line per entry."""
    if not path.exists():
        return ""
    head, every = records.read(path)
    lines = [line for line in every if "ratio" in line]
    rows = []
    for name in dict.fromkeys(line["case"] for line in lines):
        ratios = [line["ratio"] for line in lines if line["case"] == name]
        row = [statistics.median(ratios), min(ratios), max(ratios)]
        rows.append([name, str(len(ratios)), *(f"{ratio:.2f}" for ratio in row)])
    said = (
        f"## Before and after\n\nTime of this code over that of commit {head['before']}, measured "
        f"in turn on {head['processor']} ({head['instructions']}, {head['threads']} threads), one "
        "row per call and size; "
        f"{sum(line['ratio'] > 1.1 for line in lines)} of {len(lines)} rows are above 1.10. A "
        "ratio is the smaller of two estimates: the median over rounds, and the "
        "ratio of the shortest times."
    )
    return f"{said}\n\n{_table(['entry', 'rows', 'median', 'smallest', 'largest'], rows)}"


Drawing = tuple[str, Callable[[], Any], str]
"""Description of a picture, the function that draws it, its caption."""


def drawings(measured: list[Measured]) -> dict[str, Drawing]:
    """Return the pictures that these records allow."""
    by_name = {m.entry.name: m.records for m in measured}
    speeds = [
        (f"{m.entry.name}: {v.target.contender}", v.value, v.target.bound)
        for m in measured
        for v in verdicts(m)
        if v.target.field == "speed"
    ]
    drawn: dict[str, Drawing] = {}
    if speeds:
        drawn["speeds"] = (
            "Measured speeds with their targets",
            partial(pictures.speeds, speeds),
            "Bars: speed relative to the contender that the target names; marks: the targets.",
        )
    if "growth" in by_name:
        drawn["growth-time"] = (
            "Seconds of one update by number of patterns",
            partial(pictures.growth, by_name["growth"], "seconds"),
            "Small n fits into the cache, so that time can grow faster than n.",
        )
        drawn["growth-memory"] = (
            "Extra memory of one update by number of patterns",
            partial(pictures.growth, by_name["growth"], "extra_mib"),
            "Memory without the patterns, the queries and the result.",
        )
    if "overhead" in by_name:
        drawn["overhead"] = (
            "Time of each call against that of naive torch",
            partial(pictures.overhead, by_name["overhead"]),
            "Each point is one call at one n, dim and batch. Below the line a call is within its "
            "allowance: 10 % of naive torch's time, or 100 µs where that is below 1 ms.",
        )
    return drawn


def _machine(measured: list[Measured], how: str) -> str:
    """Describe processor and versions, one paragraph per processor; ranges where runs differ."""
    processors = list(dict.fromkeys(m.head["processor"] for m in measured))
    return "\n\n".join(
        _processor([m for m in measured if m.head["processor"] == one], how, len(processors) > 1)
        for one in processors
    )


def _processor(measured: list[Measured], how: str, listed: bool) -> str:
    heads = [m.head for m in measured]

    def values(key: str) -> str:
        return " / ".join(sorted({str(head[key]) for head in heads if key in head}))

    def between(key: str, digits: int = 1) -> str:
        numbers = sorted(head[key] for head in heads if key in head)
        low, high = f"{numbers[0]:.{digits}f}", f"{numbers[-1]:.{digits}f}"
        return low if low == high else f"{low}–{high}"

    peers = sorted({key for head in heads for key in head if key.startswith("version_")})
    versions = ["python", "torch", "numpy", "hopfield", *peers]
    names = ", ".join(f"{key.removeprefix('version_')} {values(key)}" for key in versions)
    used = values("instructions")
    entries = f" ({', '.join(f'`{m.entry.name}`' for m in measured)})" if listed else ""
    return (
        f"Measured {how} on {values('processor')}{used and f'; torch used {used}'}{entries}; "
        f"{values('cores')} cores, {values('threads')} threads, {values('memory_gib')} GiB; "
        f"{values('system')}; {names}. Load before each run: {between('load')}. Limits of the "
        "machine, the best of 9 runs before each entry: "
        f"float32 products {between('float32_tflops', 2)} TFLOP/s, bfloat16 products "
        f"{between('bfloat16_tflops', 2)} TFLOP/s, reading {between('read_gb_s')} GB/s."
    )


def _targets(native: list[Measured], avx2: dict[str, Measured]) -> str:
    rows = []
    for m in native:
        other = avx2.get(m.entry.name)
        limited = {v.target: v for v in verdicts(other)} if other else {}
        for verdict in verdicts(m):
            under = limited.get(verdict.target)
            rows.append(
                [
                    f"{m.entry.workload} (`{m.entry.name}`)",
                    f"`{verdict.target.contender}` {verdict.target.says}",
                    _value(m, verdict),
                    verdict.word,
                    _share(verdict.line),
                    _value(other, under) if other and under else "",
                    under.word if under else "",
                ]
            )
    columns = ["work", "target", "native", "", "of the limit", "AVX2", ""]
    return _table(columns, rows)


def _value(measured: Measured, verdict: Verdict) -> str:
    line, target = verdict.line, verdict.target
    if target.field == "allowance":
        inside = sum(r["case"] == line["case"] and r["allowance"] <= 1 for r in measured.records)
        size = ", ".join(f"{key} {line[key]}" for key in measured.entry.sizes[0])
        return (
            f"{inside} of {len(measured.entry.sizes)} sizes; at worst {line['speed']:.2f}×, "
            f"{duration(line['more'])} more ({size})"
        )
    if verdict.spread is not None:
        words = f"{_times(verdict.value)} ({_times(verdict.spread[0])}–{_times(verdict.spread[1])})"
    elif target.over is not None:
        words = _times(verdict.value)
    elif target.field == "extra_mib":
        words = f"{verdict.value:.1f} MiB"
    else:
        words = duration(verdict.value)
    if "saved" in line:
        words += f"; {line['saved']:.0%} of the reads saved"
    busy = line["others"] >= load.QUIET
    return words + (f"; others used {line['others']:.1f} cores" if busy else "")


def _section(measured: Measured, limited: Measured | None) -> str:
    """Return the table of an entry of one size, and its note."""
    entry = measured.entry
    if len(entry.sizes) > 1 and not entry.note:
        return ""
    parts = [f"### {entry.name}", f"{entry.workload[0].upper()}{entry.workload[1:]}."]
    if len(entry.sizes) == 1:
        columns = ["contender", "time", "speed", "of the limit", "extra memory"]
        columns += ["error / tolerance", "time, AVX2", "speed, AVX2"]
        under = {line["case"]: cells(line)[1:3] for line in limited.records} if limited else {}
        rows = [cells(r) + under.get(r["case"], ["", ""]) for r in measured.records]
        parts.append(_table(columns, rows))
    return "\n\n".join(filter(None, [*parts, entry.note]))


def cells(line: Record) -> list[str]:
    """Return a record in words: contender, time, speed, share of the limit, memory, error."""
    return [
        line["case"],
        duration(line["seconds"]),
        f"{_times(line['speed'])} ({_times(line['speed_low'])}–{_times(line['speed_high'])})",
        _share(line),
        f"{line['extra_mib']:.1f} MiB" if "extra_mib" in line else "",
        f"{line['error']:.1g} / {line['tolerance']:.1g}" if "error" in line else "",
    ]


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(line: Record) -> str:
    return f"{line['share']:.0%}" if "share" in line else ""


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


def duration(seconds: float) -> str:
    """Return a time in three digits with its unit."""
    size = abs(seconds)
    scale, unit = (1, "s") if size >= 1 else (1e3, "ms") if size >= 1e-3 else (1e6, "µs")
    return f"{seconds * scale:.3g} {unit}"
