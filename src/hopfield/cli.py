"""What the commands do: data sets in, a page and lines of text out. hopfield_cli parses them."""

import json
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from . import data, plots, report
from .errors import HopfieldError, say
from .experiments import claims, demo, records
from .experiments.headlines import headline
from .experiments.wording import bound
from .files import write_whole

SEEDS = 2**31 - 1
"""The largest seed."""


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
    number = _seed(seed)
    plots.figure()  # says at once, not after the work, that matplotlib is missing
    dataset = demo.check(_load(data_set, "--data"))
    folder = _prepared(out)
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


def _seed(typed: str) -> int:
    """The seed as a number."""
    try:
        seed = int(typed)
    except ValueError:
        seed = -1
    if not 0 <= seed <= SEEDS:
        raise HopfieldError(
            f"--seed must be a whole number from 0 to {SEEDS}, but is {say(typed)}. "
            "Choose one, or leave --seed out."
        )
    return seed


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


def _prepared(out: str) -> Path:
    """The folder, made if missing, and sure to be one that can be written to."""
    if not out:
        raise HopfieldError("--out must be a folder, but is empty. For this one say --out .")
    return _writable(Path(out))


def _writable(out: Path) -> Path:
    """The folder, made if missing, in which a file could be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except FileExistsError:
        raise HopfieldError(f"--out must be a folder, but {out} is a file.") from None
    except OSError as error:
        raise HopfieldError(
            f"--out must be a folder that can be written to, but {out} is not: "
            f"{error.strerror or error}."
        ) from None


def _measure(dataset: data.Dataset, seed: int, *, quiet: bool) -> list[records.Record]:
    """All records, each step told as it starts (standard error) and as it ends (output)."""
    # One thread: sums come out alike on every machine, and small products gain nothing from more.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        lines: list[records.Record] = []
        steps = demo.plan(seed)
        for i, step in enumerate(steps, 1):
            _tell(f"[{i:2}/{len(steps)}] {step.title} …")
            made = list(step.run(dataset))
            lines += made
            _tell("")
            if not quiet:
                _print_row(step.title, headline(made))
        return lines
    finally:
        torch.set_num_threads(threads)


def _tell(progress: str) -> None:
    """What is being done, on standard error: one line that is overwritten on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)
    elif progress:
        print(progress, file=sys.stderr, flush=True)


def _print_row(first: str, second: str) -> None:
    """Two columns, the second wrapped to the terminal."""
    width = max(60, min(110, shutil.get_terminal_size().columns))
    indent = " " * 26
    text = textwrap.fill(bound(second), width, initial_indent=indent, subsequent_indent=indent)
    print(f"{first:<26}{text[len(indent) :]}", flush=True)


def _print_verdicts(verdicts: Sequence[dict[str, Any]]) -> None:
    """The claims, one row each."""
    print()
    for row in verdicts:
        _print_row(row["verdict"], row["case"])
    print()
