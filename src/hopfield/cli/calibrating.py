"""The calibration that lets `hopfield recall` answer "none of these"."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..cue import Cue
from ..errors import HopfieldError
from ..memories import Memory
from .form import RowForm
from .inputs import read_inputs
from .reading import ReadOptions

if TYPE_CHECKING:
    from .recall import CueOptions


def calibrate(
    memory: Memory,
    form: RowForm,
    known: Tensor | None,
    query: "CueOptions",
    options: ReadOptions,
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
        return Cue(
            patterns, known[torch.randint(len(known), patterns.shape[:1], generator=generator)]
        )

    rows = None if strangers is None else strangers.numbers.to(memory.storage.dtype)
    memory.calibrate(hide, alpha, strangers=rows)
