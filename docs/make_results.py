"""Make the pages of docs/results from the records of `hopfield reproduce --full`.

    python docs/make_results.py

Reads docs/results/records.jsonl and seeds.jsonl; writes one page a result with its figures, and
README.md, the table of all. A test sees to it that the pages are what the records say.
"""

from pathlib import Path

from hopfield.experiments import records
from hopfield.experiments.records import Record
from hopfield.report.html import theme
from hopfield.report.published import allowed, draw, value

FOLDER = Path(__file__).parent / "results"
MARK = {True: "✓ holds", False: "✗ fails"}


def pages(folder: Path = FOLDER) -> dict[str, str]:
    """Every page by its file name, as the records have it."""
    head, lines = records.read(folder / "records.jsonl")
    _, seeds = records.read(folder / "seeds.jsonl")
    verdicts = records.select(lines, "verdict")
    made = {f"{verdict['result']}.md": _page(verdict, head, lines) for verdict in verdicts}
    return {"README.md": _overview(head, verdicts, seeds), **made}


def figures(folder: Path = FOLDER) -> None:
    """Draw every figure beside its page."""
    _, lines = records.read(folder / "records.jsonl")
    with theme():
        for each in records.select(lines, "figure"):
            picture = draw(each, lines).figure
            picture.savefig(folder / _file(each), facecolor="white", metadata={"Date": None})


def _file(figure: Record) -> str:
    return f"{figure['result']}-{figure['name']}.svg"


def _page(verdict: Record, head: Record, lines: list[Record]) -> str:
    """One result: verdict, figures, checks."""
    name = verdict["result"]
    parts = [
        f"# {verdict['number']}. {verdict['title']}",
        f"{verdict['source']}.",
        f"{MARK[verdict['holds']]}: {verdict['holding']} of {verdict['checks']} checks, in the "
        f"{head['form']} form. Run it again: `hopfield reproduce {name} --{head['form']}`. "
        "[All results](README.md).",
    ]
    for each in records.select(lines, "figure", result=name):
        parts.append(f"![{_cell(each['caption'])}]({_file(each)})\n\n{each['caption']}")
    rows = [
        f"| {_cell(check['what'])} | {'✓' if check['holds'] else '✗'} | {value(check['measured'])} "
        f"| {value(check['expected'])} | {allowed(check)} | {_cell(check['reason'])} |"
        for check in records.select(lines, "check", result=name)
    ]
    table = "\n".join(["| checked | | measured | expected | allowed | why |",
                       "|---|---|---|---|---|---|", *rows])  # fmt: skip
    parts += ["## Checks", table]
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _overview(head: Record, verdicts: list[Record], seeds: list[Record]) -> str:
    """The table of all, and how often a right library fails."""
    hold = sum(verdict["holds"] for verdict in verdicts)
    rows = [
        f"| {verdict['number']} | [{verdict['title']}]({verdict['result']}.md) "
        f"| {MARK[verdict['holds']]} | {verdict['holding']} of {verdict['checks']} |"
        for verdict in verdicts
    ]
    runs = len({line["seed"] for line in seeds})
    failed = sum(line["holding"] < line["checks"] for line in seeds)
    checks = sum(line["checks"] for line in seeds)
    near = max(line["closest"] for line in seeds)
    made = ", ".join(f"{name} {head[name]}" for name in ("hopfield", "torch", "numpy", "python"))
    where = {"mnist": "the MNIST test images", "digits": "the digits of scikit-learn"}
    return "\n\n".join([
        "# Published results, reproduced",
        f"{hold} of {len(verdicts)} results hold in the {head['form']} form of `hopfield "
        "reproduce`. Theory is drawn beside what was measured, error bars are standard errors, "
        "and every tolerance comes from theory or from the sampling error of the draws. The "
        f"walkthrough was measured on {where[head['data']]}.",
        "\n".join(["| | result | verdict | checks that hold |", "|---|---|---|---|", *rows]),
        "## How often a right library fails",
        f"Chance alone takes a check out of its interval with a probability of {head['chance']:g} "
        f"at most. The quick form of the first nine results was run with {runs} seeds: {failed} of "
        f"{len(seeds)} results failed, {checks} checks in all. The closest came to {near:.2f} of "
        "its tolerance.",
        "## Made with",
        f"{made}; seed {head['seed']}. The pages are made by `python docs/make_results.py` from "
        "records.jsonl and seeds.jsonl in this folder, these by `hopfield reproduce --full` and "
        "`python tests/seeds.py`.",
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
    figures()
