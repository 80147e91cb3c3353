"""`hopfield info`: the facts of a memory file or a data set."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from .. import data
from ..errors import HopfieldError
from ..memories.io import load as load_memory
from ..stores import Store
from ..stores.disk.paths import names_table
from .form import form_of
from .pictures import is_picture
from .reading import listed
from .tables import size_in_words, size_of

DATA_FILES = (".npy", ".npz", ".csv")

COMPARED = 5000
"""Most patterns that are compared in pairs, within seconds."""

MOST_VALUES = 100_000
"""Most different values that are counted; more would fill the memory."""


def describe(name_or_path: str, *, as_json: bool) -> None:
    """Print the facts of a memory file or a data set, in lines or as one JSON object."""
    path = Path(name_or_path)
    is_file = path.is_file() and not is_picture(path) and path.suffix.lower() not in DATA_FILES
    if is_file or names_table(name_or_path):
        _describe_memory(name_or_path, as_json=as_json)
        return
    dataset = load(name_or_path, "NAME_OR_PATH")
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


def load(name: str, option: str) -> data.Dataset:
    """Load a data set; errors name the option instead of a Python argument."""
    if not name:
        raise HopfieldError(f"{option} must be a name or a path, but is empty. Try digits.")
    try:
        return data.load(name)
    except HopfieldError as error:
        text = re.sub(r" Use split=.*", "", str(error).replace("name_or_path", option))
        text = re.sub(r"Give size=.*", "Bring them to one size first.", text)  # no options here
        raise HopfieldError(text) from None


def _describe_memory(file: str, *, as_json: bool) -> None:
    """Print the facts of a memory, in lines or as one JSON object."""
    memory = load_memory(file)
    form = form_of(memory, file)
    facts: dict[str, Any] = {
        "file": file,
        "bytes": size_of(file)[0],
        "patterns": len(memory),
        "kind": form.kind,
        "shape": list(form.shape),
        "columns": list(form.columns),
        "network": repr(memory).split(" <")[0],
        "names": memory.names,
        "values": _count_values(memory.storage),
        "table": list(memory.storage.annotations.table) if memory.storage.annotations else [],
        "gaps": bool(len(memory) and memory.storage.has_gaps),
    }
    is_compared = 1 < len(memory) <= COMPARED and not facts["gaps"]
    facts["duplicates"] = [list(pair) for pair in memory.duplicates()] if is_compared else None
    text = _in_lines(facts, form.describe(len(memory)))
    print(json.dumps(facts, ensure_ascii=False) if as_json else text)


def _count_values(store: Store) -> int | str | None:
    # Number of different values, or that they are many; None without values. Rows are not read.
    values: Iterable[object] = ()
    if store.annotations is not None and store.annotations.labels is not None:
        values = store.annotations.labels
    elif len(store) and store.empty_values() is not None:
        parts = torch.arange(len(store)).split(COMPARED)
        values = (str(value) for part in parts for value in store.take_values(part).tolist())
    different: set[object] = set()
    for value in values:
        different.add(value)
        if len(different) > MOST_VALUES:
            return f"more than {MOST_VALUES}"
    return len(different) or None


def _in_lines(facts: dict[str, Any], description: str) -> str:
    gaps = ", with gaps" if facts["gaps"] else ""
    lines = [
        f"{facts['file']}: {facts['patterns']} {description}{gaps}",
        f"Network: {facts['network']}",
    ]
    if facts["columns"]:
        lines.append(f"Columns: {listed(facts['columns'])}")
    if facts["table"]:
        lines.append(f"Kept with rows: {listed(facts['table'])}")
    if facts["names"]:
        lines.append(f"Names: {listed(facts['names'])}")
    if facts["values"] is not None:
        lines.append(f"Values: {facts['values']} different")
    if facts["duplicates"]:
        texts = [" = ".join(map(str, pair)) for pair in facts["duplicates"]]
        lines.append(f"Nearly the same: {listed(texts)}")
    lines += [f"File: {size}"] if (size := size_in_words(facts["file"])) else []
    return "\n    ".join(lines)
