"""Published results, reproduced: nine, and three more on the same building blocks.

`tasks` says what to run; `judge` turns the records into checks, figures, curves and verdicts, all
of them flat records, so that pages and pictures can be drawn from the file alone.
"""

from collections.abc import Iterable, Sequence

from hopfield.checks import check_choice
from hopfield.experiments import Task
from hopfield.experiments.records import Record

from . import dense, documents, hebbian, modern, more, rules, sparse
from .base import CHANCE, Finding, Form, Result

__all__ = ["CHANCE", "NINE", "RESULTS", "Form", "Result", "chosen", "judge", "judge_all", "tasks"]

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
"""The results that every run must reproduce."""
RESULTS: tuple[Result, ...] = (*NINE, more.EXPONENT, more.MIXTURES, hebbian.TEMPERATURE)
"""Those, and three more from the literature."""


def chosen(names: Iterable[str]) -> list[Result]:
    """The results of these names, in their order; all for none.

    Raises:
        OptionError: for a name that is none of them.
    """
    known = [result.name for result in RESULTS]
    wanted = [check_choice("NAME", name, known) for name in names]
    return [result for result in RESULTS if not wanted or result.name in wanted]


def tasks(results: Iterable[Result], form: Form) -> list[Task]:
    """What to run for these results; every record says which result it is for."""
    return [
        Task(task.experiment, task.config, task.setup, {"result": result.name})
        for result in results
        for task in result.tasks(form)
    ]


def judge_all(records: Sequence[Record], form: Form) -> list[Record]:
    """`judge`, for all results of which the records hold every task of this form."""
    lines: list[Record] = []
    done = {line["task"] for line in records if "task" in line}
    for result in RESULTS:
        mine = {task.identity for task in tasks([result], form)}
        if mine <= done:
            lines += judge([result], [line for line in records if line.get("task") in mine])
    return lines


def judge(results: Iterable[Result], records: Sequence[Record]) -> list[Record]:
    """Of each result its checks, figures and curves, then its verdict."""
    lines: list[Record] = []
    for number, result in enumerate(RESULTS, 1):
        if result in results:
            mine = [line for line in records if line.get("result") == result.name]
            lines += _lines(number, result, result.judge(mine))
    return lines


def _lines(number: int, result: Result, finding: Finding) -> list[Record]:
    """A finding as flat records."""
    same = {"result": result.name}
    lines: list[Record] = []
    for check in finding.checks:
        bounds = {name: _finite(value) for name, value in check._asdict().items()}
        lines.append({**same, "experiment": "check", **bounds, "holds": check.holds})
    lines += [{**same, "experiment": "figure", **each._asdict()} for each in finding.figures]
    for each in finding.series:
        theory = each.error is None and ("theory" in each.name or "bound" in each.name)
        kind = "theory" if theory else "published" if "published" in each.name else "measured"
        lines.append({**same, "experiment": "series", "kind": kind, **_short(each._asdict())})
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
    """JSON has no infinity: an interval without an end has None there."""
    return None if value in (float("inf"), float("-inf")) else value


def _short(series: dict[str, object]) -> dict[str, object]:
    """Curves to six digits, as a picture needs."""
    return {
        name: [float(f"{value:.6g}") for value in values]
        if isinstance(values, (list, tuple, range))
        else values
        for name, values in series.items()
    }
