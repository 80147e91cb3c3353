"""The 1000 digits of the page: 8 × 8 pixels of 17 grey levels, one digit per line of text."""

import re

import torch
from torch import Tensor

from .sources import SOURCES

SIDE, LEVELS, COUNT = 8, 16, 1000
FIRST_LEVEL, NO_RUN = ord("A"), ord("a") - 1
"""A letter A … Q is a level 0 … 16; a letter b … z is a run of 2 … 26 zeros."""

LONGEST_RUN = 26


def encode(levels: list[int]) -> str:
    """Return levels 0 … 16 as letters, with runs of zeros as one letter each."""
    letters = "".join(chr(FIRST_LEVEL + level) for level in levels)
    run = rf"A{{2,{LONGEST_RUN}}}"
    return re.sub(run, lambda match: chr(NO_RUN + len(match[0])), letters)


def decode(text: str) -> list[int]:
    """Return the levels that `encode` made letters of."""
    letters = re.sub("[b-z]", lambda match: "A" * (ord(match[0]) - NO_RUN), text)
    return [ord(letter) - FIRST_LEVEL for letter in letters]


def load(count: int = COUNT) -> Tensor:
    """Return the first digits, `(count, 64)` in float64: the levels divided by 16."""
    lines = (SOURCES / "digits.txt").read_text("ascii").splitlines()[:count]
    rows = [decode(line[1:]) for line in lines]
    return torch.tensor(rows, dtype=torch.float64) / LEVELS
