"""Make the pages of docs/results from the records of `hopfield reproduce --full`.

    python docs/make_results.py

Reads docs/results/records.jsonl and seeds.jsonl. Judges what was measured anew, and writes one page
a result with its figures, README.md, the table of all, and index.html, all on one page. A test sees
to it that verdicts, pages and figures are what the measurements say.
"""

import zlib
from collections import Counter
from pathlib import Path

from hopfield.experiments import records
from hopfield.experiments.records import Record
from hopfield_studies import published
from hopfield_studies.report.html import theme
from hopfield_studies.report.published import draw, interval, page, value

FOLDER = Path(__file__).parent / "results"
MARK = {True: "✓ holds", False: "✗ fails"}


def pages(folder: Path = FOLDER) -> dict[str, str]:
    """Every page by its file name, as the records have it."""
    head, lines = records.read(folder / "records.jsonl")
    _, seeds = records.read(folder / "seeds.jsonl")
    verdicts = records.select(lines, "verdict")
    made = {f"{verdict['result']}.md": _page(verdict, head, lines) for verdict in verdicts}
    return {"README.md": _overview(head, lines, seeds), **made}


def figures(folder: Path = FOLDER) -> None:
    """Draw every figure beside its page."""
    _, lines = records.read(folder / "records.jsonl")
    with theme():
        for each in records.select(lines, "figure"):
            picture = draw(each, lines).figure
            made = {"Date": None, "Description": mark(each, lines)}
            picture.savefig(folder / _file(each), facecolor="white", metadata=made)


def mark(figure: Record, lines: list[Record]) -> str:
    """A checksum of what a figure draws, which its file carries."""
    series = records.select(lines, "series", result=figure["result"], figure=figure["name"])
    return f"series {zlib.crc32(repr((figure, series)).encode()):08x}"


def _file(figure: Record) -> str:
    return f"{figure['result']}-{figure['name']}.svg"


def _page(verdict: Record, head: Record, lines: list[Record]) -> str:
    """One result: verdict, figures, checks."""
    name = verdict["result"]
    parts = [
        f"# {verdict['number']}. {verdict['title']}",
        f"{verdict['claim']}",
        f"Source: {verdict['source']}.",
        f"{MARK[verdict['holds']]}: {verdict['holding']} of {verdict['checks']} checks, in the "
        f"{head['form']} form. Run it again: `hopfield reproduce {name} --{head['form']}`. "
        "[All results](README.md).",
    ]
    for each in records.select(lines, "figure", result=name):
        parts.append(f"![{_cell(each['caption'])}]({_file(each)})\n\n{each['caption']}")
    rows = [
        f"| {_cell(check['what'])} | {'✓' if check['holds'] else '✗'} | {value(check['measured'])} "
        f"| {value(check['expected'])} | {interval(check)} | {_cell(check['reason'])} |"
        for check in records.select(lines, "check", result=name)
    ]
    table = "\n".join(["| checked | | measured | expected | allowed | why |",
                       "|---|---|---|---|---|---|", *rows])  # fmt: skip
    parts += ["## Checks", table, "## Measurements", _measured(name, lines)]
    return "\n\n".join(parts) + "\n"


