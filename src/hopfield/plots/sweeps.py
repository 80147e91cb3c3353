"""Records of a sweep as curves, and as the table of a phase diagram."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from ..checks import check_choice
from ..errors import DataError
from .charts import drawn
from .theory import comparison, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]

AXES = {"n": "patterns n", "load": "load n/N", "units": "units N", "damage": "damage",
        "temperature": "temperature T", "beta": "inverse temperature β",
        "case_beta": "inverse temperature β", "alpha": "α", "degree": "degree d",
        "dim": "dimension d", "queries": "queries"}  # fmt: skip
"""Fields that can be swept, and their labels on an axis."""
SYMBOLS = {"units": "N", "temperature": "T", "beta": "β", "case_beta": "β", "alpha": "α",
           "degree": "d", "dim": "d"}  # fmt: skip
DERIVED_FIELDS = ("load",)
"""Fields that follow from others. They are an x axis only on request."""
MAIN_RESULTS = {"recall": "recalled", "capacity": "n", "thermal": "overlap", "metastable": "k",
         "attractor_census": "stored", "speed": "best_ms"}  # fmt: skip
"""Main result of an experiment; of others, the first result with a deviation."""
VALUES = {"recalled": "share recalled", "n": "capacity n", "overlap": "overlap m", "stored":
          "share of ends: stored", "k": "k, weights that sum to .9", "best_ms": "time (ms)",
          "median_ms": "time (ms)", "accuracy": "share of entries right",
          "exact": "share exact", "right": "share with the right pattern"}  # fmt: skip
LOG_RATIO = 50
"""Ratio of largest to smallest x from which an axis is logarithmic."""


@drawn
def curves(
    records: Sequence[Record],
    ax: "Axes | None" = None,
    *,
    x: str = "",
    y: str = "",
    theory: Sequence[tuple[str, Sequence[float], Sequence[float]]] = (),
) -> "Axes":
    """Draw a sweep as curves with standard errors, one per case, together with theory.

    A second swept field makes a curve for each of its values; several seeds make one point.

    Args:
        records: of one experiment, such as `run` returns them.
        ax: axes to draw on.
        x: the field to draw over; "" is the one with most values.
        y: the result to draw; "" is the main result of the experiment.
        theory: (name, x, y) of each line of theory; where its name contains that of a case,
            it has the colour of the case.

    Raises:
        DataError: where no field was swept.
        OptionError: for a field that the records do not have.
    """
    result = _result(records, y)
    fields = swept_fields(records, result)
    place = check_choice("x", x, _numbers(records)) if x else _first(fields)
    others = [name for name in fields if name != place and place not in DERIVED_FIELDS]
    lines = [_curve(name, group, place, result) for name, group in _cases(records, others).items()]
    values = [value for line in lines for value in line["x"]]
    log = "x" if min(values) > 0 and max(values) / min(values) > LOG_RATIO else ""
    lines += [series(*line, kind="theory") for line in theory]
    labels = (AXES.get(place, place), VALUES.get(result, result))
    return comparison(lines, labels, ax, log=log)


@drawn
def table(
    records: Sequence[Record], *, x: str = "", y: str = "", value: str = ""
) -> tuple[list[float], list[float], list[list[float]], tuple[str, str, str]]:
    """Return settings, means and labels of a sweep over two fields: `phases(*table(records))`.

    Args:
        records: of one experiment and one case, with every pair of settings.
        x: the field along the first axis; "" is the one with most values.
        y: the field along the second; "" is the next.
        value: the result; "" is the main result of the experiment.

    Raises:
        DataError: where fewer than two fields were swept, or pairs of settings are missing.
        OptionError: for a field that the records do not have.
    """
    result = _result(records, value)
    fields = swept_fields(records, result)
    first = check_choice("x", x, _numbers(records)) if x else _first(fields)
    second = check_choice("y", y, _numbers(records)) if y else _first(fields, besides=first)
    columns, rows = (sorted({line[name] for line in records}) for name in (first, second))
    values: dict[tuple[float, float], list[float]] = defaultdict(list)
    for line in records:
        values[line[first], line[second]].append(float(line[result]))
    missing = [(a, b) for b in rows for a in columns if (a, b) not in values]
    if missing:
        raise DataError(
            f"records must have every pair of {first} and {second}, but {len(missing)} are missing,"
            f" such as {first}={missing[0][0]}, {second}={missing[0][1]}. Sweep both together."
        )
    means = [[fmean(values[a, b]) for a in columns] for b in rows]
    labels = (AXES.get(first, first), AXES.get(second, second), VALUES.get(result, result))
    return columns, rows, means, labels


def swept_fields(records: Sequence[Record], result: str) -> list[str]:
    """Return the fields of which the records have several values, most values first."""
    parameters, swept = _parameters(records)
    names = [*(name for name in AXES if name not in parameters), *swept]
    counts = {name: len({line.get(name) for line in records}) for name in names
              if name not in (result, *DERIVED_FIELDS)
              and isinstance(records[0].get(name), (int, float))}  # fmt: skip
    return [name for name in sorted(counts, key=lambda field: -counts[field]) if counts[name] > 1]


def main_result(records: Sequence[Record]) -> str | None:
    """Return the main result of the experiment of these records."""
    usual = MAIN_RESULTS.get(records[0]["experiment"])
    if usual in records[0]:
        return usual
    return next((key for key in records[0] if f"{key}_sd" in records[0]), None)


def mean_and_error(records: Sequence[Record], result: str) -> tuple[float, float]:
    """Return mean and standard error of several records, or of one from its draws."""
    values = [float(line[result]) for line in records]
    if len(values) > 1:
        return fmean(values), stdev(values) / math.sqrt(len(values))
    line = records[0]
    return values[0], line.get(f"{result}_sd", 0.0) / math.sqrt(line.get("samples", 1))


def _curve(name: str, group: Sequence[Record], x: str, y: str) -> dict[str, Any]:
    places = sorted({line[x] for line in group if line.get(x) is not None})
    at = [mean_and_error([line for line in group if line[x] == place], y) for place in places]
    return series(name, places, [mean for mean, _ in at], [error for _, error in at])


def _cases(records: Sequence[Record], others: Sequence[str]) -> dict[str, list[Record]]:
    cases: dict[str, list[Record]] = defaultdict(list)
    _, swept = _parameters(records)
    for line in records:
        settings = [f"{SYMBOLS.get(name, name)} = {line[name]:g}" for name in others]
        settings += [f"{name} = {line.get(name)}" for name in swept
                     if not isinstance(line.get(name), (int, float))]  # fmt: skip
        cases[", ".join([str(line.get("case")), *settings])].append(line)
    return cases


def _result(records: Sequence[Record], name: str) -> str:
    if not records:
        raise DataError("records must hold at least one, but the list is empty.")
    names = {line["experiment"] for line in records}
    if len(names) > 1:
        raise DataError(
            f"records must be of one experiment, but are of {', '.join(sorted(names))}. "
            "Draw one after the other, or all with sheet."
        )
    if name:
        return check_choice("y", name, _numbers(records))
    if (usual := main_result(records)) is None:
        raise DataError(f"{names.pop()} has no main result. Name one: y=…")
    return usual


def _parameters(records: Sequence[Record]) -> tuple[list[str], list[str]]:
    # Those of the setups, and those with several values in setups of one name.
    names = list(dict.fromkeys(name for line in records for name in line.get("parameters", ())))
    cases: dict[tuple[Any, str], set[Any]] = defaultdict(set)
    for line in records:
        for name in names:
            cases[line.get("case"), name].add(line.get(name))
    several = {name for (_, name), values in cases.items() if len(values) > 1}
    return names, [name for name in names if name in several]


def _numbers(records: Sequence[Record]) -> list[str]:
    return [key for key, value in records[0].items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)]  # fmt: skip


def _first(fields: Sequence[str], besides: str = "") -> str:
    if others := [name for name in fields if name != besides]:
        return others[0]
    raise DataError(
        f"records must hold {'two swept fields' if besides else 'a swept field'}, but hold "
        f"{besides or 'none'}. Sweep {'another' if besides else 'one'} of the config, such as n."
    )
