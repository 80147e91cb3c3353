"""Make docs/strangers.md, its picture and a table of docs/none.md from the records alone."""

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hopfield.experiments import records
from hopfield.experiments.records import Record

from .cases import NAMES, SETS, STORED, STRANGERS
from .rates import ALPHAS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "strangers"
PAGE, GUIDE = ROOT / "docs" / "strangers.md", ROOT / "docs" / "none.md"
PICTURE = ROOT / "docs" / "images" / "strangers.svg"
START, END = "<!-- made by python -m benchmarks.strangers page -->\n", "<!-- end -->"
"""Marks of the part of docs/none.md that is made from the records."""

RIGHT = 0.95
"""Share of right answers among accepted cues below which a cell is listed."""

INTRODUCTION = """# Saying none, measured

Strangers are cues that come from nothing stored. How many of them does a calibrated memory \
accept, against the rate that was chosen? [Saying none](none.md) shows how to use it.

In each of {seeds} draws, {stored} rows of a set are stored and `memory.calibrate(damage, alpha)` \
leaves them out in turn. Then {strangers} other rows, the strangers, are damaged alike and asked \
once, and the stored rows too. A *false accept* is a stranger that is accepted. The sets are \
digits (8 × 8 pixels), 10 000 pictures each of MNIST and Fashion-MNIST (28 × 28), and generated \
unit vectors of 128 entries around 200 centres, as embeddings are. The memory is Euclidean, with a \
large β. s is the standard deviation of all entries of a set. *Extremes* are entries set to the \
smallest or largest value, a *block* is a part of the picture of half its area if hidden and a \
tenth if blackened, and *dimmed* pictures are multiplied by a number between .7 and 1.

`python -m benchmarks.strangers` measures all in ten minutes, and can be stopped; with `--quick` \
two sets and two seeds in one. `python -m benchmarks.strangers page` makes this page from the \
records under `benchmarks/results/strangers`."""

ERRORS = """The standard error of a cell is √(α(1 − α)(1/n + 1/m)/{seeds}): n rows calibrate, \
and m strangers are asked, in each draw."""


TIES = """ There a dozen pixels of 17 grey levels are known, and many distances are equal; equal \
scores count against a cue."""


class Cell(NamedTuple):
    """Shares over all draws of one set, damage and α."""

    false: float
    error: float
    accepted: float
    right: float | None
    plain: float

    def z(self, alpha: float) -> float:
        """Return the distance of false accepts from α in standard errors."""
        return (self.false - alpha) / self.error


def cell_of(lines: Sequence[Record]) -> Cell:
    """Return the shares of these records, which have one α and equal sizes."""
    total = {name: sum(line[name] for line in lines) for name in COUNTS}
    first = lines[0]
    alpha, n = first["alpha"], first["n"] if "n" in first else first["stored"]
    error = math.sqrt(alpha * (1 - alpha) * (1 / n + 1 / first["strangers"]) / len(lines))
    accepted = total["accepted_stored"]
    return Cell(
        total["accepted_strangers"] / total["strangers"],
        error,
        accepted / total["stored"],
        total["right_accepted"] / accepted if accepted else None,
        total["right"] / total["stored"],
    )


COUNTS = ("strangers", "accepted_strangers", "stored", "accepted_stored", "right_accepted", "right")

Key = tuple[str, str, float]


def cells(lines: Iterable[Record]) -> dict[Key, Cell]:
    """Return all cells of the experiment on rates: (set, damage, α) → shares."""
    groups: dict[Key, list[Record]] = {}
    for line in lines:
        if line["experiment"] == "rates":
            groups.setdefault((line["case"], line["damage"], line["alpha"]), []).append(line)
    return {key: cell_of(group) for key, group in groups.items()}


def write() -> None:
    """Make the page, its picture, and the table of the guide."""
    PAGE.write_text(text(RESULTS), "utf-8")
    PICTURE.write_text(picture(RESULTS), "utf-8")
    GUIDE.write_text(guide(GUIDE.read_text("utf-8"), RESULTS), "utf-8")


def _read(folder: Path) -> list[Record]:
    return records.read(folder / "rates.jsonl")[1]


def text(folder: Path) -> str:
    """Return the page."""
    lines = _read(folder)
    seeds = len({line["seed"] for line in lines if line["experiment"] == "rates"})
    found = cells(lines)
    parts = [
        INTRODUCTION.format(seeds=seeds, stored=STORED, strangers=STRANGERS),
        _summary(found, seeds),
        _right(found),
    ]
    parts += [_all(found), "## Where an assumption is broken", *_broken(lines)]
    return "\n\n".join(parts) + "\n"


