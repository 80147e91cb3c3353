"""Records of `hopfield reproduce` → one self-contained page."""

from collections.abc import Sequence
from html import escape
from typing import Any

from hopfield import plots
from hopfield.experiments.records import Record, select

from ..wording import number
from .html import Section, document, drawing, table_of_rows, theme, versions

MARKS = {True: ("holds", "✓ holds"), False: ("fails", "✗ fails")}


def page(head: Record, records: Sequence[Record]) -> str:
    """Return the whole page as HTML.

    Args:
        head: the header of the records.
        records: those of a run, with the checks, figures, series and verdicts.

    Raises:
        MissingExtraError: without matplotlib.
        MissingRecordError: where no result was judged.
    """
    verdicts = select(records, "verdict")
    with theme():
        sections = "".join(_section(verdict, records).html() for verdict in verdicts)
    header = _lead(head, verdicts) + _overview(verdicts)
    footer = f"{versions(head)} The {escape(head['form'])} form, seed {head['seed']}."
    return document("Published results, reproduced", header, sections, footer)


def _lead(head: Record, verdicts: Sequence[Record]) -> str:
    hold = sum(verdict["holds"] for verdict in verdicts)
    sentences = [
        f"{hold} of {len(verdicts)} results hold in this run. Theory is drawn beside what was "
        "measured; error bars are standard errors. Each check is an interval whose width comes "
        "from theory or from the sampling error of the draws: by chance alone a right library "
        f"leaves one of them with a probability of {number(head['chance'])}."
    ]
    if head.get("data") == "mnist":
        sentences.append("The walkthrough and metastable states ran on the MNIST test images.")
    if head.get("data") == "digits":
        sentences.append(
            "No MNIST was found here, so the walkthrough and metastable states ran on the digits "
            "that come with scikit-learn, the walkthrough with expectations of its own instead of "
            "the published numbers."
        )
    return "".join(f"<p>{escape(each)}</p>" for each in sentences)


def _overview(verdicts: Sequence[Record]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{verdict["number"]}. <a href="#{verdict["result"]}">'
        f"{escape(verdict['title'])}</a></th>"
        f'<td class="verdict {MARKS[verdict["holds"]][0]}">{MARKS[verdict["holds"]][1]}</td>'
        f'<td class="figure" data-label="checks">{verdict["holding"]} of {verdict["checks"]}</td>'
        f'<td data-label="source">{escape(verdict["source"])}</td></tr>'
        for verdict in verdicts
    )
    return table_of_rows(("result", "verdict", "checks that hold", "source"), rows)


def _section(verdict: Record, records: Sequence[Record]) -> Section:
    name = verdict["result"]
    section = Section(name, f"{verdict['number']}. {verdict['title']}")
    section.say(verdict["claim"])
    section.add(
        f"<p>{escape(verdict['source'])}. Alone: <code>hopfield reproduce {name}</code></p>"
    )
    section.show(*(drawing(draw(each, records), each["caption"])
                   for each in select(records, "figure", result=name)))  # fmt: skip
    checks = select(records, "check", result=name)
    failed = sum(not check["holds"] for check in checks)
    summary = (
        f"{len(checks)} checks, {'all of which hold' if not failed else f'{failed} of which fail'}"
    )
    rows = "".join(_check(check) for check in checks)
    table = table_of_rows(("checked", "verdict", "measured", "expected", "allowed", "why"), rows)
    opened = " open" if failed else ""
    section.add(f"<details{opened}><summary>{escape(summary)}</summary>{table}</details>")
    return section


def draw(figure: Record, records: Sequence[Record]) -> Any:
    """Draw one figure and return its axes."""
    series = select(records, "series", result=figure["result"], figure=figure["name"])
    return plots.comparison(series, (figure["x"], figure["y"]), log=figure["log"])


def _check(check: Record) -> str:
    kind, mark = MARKS[check["holds"]]
    figures = (
        ("measured", value(check["measured"])),
        ("expected", value(check["expected"])),
        ("allowed", interval(check)),
    )
    cells = "".join(
        f'<td class="figure" data-label="{name}">{escape(text)}</td>' for name, text in figures
    )
    return (
        f'<tr><th scope="row">{escape(check["what"])}</th><td class="verdict {kind}">{mark}</td>'
        f'{cells}<td data-label="why">{escape(check["reason"])}.</td></tr>'
    )


def value(figure: "float | None") -> str:
    """Return a number of a check, to five digits."""
    if figure is None:
        return "—"
    if (figure == int(figure) and abs(figure) < 1e6) or abs(figure) < 1e-3:
        return number(figure)
    return f"{figure:.5g}".replace("-", "−")


def interval(check: Record) -> str:
    """Return the interval of a check in words."""
    low, high = check["low"], check["high"]
    if low is None:
        return f"≤ {value(high)}"
    if high is None:
        return f"≥ {value(low)}"
    if low == high:
        return f"= {value(low)}"
    if value(low) == value(high):
        return f"{value((low + high) / 2)} ± {number((high - low) / 2)}"
    return f"{value(low)} … {value(high)}"
