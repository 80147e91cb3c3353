"""`hopfield demo` and `hopfield info`: data sets in, a page and lines of text out."""

import json
import time
from collections.abc import Sequence
from typing import Any

from .. import data, plots, report
from ..errors import HopfieldError
from ..experiments import claims, demo, records
from ..experiments.headlines import headline
from ..experiments.runner import one_thread, progress
from ..files import write_whole
from .console import prepared, print_row, whole_seed


def demonstrate(out: str, data_set: str, seed: str, *, as_json: bool) -> None:
    """Measure what two documents claim, write the page about it, and tell of it as it goes.

    Args:
        out: folder to write to.
        data_set: name or path.
        seed: a whole number, as typed.
        as_json: print one JSON object instead of text.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    number = whole_seed(seed)
    plots.figure()  # says at once, not after the work, that matplotlib is missing
    dataset = demo.check(_load(data_set, "--data"))
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


def describe(name_or_path: str, *, as_json: bool) -> None:
    """Say what a data set holds, in lines or as one JSON object."""
    dataset = _load(name_or_path, "NAME_OR_PATH")
    if not as_json:
        print(dataset)
        return
    facts = {
        "name": dataset.name,
        "patterns": len(dataset.patterns),
        "shape": list(dataset.shape),
        "split": dataset.split,
        "labels": None if dataset.labels is None else len(dataset.labels.unique()),
        "source": dataset.source,
    }
    print(json.dumps(facts, ensure_ascii=False))


def _load(name: str, option: str) -> data.Dataset:
    """The data set; errors speak of the option, not of a Python argument."""
    if not name:
        raise HopfieldError(f"{option} must be a name or a path, but is empty. Try digits.")
    try:
        return data.load(name)
    except HopfieldError as error:
        raise HopfieldError(str(error).replace("name_or_path", option)) from None


def _measure(dataset: data.Dataset, seed: int, *, quiet: bool) -> list[records.Record]:
    """All records, each step told as it starts (standard error) and as it ends (output)."""
    with one_thread():
        lines: list[records.Record] = []
        steps = demo.plan(seed)
        for i, step in enumerate(steps, 1):
            progress(f"[{i:2}/{len(steps)}] {step.title} …")
            made = list(step.run(dataset))
            lines += made
            progress("")
            if not quiet:
                print_row(step.title, headline(made))
        return lines


def _print_verdicts(verdicts: Sequence[dict[str, Any]]) -> None:
    """The claims, one row each."""
    print()
    for row in verdicts:
        print_row(row["verdict"], row["case"])
    print()
