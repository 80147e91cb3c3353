"""Patterns that are stored more than once."""

from hashlib import blake2b

import torch
from jaxtyping import Int
from torch import Tensor

from ..stores import Store

ROWS = 4096
"""Number of rows that are read at a time."""


def copy_of(store: Store) -> Int[Tensor, " n"]:
    """Return for each row the index of the first row equal to it: for most, the row itself."""
    return store.cached("copies", lambda: _copy_of(store))


def is_stored(store: Store, rows: Tensor) -> Tensor:
    """Return which of these complete rows are stored, `(k,)`."""
    stored = store.cached("keys", lambda: frozenset(_keys_of(store)))
    return torch.tensor([key in stored for key in _keys(rows.to(store.dtype), None)])


def _copy_of(store: Store) -> Tensor:
    first_of: dict[bytes, int] = {}
    indices = [first_of.setdefault(key, index) for index, key in enumerate(_keys_of(store))]
    return torch.tensor(indices, device=store.device)


def _keys_of(store: Store) -> list[bytes]:
    blocks = store.blocks(ROWS)
    return [key for block in blocks for key in _keys(block.rows, getattr(block, "known", None))]


def _keys(rows: Tensor, known: Tensor | None) -> list[bytes]:
    # Bytes, because NumPy has no bfloat16. Adding 0 makes −0 equal to 0.
    parts = (rows.detach() + 0.0).cpu().contiguous().view(torch.uint8)
    if known is not None:
        parts = torch.cat([parts, known.cpu().view(torch.uint8)], dim=-1)
    return [blake2b(row.tobytes(), digest_size=16).digest() for row in parts.numpy()]
