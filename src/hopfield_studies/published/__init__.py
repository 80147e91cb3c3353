"""Published results, reproduced: nine, and others on the same building blocks.

`tasks` returns what to run. `judge` turns the records into checks, figures, curves and verdicts:
flat records again, so that pages and pictures can be drawn from the file alone.
"""

from collections.abc import Iterable, Sequence

from hopfield.errors import OptionError
from hopfield.experiments import Record, Task

from . import (
    correlated,
    dense,
    documents,
    graded,
    hebbian,
    kernels,
    metastable,
    modern,
    more,
    pairs,
    perceptrons,
    rules,
    sequences,
    sparse,
)
from .base import CHANCE, Finding, Form, Result

__all__ = ["CHANCE", "NINE", "RESULTS", "Form", "Result", "judge", "judge_all", "select", "tasks"]

NINE: tuple[Result, ...] = (
    hebbian.CURVE,
    modern.MODERN,
    sparse.SPARSE,
    dense.DENSE,
    dense.EXPONENTIAL_CAPACITY,
    rules.RULE_COMPARISON,
    modern.ATTENTION,
    documents.WALKTHROUGH,
    documents.SCRATCH,
)
"""Results with published numbers."""
RESULTS: tuple[Result, ...] = (
    *NINE,
    more.EXPONENT,
    more.MIXTURES,
    hebbian.TEMPERATURE,
    sequences.SEQUENCES,
    perceptrons.PERCEPTRONS,
    correlated.CORRELATED,
    pairs.BIDIRECTIONAL,
    graded.GRADED_UNITS,
    kernels.EPANECHNIKOV,
    kernels.MEAN_SHIFT,
    metastable.METASTABLE,
)
"""All results: `NINE`, and others from the literature."""


def select(names: Sequence[str]) -> list[Result]:
    """Return the results of these names, in the order of `RESULTS`; all of them for no name.

    Raises:
        OptionError: for an unknown name.
    """
    known = [result.name for result in RESULTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OptionError(f"NAME must be one of {', '.join(known)}, but is {unknown[0]!r}.")
    return [result for result in RESULTS if not names or result.name in names]


def tasks(results: Iterable[Result], form: Form) -> list[Task]:
    """Return the tasks of these results, each tagged with the name of its result."""
    return [
        Task(task.experiment, task.config, task.setup, {"result": result.name})
        for result in results
        for task in result.tasks(form)
    ]


def judge_all(records: Sequence[Record], form: Form) -> list[Record]:
    """Judge all results of which the records hold every task of this form."""
    lines: list[Record] = []
    done = {line["task"] for line in records if "task" in line}
    for result in RESULTS:
        own_lines = {task.identity for task in tasks([result], form)}
        if own_lines <= done:
            lines += judge([result], [line for line in records if line.get("task") in own_lines])
    return lines


def judge(results: Iterable[Result], records: Sequence[Record]) -> list[Record]:
    """Return checks, figures, curves and the verdict of each result."""
    lines: list[Record] = []
    for number, result in enumerate(RESULTS, 1):
        if result in results:
            own_lines = [line for line in records if line.get("result") == result.name]
            lines += _lines(number, result, result.judge(own_lines))
    return lines


def _lines(number: int, result: Result, finding: Finding) -> list[Record]:
    same = {"result": result.name}
    lines: list[Record] = []
    for check in finding.checks:
        bounds = {name: _finite(value) for name, value in check._asdict().items()}
        lines.append({**same, "experiment": "check", **bounds, "holds": check.holds})
    lines += [{**same, "experiment": "figure", **item._asdict()} for item in finding.figures]
    for item in finding.series:
        theory = item.error is None and ("theory" in item.name or "bound" in item.name)
        kind = "theory" if theory else "published" if "published" in item.name else "measured"
        lines.append({**same, "experiment": "series", "kind": kind, **_short(item._asdict())})
    verdict = {
        **same,
        "experiment": "verdict",
        "number": number,
        "title": result.title,
        "claim": result.claim,
        "source": result.source,
        "checks": len(finding.checks),
        "holding": sum(check.holds for check in finding.checks),
        "holds": all(check.holds for check in finding.checks),
    }
    return [*lines, verdict]


def _finite(value: object) -> object:
    # JSON has no infinity: an open end of an interval is None.
    return None if value in (float("inf"), float("-inf")) else value


def _short(series: dict[str, object]) -> dict[str, object]:
    return {
        name: [float(f"{value:.6g}") for value in values]
        if isinstance(values, (list, tuple, range))
        else values
        for name, values in series.items()
    }
