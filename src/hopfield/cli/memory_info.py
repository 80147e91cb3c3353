"""The facts of a memory: its content, network, names, and pairs that are alike."""

import json
from collections.abc import Sequence
from typing import Any

from ..memories.io import load
from ..stores import Store
from .form import form_of
from .tables import LISTED, size_in_words, size_of

COMPARED = 5000
"""Most patterns that are compared in pairs, within seconds."""


def describe_memory(file: str, *, as_json: bool) -> None:
    """Print the facts of a memory, in lines or as one JSON object."""
    memory = load(file)
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
    print(json.dumps(facts, ensure_ascii=False) if as_json else _in_lines(facts, form.describe()))


def _count_values(store: Store) -> int | None:
    # Number of different values; None without values, or where all rows of a table must be read.
    if not len(store) or not (store.resident or len(store) <= COMPARED):
        return None
    if store.annotations is not None and store.annotations.labels is not None:
        return len(set(store.annotations.labels))
    values = [block.values for block in store.blocks(COMPARED) if block.values is not None]
    return len({str(value) for part in values for value in part.tolist()}) if values else None


def _in_lines(facts: dict[str, Any], description: str) -> str:
    gaps = ", with gaps" if facts["gaps"] else ""
    lines = [
        f"{facts['file']}: {facts['patterns']} {description}{gaps}",
        f"Network: {facts['network']}",
    ]
    if facts["columns"]:
        lines.append(f"Columns: {_listed(facts['columns'])}")
    if facts["table"]:
        lines.append(f"Kept with rows: {_listed(facts['table'])}")
    if facts["names"]:
        lines.append(f"Names: {_listed(facts['names'])}")
    if facts["values"] is not None:
        lines.append(f"Values: {facts['values']} different")
    if facts["duplicates"]:
        texts = [" = ".join(map(str, pair)) for pair in facts["duplicates"]]
        lines.append(f"Nearly the same: {_listed(texts)}")
    lines += [f"File: {size}"] if (size := size_in_words(facts["file"])) else []
    return "\n    ".join(lines)


def _listed(entries: Sequence[object]) -> str:
    more = f", … ({len(entries)})" if len(entries) > LISTED else ""
    return ", ".join(map(str, entries[:LISTED])) + more
