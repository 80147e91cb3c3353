"""Some rows of a store, in memory."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..stores import Store


@dataclass(frozen=True, eq=False)
class TakenRows:
    """Some rows of a store, taken by their places in it.

    Attributes:
        places: the places, ascending.
        rows: the rows at these places.
        count: rows of the whole store.
    """

    places: Tensor
    rows: Tensor
    count: int

    @property
    def dim(self) -> int:
        """The number of entries per row."""
        return self.rows.shape[1]

    def __len__(self) -> int:
        """Return the number of rows of the whole store."""
        return self.count

    def take(self, indices: Tensor) -> Tensor:
        """Return the rows at `indices` of the store, which must be among the places."""
        return self.rows[torch.searchsorted(self.places, indices)]

    def extended(self, store: Store, places: Tensor) -> "TakenRows":
        """Return these rows, and those at other places of the store."""
        new = places.unique()
        new = new[~torch.isin(new, self.places)]
        if not len(new):
            return self
        every, order = torch.cat([self.places, new]).sort()
        return TakenRows(every, torch.cat([self.rows, store.take(new)])[order], self.count)
