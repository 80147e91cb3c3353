"""The files that `hopfield recall` writes: completed patterns and a contact sheet."""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..files import write_whole
from ..pictures import import_pillow
from ..plots.contact import Query, contact_sheet
from .columns import to_csv
from .form import RowForm, to_units
from .matches import NONE, Answer
from .progress import track
from .reading import Rows

SHEET = "sheet.png"
PER_SHEET = 120
"""Largest number of cues on a contact sheet; more get sheets with numbers."""


class Results(NamedTuple):
    """Cues, the mask of their known entries or None, the retrieved states, and the answers."""

    cues: Rows
    known: Tensor | None
    states: Tensor
    answers: list[Answer]


def write_results(folder: Path, form: RowForm, results: Results) -> dict[str, Any]:
    """Write the completed patterns into a folder, and return the paths of what was written.

    A cue that is answered by "none of these" has no picture, and NaN in other files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if form.kind == "pictures":
        return _write_pictures(folder, form, results)
    accepted = torch.tensor([answer.accepted for answer in results.answers])
    if form.kind == "columns":
        numbers = to_units(form, results.states).masked_fill(~accepted[:, None], torch.nan)
        path = folder / "retrieved.csv"
        text = to_csv(form, results.cues.names, numbers)
        write_whole(path, text.encode(errors="surrogateescape"))  # bytes that are no UTF-8, as read
    else:
        numbers = results.states.masked_fill(~accepted[:, None], torch.nan)
        path, content = folder / "retrieved.npy", io.BytesIO()
        if numbers.dtype == torch.bfloat16:
            numbers = numbers.float()
        np.save(content, numbers.reshape(-1, *form.shape).numpy())
        write_whole(path, content.getvalue())
    return {"retrieved": path.as_posix()}


def _write_pictures(folder: Path, form: RowForm, results: Results) -> dict[str, Any]:
    count = len(results.answers)
    starts = range(0, count, PER_SHEET)
    names = [f"sheet-{k}.png" for k, _ in enumerate(starts, 1)] if count > PER_SHEET else [SHEET]
    used = set(names)
    for k in track(range(count), "Writing pictures"):
        answer = results.answers[k]
        if answer.accepted:
            path = folder / _new_name(Path(answer.cue).stem, used)
            answer.file = path.as_posix()
            write_whole(path, _png(results.states[k].reshape(form.shape).numpy()))
    heads = ("original", "cue", "retrieved") if results.known is not None else ("cue", "retrieved")
    for start, name in zip(starts, names, strict=True):
        part = range(start, min(start + PER_SHEET, count))
        content = io.BytesIO()
        contact_sheet([_query(form, results, k) for k in part], heads).save(content, "png")
        write_whole(folder / name, content.getvalue())
    return {"pictures": folder.as_posix(), "sheets": [(folder / name).as_posix() for name in names]}


def _query(form: RowForm, results: Results, k: int) -> Query:
    answer, cue = results.answers[k], results.cues.numbers[k].float()
    pictures: list[Any] = [cue]
    if results.known is not None:
        pictures.append(cue.masked_fill(~results.known[k], torch.nan))
    pictures.append(results.states[k] if answer.accepted else None)
    p = "" if answer.p_value is None else f", p = {answer.p_value:.3g}"
    shaped = [each if each is None else each.reshape(form.shape).numpy() for each in pictures]
    return Query(shaped, (answer.cue, f"{NONE if answer.name is None else answer.name}{p}"))


def _new_name(stem: str, used: set[str]) -> str:
    name, number = f"{stem}.png", 1
    while name.lower() in used:
        number += 1
        name = f"{stem}-{number}.png"
    used.add(name.lower())
    return name


def _png(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    levels = (255 * picture.clip(0, 1)).round().astype(np.uint8)
    import_pillow().fromarray(levels).save(content, "png")
    return content.getvalue()