def guide(page: str, folder: Path) -> str:
    """Return docs/none.md with the table of false accepts that the records say."""
    before, rest = page.split(START)
    shown = _rates_table(cells(_read(folder)))
    return f"{before}{START}\n{shown}\n\n{END}{rest.split(END)[1]}"


def _rates_table(found: dict[Key, Cell]) -> str:
    rows = []
    for alpha in ALPHAS:
        chosen = [cell for key, cell in found.items() if key[2] == alpha]
        rates, z = [cell.false for cell in chosen], [abs(cell.z(alpha)) for cell in chosen]
        rows.append([
            f"{alpha:g}", str(len(chosen)), f"{sum(rates) / len(rates):.4f}",
            f"{min(rates):.4f}–{max(rates):.4f}", _share(z, 2), _share(z, 3.5),
        ])  # fmt: skip
    head = ["α", "cells", "false accepts: mean", "smallest–largest cell"]
    return _table([*head, "within 2 standard errors of α", "within 3.5"], rows)


def _share(z: Sequence[float], limit: float) -> str:
    inside = sum(each <= limit for each in z)
    return f"{inside} ({inside / len(z):.0%})"


def _summary(found: dict[Key, Cell], seeds: int) -> str:
    z = [abs(cell.z(key[2])) for key, cell in found.items()]
    damages, sets = {key[1] for key in found}, {key[0] for key in found}
    return (
        f"## False accepts\n\n{len(damages)} damages of {len(sets)} sets at {len(ALPHAS)} rates: "
        f"{len(found)} cells. Within 2 standard errors of α: {_share(z, 2)}; within 3.5: "
        f"{_share(z, 3.5)}. {ERRORS.format(seeds=seeds)}{_beyond(found)}\n\n"
        f"{_rates_table(found)}\n\n![False accepts by damage, one panel per rate, each with a band "
        "of two standard errors around the rate](images/strangers.svg)"
    )


def _beyond(found: dict[Key, Cell]) -> str:
    beyond = [(key, cell) for key, cell in found.items() if abs(cell.z(key[2])) > 3.5]
    if not beyond:
        return ""
    shown = ", ".join(f"{key[0]} with {key[1]} at α = {key[2]:g}: {cell.false:.4f}"
                      for key, cell in beyond)  # fmt: skip
    above = sum(cell.z(key[2]) > 0 for key, cell in beyond)
    return f" Further from α, {above} of them above it: {shown}.{TIES if not above else ''}"


def _right(found: dict[Key, Cell]) -> str:
    least = min(ALPHAS)
    chosen = {key: cell for key, cell in found.items() if key[2] == least}
    poor = {key: c for key, c in chosen.items() if c.right is not None and c.right < RIGHT}
    rows = [
        [key[0], key[1], _percent(c.accepted), _percent(c.right), _percent(c.plain)]
        for key, c in poor.items()
    ]
    shown = ""
    if rows:
        head = ["set", "damage", "stored accepted", "of these right", "right without calibration"]
        shown = (
            " The others are damages from which the nearest pattern is seldom the right one; the "
            "calibration says so beforehand (`Calibration.right`).\n\n" + _table(head, rows)
        )
    return (
        f"## Right among accepted\n\nAt α = {least:g}, {len(chosen) - len(poor)} of {len(chosen)} "
        f"cells have at least {RIGHT:.0%} right answers among the accepted.{shown}"
    )


def _all(found: dict[Key, Cell]) -> str:
    parts = [
        "## All cells\n\nPer rate: false accepts / stored cues accepted / right ones of these. "
        "The last column is the share of stored cues whose nearest pattern is the right one."
    ]
    for name in SETS:
        rows = []
        for damage in NAMES:
            shown = [found.get((name, damage, alpha)) for alpha in ALPHAS]
            if all(shown):
                rows.append([damage, *(_triple(c) for c in shown if c),
                             _percent(shown[0].plain if shown[0] else None)])  # fmt: skip
        if rows:
            head = ["damage", *(f"α = {alpha:g}" for alpha in ALPHAS), "right"]
            parts.append(f"### {name}\n\n" + _table(head, rows))
    return "\n\n".join(parts)


def _triple(cell: Cell) -> str:
    return f"{cell.false:.2%} / {_percent(cell.accepted)} / {_percent(cell.right)}"


Axis = tuple[str, str, Callable[[Any], str]]
"""Field of the records of a broken assumption, head of its column, form of its values."""

