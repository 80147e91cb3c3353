"""`hopfield impute`: a file with gaps in, the same file with the gaps filled out."""

import difflib
import json
import math
import sys
from pathlib import Path
from typing import Any

from ..checks import short_repr
from ..errors import HopfieldError
from ..files import write_whole
from .parquet_table import MAGIC, ParquetTable
from .progress import terminal_bar
from .text_columns import Column, FilledColumn, fill
from .text_table import TextTable

PARQUET, TEXT = (".parquet", ".pq"), (".csv", ".tsv", ".txt")
SHEETS = (".xlsx", ".xls", ".ods")
"""Endings by which other programs choose how to read a file."""

LONG_WORK = 10**6
"""Number of cells from which the work is announced where no terminal shows its progress."""


def impute(
    file: str, out: str, interval: str, categories: str, missing: str, *, as_json: bool
) -> None:
    """Fill the gaps of a file.

    Args:
        file: path of a file of text or of a Parquet file; "-" is standard input.
        out: path of the result; "-" or "" is standard output.
        interval: share of gaps that bounds are to contain, as text; "" writes no bounds.
        categories: names of columns, separated by commas.
        missing: further marks of missing cells, separated by commas.
        as_json: whether to print the summary as one JSON object.

    Raises:
        HopfieldError: where one of them cannot be used.
    """
    share, to_stdout = _share(interval), out in ("", "-")
    if as_json and to_stdout:
        raise HopfieldError("--json needs a file for the table. Add -o FILE.")
    target = Path(out)
    is_file = target.is_file() or not target.exists()
    if not to_stdout and not (is_file and target.parent.is_dir()):
        raise HopfieldError(f"--out must be a file in an existing folder, but is {out!r}.")
    content, table = _read(file)
    _check_ending(target, table)
    if isinstance(table, ParquetTable) and to_stdout and sys.stdout.isatty():
        raise HopfieldError("a Parquet file is no text for a terminal. Add -o FILE.")
    marks = {mark.lower() for mark in _items(missing)}
    columns = table.columns(_categories(categories, table), marks)
    rows = len(columns[0].missing)
    if rows * len(columns) >= LONG_WORK and not sys.stderr.isatty():
        print(f"Filling {rows} rows × {len(columns)} columns …", file=sys.stderr, flush=True)
    with terminal_bar() as report:
        filled, rows_read = fill(columns, share or 0.9, report)
    if filled:
        content = table.write(filled, bounds=share is not None)
    if to_stdout:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(target, content)
    facts = _facts(columns, filled, rows_read)
    if as_json:
        print(json.dumps({"out": out, **facts}, ensure_ascii=False))
    else:
        print(_summary(facts, filled, share), file=sys.stderr)


def _check_ending(target: Path, table: TextTable | ParquetTable) -> None:
    is_parquet = isinstance(table, ParquetTable)
    wrong = (*SHEETS, *(TEXT if is_parquet else PARQUET))
    if target.suffix.lower() in wrong:
        kind, right = ("Parquet", ".parquet") if is_parquet else ("text", ".csv")
        raise HopfieldError(
            f"--out must end as a file of {kind}, as the table is, but is {str(target)!r}. Use "
            f"{target.stem}{right}."
        )


def _share(interval: str) -> float | None:
    if not interval:
        return None
    try:
        share = float(interval)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        hint = f"Use {share / 100:g}." if 2 <= share < 100 else "Use .9 for 90 %."
        raise HopfieldError(
            f"--interval must be a share between 0 and 1, but is {interval!r}. {hint}"
        )
    return share


def _read(file: str) -> tuple[bytes, TextTable | ParquetTable]:
    if file == "-":
        content, name = sys.stdin.buffer.read(), "standard input"
    elif Path(file).is_file():
        content, name = Path(file).read_bytes(), file
    else:
        state = "a folder" if Path(file).is_dir() else "not there"
        raise HopfieldError(f"TABLE must be a file, but {short_repr(file)} is {state}.")
    is_parquet = content.startswith(MAGIC)
    return content, ParquetTable(content, name) if is_parquet else TextTable(content, name)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _categories(names: str, table: TextTable | ParquetTable) -> set[str]:
    wanted = _items(names)
    for name in wanted:
        if name not in table.names:
            close = difflib.get_close_matches(name, table.names, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(table.names)}."
            raise HopfieldError(f"--categories must name columns, but there is no {name!r}. {hint}")
    return set(wanted)


def _facts(columns: list[Column], filled: dict[int, FilledColumn], read: float) -> dict[str, Any]:
    gaps = [int(column.missing.sum()) for column in columns]
    return {
        "rows": len(columns[0].missing),
        "columns": len(columns),
        "missing": sum(gaps),
        "filled": sum(gaps[j] for j in filled),
        "rows_read": read if filled else None,
        "filled_columns": [each.facts() for each in filled.values()],
        "kept_columns": [
            {"name": column.name, "cells": gaps[j], "reason": column.reason}
            for j, column in enumerate(columns)
            if gaps[j] and j not in filled
        ],
    }


def _summary(facts: dict[str, Any], filled: dict[int, FilledColumn], share: float | None) -> str:
    size = f"{facts['rows']} rows × {facts['columns']} columns"
    if not facts["missing"]:
        return f"Nothing is missing in {size}."
    first = f"Filled {facts['filled']} of {facts['missing']} missing cells in {size}."
    if filled:
        first += f" The median row was filled from {facts['rows_read']:.1f} similar rows."
    lines = [
        (each.column.name, f"{len(each.values)} filled, {each.sureness(share)}")
        for each in filled.values()
    ]
    lines += [
        (each["name"], f"{each['cells']} kept: {each['reason']}") for each in facts["kept_columns"]
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join([first, *(f"  {name:{width}}  {text}" for name, text in lines)])
