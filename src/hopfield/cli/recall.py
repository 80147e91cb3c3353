"""`hopfield recall`: damaged or partial cues in, names and completed patterns out."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..corruption import occlude_half
from ..cue import Cue
from ..errors import EmptyMemoryError, HopfieldError, OptionError
from ..memories import Memory
from ..memories.io import load
from .arrays import read_mask as read_array_mask
from .form import RowForm, form_of
from .inputs import read_inputs
from .matches import Answer, as_table
from .pictures import read_mask as read_picture_mask
from .progress import report_skipped, track
from .ranks import shared_rows
from .reading import ReadOptions, Rows, parse_share
from .results import Results, write_results

BATCH = 256
"""Number of cues per batch."""

OPPOSITE = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
"""The side that is hidden where another is kept."""


@dataclass(frozen=True)
class CueOptions:
    """Options that say which entries of a cue are known, and how answers are judged.

    Attributes:
        known: path of a mask, or "".
        keep: the half of a picture that is known, or "".
        k: number of matches per cue, as text.
        alpha: share of strangers that may be accepted, as text; "" accepts all.
        strangers: path of inputs that are not stored, or "".
    """

    known: str
    keep: str
    k: str
    alpha: str
    strangers: str

    def count(self, stored: int) -> int:
        """Return the number of matches per cue."""
        if not self.k.isascii() or not self.k.isdigit() or int(self.k) < 1:
            raise HopfieldError(f"--k must be a whole number from 1 on, but is {self.k!r}.")
        return min(int(self.k), stored)

    def share(self) -> float | None:
        """Return α, or None."""
        if not self.alpha:
            if self.strangers:
                raise HopfieldError("--strangers needs a rate of false answers. Add --alpha .05.")
            return None
        return parse_share("--alpha", self.alpha, "Use .01 for 1 %.")

    def check(self) -> None:
        """Raise if an option has no such value."""
        if self.keep and self.keep not in OPPOSITE:
            raise HopfieldError(f"--keep must be top, bottom, left or right, but is {self.keep!r}.")
        if self.known and not Path(self.known).is_file():
            raise HopfieldError(f"--known must be the file of a mask, but is {self.known!r}.")
        self.count(1)
        self.share()


def recall(
    file: str,
    cues: Sequence[str],
    options: ReadOptions,
    query: CueOptions,
    out: str,
    *,
    as_json: bool,
) -> None:
    """Retrieve from a memory, print a table of matches, and write patterns into `out`."""
    query.check()
    if out and Path(out).exists() and not Path(out).is_dir():
        raise HopfieldError(f"--out must be a folder, but {out} is a file.")
    memory = load(file)
    if not memory.storage.holds_patterns:
        raise OptionError(
            f"{file} must hold patterns, but holds a network of a given coupling. Use it in "
            "Python: hopfield.load(file).retrieve(cue)."
        )
    if not len(memory):
        raise EmptyMemoryError(f"{file} must hold patterns, but is empty. Store some first.")
    form = form_of(memory, file)
    rows, _, skipped = read_inputs(cues, options, form, "CUE")
    known = known_entries(rows, form, query)
    with shared_rows(memory, file) as is_first:
        _calibrate(memory, form, known, query, options)
        answers, states = ask(memory, rows, known, query.count(len(memory)))
    if not is_first:
        return
    report_skipped(skipped)
    results = Results(rows, known, states, answers)
    written = write_results(Path(out), form, results) if out else {}
    if as_json:
        facts = {"memory": file, "cues": [answer.facts() for answer in answers], **written}
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print(as_table(answers))
        for what, paths in written.items():
            print(f"{what}: {', '.join(paths) if isinstance(paths, list) else paths}")


def known_entries(rows: Rows, form: RowForm, query: CueOptions) -> Tensor | None:
    """Return the mask of known entries, `(n, dim)`, or None if all are known."""
    known = ~rows.numbers.isnan()
    if query.known and form.kind == "pictures":
        known = known & read_picture_mask(Path(query.known), form)
    elif query.known:
        known = known & read_array_mask(Path(query.known), rows.numbers.shape)
    if query.keep:
        if form.kind != "pictures":
            raise HopfieldError(
                f"--keep is for pictures, but the memory holds {form.describe()}. Use --known or "
                "--missing."
            )
        half = occlude_half(torch.zeros(1, form.dim), form.shape, side=OPPOSITE[query.keep])
        known = known & (half.known if half.known is not None else True)
    empty = ~known.any(1)
    if bool(empty.any()):
        name = rows.names[int(empty.nonzero()[0])]
        raise HopfieldError(f"a cue must have known entries, but {name!r} has none.")
    return None if bool(known.all()) else known


def _calibrate(
    memory: Memory, form: RowForm, known: Tensor | None, query: CueOptions, options: ReadOptions
) -> None:
    """Calibrate a memory for cues with these masks, if --alpha is given.

    Strangers are stored patterns, each left out in turn, or the inputs of --strangers. They get the
    masks of the cues. Noise in cues only lowers their scores, so that fewer strangers are accepted.
    """
    alpha = query.share()
    if alpha is None:
        return
    strangers = None
    if query.strangers:
        whole = replace(options, pictures=replace(options.pictures, half=""), missing="")
        strangers, _, _ = read_inputs([query.strangers], whole, form, "--strangers")
    count = len(memory) if strangers is None else len(strangers.names)
    if count + 1 < 1 / alpha:
        raise HopfieldError(
            f"--alpha {alpha:g} needs at least {math.ceil(1 / alpha) - 1} "
            f"{'strangers' if strangers else 'patterns'}, but there are {count}. Use --alpha "
            f"{math.ceil(1000 / (count + 1)) / 1000:g}"
            f"{'' if strangers else ', or give pictures that are not stored by --strangers'}."
        )

    def hide(patterns: Tensor, generator: torch.Generator) -> Cue:
        if known is None:
            return Cue(patterns)
        masks = torch.randint(len(known), patterns.shape[:1], generator=generator)
        return Cue(patterns, known[masks])

    rows = None if strangers is None else strangers.numbers.to(memory.storage.dtype)
    memory.calibrate(hide, alpha, strangers=rows)


def ask(memory: Memory, rows: Rows, known: Tensor | None, k: int) -> tuple[list[Answer], Tensor]:
    """Return the answers to all cues, and the retrieved states `(n, dim)`."""
    numbers = torch.where(rows.numbers.isnan(), 0.0, rows.numbers).to(memory.storage.dtype)
    answers, states = [], []
    for start in track(range(0, len(numbers), BATCH), "Recalling"):
        part = slice(start, start + BATCH)
        cue = Cue(numbers[part], None if known is None else known[part])
        result, nearest = memory.retrieve(cue), memory.nearest(cue, k)
        states.append(result.state)
        answers += [
            Answer.of(memory, name, result, nearest, place)
            for place, name in enumerate(rows.names[part])
        ]
    return answers, torch.cat(states)
