"""`hopfield demo`: a data set in, a page and lines of text out."""

import json
import time

from hopfield import data, plots
from hopfield.experiments import Record, records, show_progress, single_thread
from hopfield_play import build

from . import claims, report, steps
from .console import COLUMN, make_folder, parse_seed, print_row, write_page


def demonstrate(dataset: data.Dataset, out: str, seed: str, *, as_json: bool) -> None:
    """Measure what two documents claim, and write the page about it.

    Args:
        dataset: images.
        out: folder to write to.
        seed: a whole number, as typed.
        as_json: print one JSON object instead of text.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    number = parse_seed(seed)
    plots.figure()  # reports before the work, not after it, that matplotlib is missing
    steps.check(dataset)
    folder = make_folder(out)
    start = time.perf_counter()
    lines = _measure(dataset, number)
    seconds = time.perf_counter() - start
    head = records.header(data=dataset.name, seed=number, seconds=round(seconds, 1))
    verdicts = claims.judge(lines)
    names = {"records": "records.jsonl", "playground": "playground.html", "page": "index.html"}
    files = {kind: folder / name for kind, name in names.items()}
    records.write(files["records"], head, [*lines, *verdicts])
    write_page(files["playground"], build.page())
    write_page(files["page"], report.page(head, lines, names["playground"]))
    if as_json:
        paths = {name: str(path) for name, path in files.items()}
        print(json.dumps({**head, **paths, "claims": verdicts}, ensure_ascii=False))
        return
    for row in verdicts:
        print_row(row["verdict"], f"{row['case']} {row['measured']}")
    print()
    for name, path in files.items():
        print(f"{name:<{COLUMN}}{path}")


def _measure(dataset: data.Dataset, seed: int) -> list[Record]:
    lines: list[Record] = []
    plan = steps.plan(seed)
    with single_thread():
        for i, step in enumerate(plan, 1):
            show_progress(f"[{i:2}/{len(plan)}] {step.title} …")
            lines += step.run(dataset)
    show_progress("")
    return lines
