"""`hopfield reproduce`: published results, measured and judged."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hopfield import data, plots
from hopfield.checks import say
from hopfield.errors import HopfieldError
from hopfield.experiments import records, run
from hopfield.files import write_whole

from . import published
from .console import prepared, print_row, whole_seed
from .report.published import allowed, page

FAILED = 1
"""Exit status where a result does not hold."""


def reproduce(
    names: Sequence[str], full: bool, out: str, seed: str, processes: str, *, as_json: bool
) -> int:
    """Run, judge, write records and page, say how many hold.

    Args:
        names: results; all for none.
        full: many draws and large sizes.
        out: folder to write to.
        seed: a whole number, as typed.
        processes: how many work at once, as typed; "" is one a core.
        as_json: print one JSON object instead of text.

    Returns:
        The exit status.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    form = published.Form(full, whole_seed(seed), _images())
    count = _workers(processes)
    results = published.chosen(names)
    plots.figure()  # says at once, not after the work, that matplotlib is missing
    folder = prepared(out)
    files = {"records": folder / "records.jsonl", "page": folder / "index.html"}
    facts = {
        "data": form.images,
        "seed": form.seed,
        "form": "full" if full else "quick",
        "chance": published.CHANCE,
    }
    tasks = published.tasks(results, form)
    run(tasks, files["records"], processes=count, facts=facts)
    head, kept = records.read(files["records"])  # those of earlier runs too
    judged = published.judge_all(kept, form)
    records.write(files["records"], head, [*kept, *judged])
    write_whole(files["page"], page(head, judged).encode())
    asked = {result.name for result in results}
    judged = [line for line in judged if line["result"] in asked]
    verdicts = [line for line in judged if line["experiment"] == "verdict"]
    if as_json:
        named = {name: str(path) for name, path in files.items()}
        print(json.dumps({**head, **named, "results": verdicts}, ensure_ascii=False))
    else:
        _print(verdicts, judged, files)
    return 0 if all(verdict["holds"] for verdict in verdicts) else FAILED


def _images() -> str:
    """The data set of the walkthrough: MNIST where it is at hand, else the digits."""
    return "mnist" if data.is_on_disk("mnist", "test") else "digits"


def _workers(typed: str) -> int:
    """How many processes."""
    if not typed:
        return os.cpu_count() or 1
    if not typed.isdecimal() or int(typed) < 1:
        raise HopfieldError(
            f"--processes must be a whole number from 1 on, but is {say(typed)}. "
            "Leave it out for one a core."
        )
    return int(typed)


def _print(
    verdicts: Sequence[dict[str, Any]], judged: Sequence[dict[str, Any]], files: dict[str, Path]
) -> None:
    """A row a result, each check that fails, the files, and how many hold."""
    for verdict in verdicts:
        print_row(
            f"{'holds' if verdict['holds'] else 'FAILS'} {verdict['result']}", verdict["title"]
        )
        failed = [
            line for line in judged
            if line["result"] == verdict["result"] and line["experiment"] == "check"
            and not line["holds"]
        ]  # fmt: skip
        for check in failed:
            print_row("", f"{check['what']}: {check['measured']:.6g}, allowed {allowed(check)}")
    for name, path in files.items():
        print(f"{name:<10}{path}")
    hold = sum(verdict["holds"] for verdict in verdicts)
    print(f"{hold} of {len(verdicts)} results hold.")
