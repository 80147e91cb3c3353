"""`hopfield store`: files and folders in, a memory file out."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from ..checks import short_repr
from ..errors import HopfieldError
from ..memories import Memory, ModernHopfield
from ..memories.io import load
from ..memories.naming import names_of
from ..stores.disk.paths import names_table
from .form import RowForm, form_of
from .inputs import read_inputs
from .progress import report_skipped
from .reading import ReadOptions, Rows, check_out
from .tables import memory_exists


def store(
    inputs: Sequence[str],
    out: str,
    options: ReadOptions,
    network: tuple[str, str],
    *,
    update: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Store inputs in the memory file `out`; `network` is β and the similarity as text."""
    _check_target(out, update, overwrite)
    form, before = None, 0
    memory = _new_memory(*network)
    if update and memory_exists(out):
        memory = load(out)
        form, before = form_of(memory, out), len(memory)
        if any((*network, options.pictures.size, options.pictures.mode, options.table.columns)):
            raise HopfieldError(
                "--size, --mode, --columns, --beta and --similarity are for new files, but "
                f"{out} holds {form.describe()}. Leave them out."
            )
    rows, form, skipped = read_inputs(inputs, options, form)
    _check_names(rows)
    _check_known(rows)
    form.write_to(memory)
    repeated = _repeated(memory, rows)
    _write(memory, rows, repeated, out)
    report_skipped(skipped)
    facts: dict[str, Any] = {
        "out": out,
        "patterns": len(memory),
        "added": len(memory) - before,
        "replaced": len(repeated),
        "skipped": len(skipped),
        "kind": form.kind,
        "shape": list(form.shape),
    }
    print(json.dumps(facts, ensure_ascii=False) if as_json else _summary(facts, form, before))


def _check_target(out: str, update: bool, overwrite: bool) -> None:
    if update and overwrite:
        raise HopfieldError("--update adds to the file and --overwrite replaces it. Give one.")
    is_table = names_table(out)
    if not (is_table and "://" in out):
        check_out(out, may_be_folder=is_table)
    if not update and not overwrite and memory_exists(out):
        raise HopfieldError(
            f"--out {out} exists. Add --update to store in it, or --overwrite to replace it."
        )


def _new_memory(beta: str, similarity: str) -> Memory:
    arguments: dict[str, object] = {"similarity": similarity or "euclidean"}
    if beta:
        try:
            arguments["beta"] = beta if beta == "auto" else float(beta)
        except ValueError:
            raise HopfieldError(f"--beta must be auto or a number, but is {beta!r}.") from None
    return ModernHopfield(**arguments)  # type: ignore[arg-type]


def _check_names(rows: Rows) -> None:
    seen: set[str] = set()
    for name in rows.names:
        if not name:
            raise HopfieldError("names must not be empty, but one is. Fill it, or use other names.")
        if name in seen:
            raise HopfieldError(
                f"names must be different, but {short_repr(name)} comes twice. For classes use "
                "--values."
            )
        seen.add(name)


def _check_known(rows: Rows) -> None:
    unknown = rows.numbers.isnan().all(dim=1)
    if unknown.any():
        name = short_repr(rows.names[int(unknown.int().argmax())])
        raise HopfieldError(
            f"INPUT must have known entries in each row, but {name} has none. Leave it out."
        )


def _repeated(memory: Memory, rows: Rows) -> list[int]:
    wanted = set(rows.names)
    return [row for row, name in enumerate(names_of(memory.storage)) if str(name) in wanted]


def _write(memory: Memory, rows: Rows, repeated: list[int], out: str) -> None:
    if memory.storage.resident:
        if repeated:
            memory.remove(repeated)
        _store_rows(memory, rows)
        memory.save(out)
    elif repeated:
        with memory.storage.replacing(torch.tensor(repeated)):
            _store_rows(memory, rows)
    else:
        _store_rows(memory, rows)


def _store_rows(memory: Memory, rows: Rows) -> None:
    numbers = rows.numbers
    if len(memory):
        numbers = numbers.to(memory.storage.dtype)
    known = ~numbers.isnan()
    memory.store(
        torch.where(known, numbers, 0.0),
        rows.values,
        known=None if bool(known.all()) else known,
        names=rows.names,
        table=rows.table or None,
        unique=False,
    )


def _summary(facts: dict[str, Any], form: RowForm, before: int) -> str:
    text = f"Stored {facts['added']} {form.describe(facts['added'])} in {facts['out']}."
    if before:
        text = (
            f"Added {facts['added']} and replaced {facts['replaced']} in {facts['out']}, which now "
            f"holds {facts['patterns']} {form.describe(facts['patterns'])}."
        )
    return text
