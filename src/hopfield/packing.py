"""±1 rows as bits, 64 entries per word: bit j of word w is set where entry 64w + j is +1.

Words are int64, since torch has few operations on uint64. Bits after the last entry are 0.
"""

import sys

import numpy as np
import torch
from torch import Tensor

WORD = 64


def words_of(entries: int) -> int:
    """Return the number of words for a row of `entries`."""
    return -(-entries // WORD)


def pack(signs: Tensor) -> Tensor:
    """Return the signs of `(m, k)` entries as `(m, words)`; 0 counts as −1."""
    octets = np.packbits((signs.detach() > 0).cpu().numpy(), axis=1, bitorder="little")
    missing = 8 * words_of(signs.shape[1]) - octets.shape[1]
    if missing:
        octets = np.pad(octets, ((0, 0), (0, missing)))
    words = np.ascontiguousarray(octets).view("<i8").astype(np.int64, copy=False)
    return torch.from_numpy(words).to(signs.device)


def unpack(words: Tensor, entries: int, dtype: torch.dtype) -> Tensor:
    """Return the ±1 entries, `(m, entries)`, of `(m, words)`."""
    # Clone: a single word with another stride counts as contiguous, but cannot be viewed as bytes.
    octets = words.clone(memory_format=torch.contiguous_format).view(-1).view(torch.uint8)
    if sys.byteorder == "big":
        octets = octets.view(-1, 8).flip(-1).reshape(-1)
    rows = _table(dtype, words.device)[octets.int()].view(len(words), WORD * words.shape[1])
    return rows[:, :entries]


def _table(dtype: torch.dtype, device: torch.device) -> Tensor:
    # The eight entries of every octet, `(256, 8)`.
    octets = torch.arange(256, device=device)[:, None]
    bits = octets >> torch.arange(8, device=device) & 1
    return (2 * bits - 1).to(dtype)
