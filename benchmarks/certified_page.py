"""The sections on certified memories of docs/performance.md."""

from collections.abc import Iterator
from pathlib import Path

from hopfield.experiments import records
from hopfield.experiments.records import Record

from .certified_times import NAME

Section = tuple[str, list[str], list[list[str]]]
"""Heading with text, columns and rows of a table."""

TIMES = """## Certified against full

CPU time of a full memory over that of a certified one, in RAM, in turn in one process on one \
thread; 1 means the same time. Patterns are unit vectors; a query is one of them and noise of \
length .3. `retrieve` makes at most two reads. Measured natively on {native}, and limited to AVX2 \
on {limited}: `python -m benchmarks.certified_times`. Natively, patterns are scanned in 8 bits; \
with AVX2 alone, from 160 queries on, by their scores in float32. Where nothing is found by the \
scan, both read all patterns by the same code, and a certified `retrieve` keeps what its bounds \
need. A ratio is the median of 31 rounds, 9 of long calls; half of them lie within \
±{spread:.2f}, as a rule. Below .95 are {slow}."""


def sections(folder: Path) -> Iterator[Section]:
    """Yield the sections whose records exist."""
    if (folder / "certified.jsonl").exists():
        yield _bounds(records.read(folder / "certified.jsonl")[1])
    paths = folder / NAME, folder / "avx2" / NAME
    if all(path.exists() for path in paths):
        yield _times(*(records.read(path) for path in paths))


def _bounds(lines: list[Record]) -> Section:
    rows = [
        [
            f"{line['case']}, n = {line['n']:,}",
            f"{line['queries']:,}",
            str(line["violations"]),
            str(line["wrong_index"]),
            f"{line['state_error']:.1g}",
            f"{line['state_bound']:.1g}",
            f"{max(line['largest_share_state'], line['largest_share_energy']):.0%}",
        ]
        for line in lines
    ]
    columns = ["memory", "queries", "bounds broken", "wrong index", "largest error of the state"]
    columns += ["largest bound", "largest error / bound"]
    head = (
        f"## Certified bounds\n\n{sum(line['queries'] for line in lines):,} queries to the three "
        "certified memories below, against float64: `python -m benchmarks.certified --queries N`. "
        "Bounds are of state and energy; errors are distances of whole states."
    )
    return head, columns, rows


def _times(native: tuple[Record, list[Record]], limited: tuple[Record, list[Record]]) -> Section:
    processors = [f"{head['processor']} ({head['instructions']})" for head, _ in (native, limited)]
    keys = "n", "dim", "queries", "beta", "similarity", "mask"
    found: dict[tuple[object, ...], list[str]] = {}
    for at, (_, lines) in enumerate((native, limited)):
        for line in lines:
            row = found.setdefault(tuple(line[key] for key in keys), [""] * 6)
            row[3 * at] = f"{line['scanned']:.0%}"
            row[3 * at + 1 + (line["case"] == "retrieve")] = f"{line['ratio']:.2f}"
    every = native[1] + limited[1]
    slow = [line for line in every if line["ratio"] < 0.95]
    words = f"{len(slow)} of {len(every)} ratios"
    if slow:
        sure = sum(line["ratio_high"] < 0.95 for line in slow)
        words += f", {sure or 'none'} of them by more than they scatter; the least is "
        words += f"{min(line['ratio'] for line in slow):.2f}, and the longest such call takes "
        words += f"{max(line['full_ms'] for line in slow):.1f} ms"
    spreads = sorted((line["ratio_high"] - line["ratio_low"]) / 2 for line in every)
    spread = spreads[len(spreads) // 2]
    head = TIMES.format(native=processors[0], limited=processors[1], slow=words, spread=spread)
    columns = ["patterns", "dim", "queries", "β", "similarity", "mask"]
    columns += ["found by the scan", "`update`", "`retrieve`"]
    columns += ["found by the scan, AVX2", "`update`, AVX2", "`retrieve`, AVX2"]
    return (
        head,
        columns,
        [
            [f"{key:,}" if isinstance(key, int) else str(key) for key in case] + row
            for case, row in found.items()
        ],
    )