BROKEN: dict[str, tuple[str, str, Axis]] = {
    "other damage": (
        "Other damage than calibrated",
        "Calibrated for noise s; the cues have other damage. Distances shrink with the damage: "
        "with less of it nearly every stranger is accepted, with more no cue at all. Margins "
        "(digits, and MNIST at α = .01) change less. If the amount is not known, let the damage "
        "draw one for each cue.",
        ("cue", "cues with", str),
    ),
    "near-duplicates": (
        "Near-duplicates",
        "A share of the stored rows are copies of others, with noise s/20. Leaving out one of a "
        "pair, the other scores as well as the row itself, so that few cues are accepted. "
        "Remove near-duplicates, or give `strangers=`. Exact copies count as one pattern and do "
        "no harm.",
        ("share", "near-duplicates", lambda share: f"{share:.0%}"),
    ),
    "resembling": (
        "Strangers that resemble stored rows",
        "The strangers are variants of stored rows, with noise added before the damage. Where "
        "margins decide (digits, and MNIST at α = .01), they are accepted nearly as often as "
        "stored rows: a variant has no other near pattern. Distances tell them apart once they "
        "differ by more than the damage. Give such variants as `strangers=`.",
        ("variation", "noise of a variant", lambda variation: f"{variation:g} s"),
    ),
    "few": (
        "Few patterns",
        "Leaving one out is a jackknife and not exact: strangers ask n − 1 patterns, and the same "
        "rows are both stored and strangers. With n given strangers the rate is exact in the mean "
        "over calibrations. Means of {draws} draws vary by about √(α(1 − α)/(n · {draws})).",
        ("n", "patterns", str),
    ),
    "ties": (
        "Few entries, and ties",
        "If few entries of few values are known, many scores are equal, and equal scores count "
        "against the cue: fewer strangers are accepted than α allows.",
        ("hidden", "entries hidden", lambda share: f"{share:.0%}"),
    ),
}


def _broken(lines: Sequence[Record]) -> Iterable[str]:
    for experiment, (title, words, axis) in BROKEN.items():
        own = [line for line in lines if line["experiment"] == experiment]
        if own:
            draws = len({line["seed"] for line in own})
            shown = words.format(draws=draws)
            yield f"### {title}\n\n{shown}\n\n{_broken_table(own, axis)}"


def _broken_table(lines: Sequence[Record], axis: Axis) -> str:
    field, title, form = axis
    rows = []
    keys = dict.fromkeys((x["case"], x[field], x.get("left_out", True)) for x in lines)
    for case, value, way in sorted(keys, key=lambda key: (key[0], field == "n" and key[1])):
        row = [case, form(value)] + ([] if way else ["given strangers"])
        if way and "left_out" in lines[0]:
            row.append("left out")
        for alpha in ALPHAS:
            group = [
                line for line in lines
                if (line["case"], line[field], line.get("left_out", True), line["alpha"])
                == (case, value, way, alpha)
            ]  # fmt: skip
            cell = cell_of(group) if group else None
            row.append(f"{cell.false:.1%} / {_percent(cell.accepted)}" if cell else "")
        rows.append(row)
    head = ["set", title] + (["strangers"] if "left_out" in lines[0] else [])
    head += [f"α = {alpha:g}: false / stored accepted" for alpha in ALPHAS]
    return _table(head, rows)


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.1%}" if 0 < share < 0.1 or 0.9 < share < 1 else f"{share:.0%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(folder: Path) -> str:
    """Return the picture of false accepts, as text."""
    from ..pictures import svg

    path = folder / "rates.jsonl"
    return svg(_draw(cells(_read(folder))), f"{zlib.crc32(path.read_bytes()):08x}")


def _draw(found: dict[Key, Cell]) -> Any:
    from hopfield.plots import COLOURS, INK, MARKERS, figure

    drawing = figure(height=5.2)
    drawing.set_figwidth(10)
    axes: Any = None
    for column, alpha in enumerate(ALPHAS, 1):
        axes = drawing.add_subplot(1, len(ALPHAS), column, sharey=axes)
        errors = [2 * cell.error for key, cell in found.items() if key[2] == alpha]
        axes.axvspan(alpha - max(errors), alpha + max(errors), color="0.9", lw=0)
        axes.axvline(alpha, color=INK, lw=1)
        for place, name in enumerate(SETS):
            shown = [(found[name, damage, alpha].false, y) for y, damage in enumerate(NAMES)
                     if (name, damage, alpha) in found]  # fmt: skip
            if shown:
                axes.plot(*zip(*shown, strict=True), MARKERS[place], color=COLOURS[place], ms=5,
                          label=name)  # fmt: skip
        axes.set_title(f"α = {alpha:g}", fontsize=9)
        axes.set_xlim(0, 2 * alpha)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelleft=column == 1)
    axes.set_yticks(range(len(NAMES)), NAMES, fontsize=8)
    axes.set_ylim(len(NAMES) - 0.5, -0.5)
    drawing.supxlabel("share of strangers accepted", fontsize=9)
    drawing.legend(*axes.get_legend_handles_labels(), ncols=len(SETS), loc="outside upper center",
                   fontsize=8, frameon=False)  # fmt: skip
    return drawing
