"""`hopfield demo`: a data set in, a page and lines of text out."""

import json
import time
from collections.abc import Sequence
from typing import Any

from hopfield import data, plots
from hopfield.experiments import records, show_progress, single_thread
from hopfield.files import write_whole

from . import claims, report, steps
from .console import prepared, print_row, whole_seed
from .headlines import headline


def demonstrate(dataset: data.Dataset, out: str, seed: str, *, as_json: bool) -> None:
    """Measure what two documents claim, write the page about it, and tell of it as it goes.

    Args:
        dataset: images.
        out: folder to write to.
        seed: a whole number, as typed.
        as_json: print one JSON object instead of text.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    number = whole_seed(seed)
    plots.figure()  # says at once, not after the work, that matplotlib is missing
    steps.check(dataset)
    folder = prepared(out)
    start = time.perf_counter()
    lines = _measure(dataset, number, quiet=as_json)
    seconds = time.perf_counter() - start
    head = records.header(data=dataset.name, seed=number, seconds=round(seconds, 1))
    verdicts = claims.judge(lines)
    files = {"records": folder / "records.jsonl", "page": folder / "index.html"}
    records.write(files["records"], head, [*lines, *verdicts])
    write_whole(files["page"], report.page(head, lines).encode())
    if as_json:
        named = {name: str(path) for name, path in files.items()}
        print(json.dumps({**head, **named, "claims": verdicts}, ensure_ascii=False))
        return
    _print_verdicts(verdicts)
    for name, path in files.items():
        print(f"{name:<10}{path}")


def _measure(dataset: data.Dataset, seed: int, *, quiet: bool) -> list[records.Record]:
    """All records, each step told as it starts (standard error) and as it ends (output)."""
    with single_thread():
        lines: list[records.Record] = []
        planned = steps.plan(seed)
        for i, step in enumerate(planned, 1):
            show_progress(f"[{i:2}/{len(planned)}] {step.title} …")
            made = list(step.run(dataset))
            lines += made
            show_progress("")
            if not quiet:
                print_row(step.title, headline(made))
        return lines


def _print_verdicts(verdicts: Sequence[dict[str, Any]]) -> None:
    """The claims, one row each."""
    print()
    for row in verdicts:
        print_row(row["verdict"], row["case"])
    print()
