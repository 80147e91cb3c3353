"""`hopfield reproduce`: published results, measured and judged."""

import json
from collections.abc import Sequence
from pathlib import Path

from hopfield import data, plots
from hopfield.experiments import Record, records, run

from . import published
from .console import COLUMN, make_folder, parse_processes, parse_seed, print_row, write_page
from .report.published import interval, page

FAILED = 1
"""Exit status where a result does not hold."""


def reproduce(
    names: Sequence[str], full: bool, out: str, seed: str, processes: str, *, as_json: bool
) -> int:
    """Measure and judge results, and write records and page.

    Args:
        names: names of results; none stands for all.
        full: many draws and large sizes.
        out: folder to write to.
        seed: a whole number, as typed.
        processes: processes at work at the same time, as typed; "" is one per core.
        as_json: print one JSON object instead of text.

    Returns:
        The exit status.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    images = "mnist" if data.is_on_disk("mnist", "test") else "digits"
    form = published.Form(full, parse_seed(seed), images)
    count = parse_processes(processes)
    results = published.select(names)
    plots.figure()  # reports before the work, not after it, that matplotlib is missing
    folder = make_folder(out)
    files = {"records": folder / "records.jsonl", "page": folder / "index.html"}
    facts = {"data": form.images, "seed": form.seed, "form": "full" if full else "quick",
             "chance": published.CHANCE}  # fmt: skip
    run(published.tasks(results, form), files["records"], processes=count, facts=facts)
    head, measured = records.read(files["records"])  # those of earlier runs too
    judged = published.judge_all(measured, form)
    records.write(files["records"], head, [*measured, *judged])
    write_page(files["page"], page(head, judged))
    chosen = {result.name for result in results}
    judged = [line for line in judged if line["result"] in chosen]
    verdicts = records.select(judged, "verdict")
    if as_json:
        paths = {name: str(path) for name, path in files.items()}
        print(json.dumps({**head, **paths, "results": verdicts}, ensure_ascii=False))
    else:
        _print(verdicts, judged, files)
    return 0 if all(verdict["holds"] for verdict in verdicts) else FAILED


def _print(verdicts: Sequence[Record], judged: Sequence[Record], files: dict[str, Path]) -> None:
    for verdict in verdicts:
        name = verdict["result"]
        print_row(f"{'holds' if verdict['holds'] else 'FAILS'} {name}", verdict["title"])
        for check in judged:
            if check["result"] == name and check["experiment"] == "check" and not check["holds"]:
                allowed = interval(check)
                print_row("", f"{check['what']}: {check['measured']:.6g}, allowed {allowed}")
    for name, path in files.items():
        print(f"{name:<{COLUMN}}{path}")
    hold = sum(verdict["holds"] for verdict in verdicts)
    print(f"{hold} of {len(verdicts)} results hold.")
