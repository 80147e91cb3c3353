"""Records of a run → one self-contained page.

Every caption, number and verdict is made from the records. The page needs no other file, no
request and no script.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from html import escape

from hopfield.experiments.records import MissingRecordError, Record, find

from ..claims import FAILS, HOLDS, PARTLY, UNKNOWN, judge
from ..wording import number, size
from . import dynamics, networks, scratch
from .html import Section, document, theme, versions

KINDS = (
    (HOLDS, "holds", "hold"),
    (PARTLY, "partly", "hold partly"),
    (FAILS, "fails", "do not hold"),
    (UNKNOWN, "unknown", "not measured"),
)
"""Each verdict, its CSS class, and its plural."""

SECTIONS: tuple[Callable[[Sequence[Record]], Section], ...] = (
    networks.images,
    networks.classical,
    networks.dense,
    networks.modern,
    dynamics.sweep,
    dynamics.landscape,
    dynamics.numerics,
    scratch.section,
)


TOURS = {
    "classical": "several",
    "dense": "dense",
    "continuous": "grey",
    "beta": "sharp",
    "scratch": "units",
}
"""Sections, and the tour of the playground that shows the same."""


def page(head: Record, records: Sequence[Record], playground: str = "") -> str:
    """Return the whole page as HTML.

    Args:
        head: the header of the records.
        records: the records of a run; sections whose experiments are missing are left out.
        playground: file of the playground, to which the page then links.

    Raises:
        MissingExtraError: without matplotlib.
    """
    rows = judge(records)
    with theme():
        sections = [made for made in (_made(build, records) for build in SECTIONS) if made]
    for section in sections:
        if playground and section.anchor in TOURS:
            section.link("Try it in the playground.", f"{playground}#tour={TOURS[section.anchor]}")
    closing = Section("claims", "The claims, judged by this run")
    closing.say(
        "Each claim has a score and two thresholds, stated under what was measured. What cannot",
        "be judged on these images is not measured, for the reason given.",
    )
    closing.add(scratch.claims(rows))
    sections.append(closing)
    links = "".join(f'<li><a href="#{s.anchor}">{escape(s.title)}</a></li>' for s in sections)
    body = "".join(section.html() for section in sections)
    footer = versions(head)
    if "seed" in head:
        footer += f" Seed {head['seed']}."
    if "seconds" in head:
        footer += f" Measured in {head['seconds']:.0f} s."
    title = f"Hopfield networks on {head.get('data', 'records')}, measured"
    return document(title, _header(records, rows, links, playground), body, footer)


def _made(
    build: Callable[[Sequence[Record]], Section], records: Sequence[Record]
) -> Section | None:
    try:
        return build(records)
    except MissingRecordError:
        return None


def _header(records: Sequence[Record], rows: Sequence[Record], links: str, playground: str) -> str:
    counts = Counter(row["verdict"] for row in rows)
    tally = "".join(
        f'<li><span class="verdict {kind}"><b>{counts[verdict]}</b> '
        f"{verdict if counts[verdict] == 1 else plural}</span></li>"
        for verdict, kind, plural in KINDS
        if counts[verdict]
    )
    try:
        table = networks.summary(records)
    except MissingRecordError:
        table = ""
    play = (
        f'<p>Play with the three networks: <a href="{escape(playground)}">the playground</a>.</p>'
        if playground
        else ""
    )
    return (
        f'<p class="lead">{escape(_lead(records, len(rows)))}</p>'
        f'<ul class="tally">{tally}</ul>'
        f'<nav aria-label="Contents"><ol>{links}</ol></nav>{play}{table}'
    )


def _lead(records: Sequence[Record], claims: int) -> str:
    try:
        line = find(records, "images")
        what = f"{number(line['images'])} images of {size(line)}"
    except MissingRecordError:
        what = "patterns"
    return (
        "Two introductions to associative memories, a walkthrough and an implementation from "
        f"scratch: their experiments, run again on {what}. Every number comes from this run, and "
        f"{claims} claims of the two documents are judged by it:"
    )
