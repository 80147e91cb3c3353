"""Some rows of a store, in memory."""

import torch
from torch import Tensor

from ..stores import Store
from ..stores.growing import GrowingTensor

GATHERED_ENTRIES = 2**17
"""Matrix entries gathered at a time, 1 MiB in float64: more do not stay in the cache."""


class TakenRows:
    """Some rows of a store, taken by their places in it.

    Attributes:
        dim: entries per row.
        count: rows taken so far.
    """

    def __init__(self, store: Store) -> None:
        """Begin with no rows of a store."""
        self.dim, self.count, self._store = store.dim, 0, store
        self._places = self._slots = torch.empty(0, dtype=torch.long)
        self._rows = GrowingTensor()  # in the order in which they are taken

    def __len__(self) -> int:
        """Return the number of rows of the whole store."""
        return len(self._store)

    def take(self, indices: Tensor) -> Tensor:
        """Return the rows at `indices` of the store, which must have been added."""
        slots = self._slots[torch.searchsorted(self._places, indices)]
        return self._rows.filled.index_select(0, slots)

    def add(self, places: Tensor) -> None:
        """Take the rows at some places, but those taken before."""
        new = places.unique()
        new = new[~torch.isin(new, self._places)]
        if len(new):
            self._rows.append(self._store.take(new))
            self._places, order = torch.cat([self._places, new]).sort()
            slots = torch.arange(self.count, self.count + len(new))
            self._slots = torch.cat([self._slots, slots])[order]
            self.count += len(new)


def parts_of_pairs(pairs: Tensor, entries: int) -> tuple[Tensor, ...]:
    """Split the indices of pairs, which have so many entries each, as they are gathered."""
    places, size = torch.arange(len(pairs), device=pairs.device), GATHERED_ENTRIES // entries
    # Parts of nearly equal size: torch sums one long row alone by several threads, which round
    # differently from the sums of several rows, and equal rows must have equal scores.
    return places.tensor_split(max(1, len(pairs) // max(1, size)))