def _measured(name: str, lines: list[Record]) -> str:
    """What lies behind the checks, and where."""
    mine = [line for line in lines if line.get("result") == name and "task" in line]
    counts = Counter(line["experiment"] for line in mine)
    said = ", ".join(f"{count} of `{kind}`" for kind, count in counts.items())
    return (
        f"{len(mine)} records: {said}. They are the lines of [records.jsonl](records.jsonl) with "
        f'`"result": "{name}"`, each with its config, seed and result.'
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _overview(head: Record, lines: list[Record], seeds: list[Record]) -> str:
    """The table of all, and how often a right library fails."""
    verdicts = records.select(lines, "verdict")
    hold = sum(verdict["holds"] for verdict in verdicts)
    rows = [
        f"| {verdict['number']} | [{verdict['title']}]({verdict['result']}.md) "
        f"| {MARK[verdict['holds']]} | {verdict['holding']} of {verdict['checks']} "
        f"| {_closest(seeds, verdict['result'])} |"
        for verdict in verdicts
    ]
    added = sorted({line["result"] for line in lines if "code" in line})
    later = f" The lines of {', '.join(added)} were added later: each has its `code`." * bool(added)
    made = ", ".join(f"{name} {head[name]}" for name in ("hopfield", "torch", "numpy", "python"))
    where = {"mnist": "the MNIST test images", "digits": "the digits of scikit-learn"}
    return "\n\n".join([
        "# Published results, reproduced",
        f"{hold} of {len(verdicts)} results hold in the {head['form']} form of `hopfield "
        "reproduce`. Theory is drawn beside what was measured, error bars are standard errors, "
        "and every tolerance comes from theory or from the sampling error of the draws. The "
        f"walkthrough and metastable states were measured on {where[head['data']]}.",
        "\n".join(["| | result | verdict | checks that hold | closest of all seeds |",
                   "|---|---|---|---|---|", *rows]),
        "## How often a right library fails",
        *_chance(head, seeds),
        "## Made with",
        f"{made}; seed {head['seed']}.{later} `hopfield reproduce --full` made records.jsonl, "
        "`python tests/support/seeds.py` seeds.jsonl, `python docs/make_results.py` these pages of "
        "them; index.html, to be opened in a browser, has all on one.",
    ]) + "\n"  # fmt: skip


def _closest(seeds: list[Record], result: str) -> str:
    """How near to the edge of a tolerance any seed came."""
    return f"{max(line['closest'] for line in records.select(seeds, 'seed', result=result)):.2f}"


def _chance(head: Record, seeds: list[Record]) -> list[str]:
    """What theory says of failures by chance, and what the seeds do."""
    runs = len({line["seed"] for line in seeds})
    first = [line for line in seeds if line["seed"] == 0 and line["data"] == head["data"]]
    nine = {result.name for result in published.NINE}
    checks = sum(line["checks"] for line in first if line["result"] in nine)
    every = sum(line["checks"] for line in first)
    failed = sum(line["holding"] < line["checks"] for line in seeds)
    alone = 1 - 0.05 ** (1 / runs)
    return [
        "A check is either decided by a theorem, and then leaves no room but for rounding, or by "
        f"draws, and then is as wide as chance exceeds one time in {round(1 / head['chance'])}: "
        "by Student's distribution for means over draws, by the binomial one for counts of "
        f"failures. The {checks} checks of the first nine results in the quick form thus fail a "
        f"right library in {100 * checks * head['chance']:.1g} % of its runs at most, all {every} "
        f"in {100 * every * head['chance']:.2g} %. This takes means over some tens of draws to be "
        "normal, and what was published with an error bar to have been drawn alike.",
        f"The quick form was run with {runs} seeds, the walkthrough on MNIST and on digits: "
        f"{failed} of {len(seeds)} results failed. By themselves {runs} runs without a failure "
        f"only say that fewer than {100 * alone:.0f} % fail (with a confidence of 95 %). They say "
        "more by how near they come: the last column above is the largest distance of any check "
        "of any seed from what was expected, in parts of its tolerance. The mean of 20 normal "
        "draws comes to half of it about once in a hundred times; 1 would be a failure. For "
        "result 2 it is a constant; for result 7 the bound on float32 is as published, and how "
        "near roundings come to it is seen in the seeds alone.",
    ]


def judged(folder: Path = FOLDER) -> tuple[Record, list[Record]]:
    """The header, and what was measured with the checks, figures and verdicts it gives."""
    head, lines = records.read(folder / "records.jsonl")
    measured = [line for line in lines if "task" in line]
    return head, [*measured, *published.judge(published.RESULTS, measured)]


if __name__ == "__main__":
    records.write(FOLDER / "records.jsonl", *judged())
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
    (FOLDER / "index.html").write_text(page(*records.read(FOLDER / "records.jsonl")), "utf-8")
    figures()
