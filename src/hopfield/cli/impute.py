"""`hopfield impute`: a file with gaps in, the same file with the gaps filled out."""

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import HopfieldError
from ..files import write_whole
from .columns import open_table
from .parquet_table import ParquetTable
from .progress import terminal_bar
from .reading import check_file, check_out, parse_share, split_names, unknown_name
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
    share = parse_share("--interval", interval, "Use .9 for 90 %.") if interval else None
    to_stdout = out in ("", "-")
    if as_json and to_stdout:
        raise HopfieldError("--json needs a file for the table. Add -o FILE.")
    target = Path(out) if to_stdout else check_out(out)
    if file != "-":
        check_file("TABLE", file)
    content, place, table = open_table(file)
    _check_ending(target, table)
    if isinstance(table, ParquetTable) and to_stdout and sys.stdout.isatty():
        raise HopfieldError("a Parquet file is no text for a terminal. Add -o FILE.")
    marks, named = {mark.lower() for mark in split_names(missing)}, set(split_names(categories))
    for name in named.difference(table.names):
        raise unknown_name("--categories", "columns", name, table.names, place)
    columns = table.columns(named, marks)
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
