"""A store whose rows are shared among processes."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...checks import short_repr
from ...errors import InputTypeError, OptionError
from ..annotations import Annotations
from ..base import Store
from ..block import Block, RankBlock
from ..ram import RamStore
from ..summary import Summary, merge_moments
from .group import rank_group
from .merging import Merging
from .runs import Runs

BLOCK_ROWS = 4096
"""Most rows at a time that the ranks send each other, where each needs all."""


class ShardedStore(Store):
    """A store whose rows are shared among the processes of `torch.distributed`, the ranks.

    Every rank runs the same program: it makes the same calls with the same cues, and gets the same
    answers, bit for bit. Readouts read the rows of this rank, and merge. What needs all rows, such
    as a coupling, gets them from the other ranks.

    Args:
        store: a `DiskStore` of a table that every rank opens: rank r then reads every W-th file of
            it, from r on, and the table is read-only. Or a store with the rows of this rank: those
            of rank 0 come first. None is an empty `RamStore`; rows that are stored are divided.
        group: a group of `torch.distributed`; None is all processes.
        timeout: seconds that a rank waits for the others. Then, or as soon as one of them has
            ended, `WorkerLostError` names it. Choose more than the longest step takes.
    """

    is_shared: ClassVar[bool] = True

    def __init__(
        self, store: Store | None = None, *, group: object = None, timeout: float = 60.0
    ) -> None:
        """Connect the ranks: all of them must make this store."""
        if not isinstance(store, Store | None) or isinstance(store, ShardedStore):
            raise InputTypeError(
                f"store must be a store of one process, but is {short_repr(store)}. "
                "Use for instance store=DiskStore('faces.lance')."
            )
        self._group, whole = rank_group(group, timeout), RamStore() if store is None else store
        self.store: Any = whole
        self._is_table = hasattr(whole, "shard")
        facts: dict[str, Any] = {"whole": len(whole) if self._is_table else None}
        places = torch.empty(0)
        if self._is_table and len(whole):
            self.store = whole.shard(self._group.rank, self._group.size)  # type: ignore[attr-defined]
            places = self.store.places_in(whole)
        facts["annotated"] = not self._is_table and whole.annotations is not None
        facts["starts"] = _runs(places.long()) if self._is_table else [(0, len(whole))]
        ranks = self._exchange(facts)
        if any(each["annotated"] for each in ranks):
            raise OptionError(
                "names, priors and columns must come with `store` of a memory, which gives them to "
                "all ranks, but the store of a rank has some already."
            )
        runs = [(start, r, n) for r, each in enumerate(ranks) for start, n in each["starts"] if n]
        self._runs = Runs(tuple(run[1:] for run in (sorted(runs) if self._is_table else runs)))
        if self._is_table and any(each["whole"] != len(self) for each in ranks):
            raise OptionError(
                "all ranks must open the same table, but they find "
                f"{', '.join(str(each['whole']) for each in ranks)} rows."
            )
        if self._is_table:
            self.annotations = whole.annotations

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Divide copies of `rows` and `values`, which every rank has, among the ranks."""
        self.append_with_gaps(rows, None, values)

    def append_with_gaps(
        self, rows: Tensor, known: Tensor | None, values: Tensor | None = None
    ) -> None:
        """Divide copies of rows, masks and values, which every rank has, among the ranks."""
        self._refuse_table("store")
        shares, rank = self._runs.shares(len(rows), self._group.size), self._group.rank
        own = slice(sum(shares[:rank]), sum(shares[: rank + 1]))
        own_rows, own_known, own_values = (
            x if x is None else x[own] for x in (rows, known, values)
        )
        if shares[rank] and own_known is None:
            self.store.append(own_rows, own_values)
        elif shares[rank]:
            self.store.append_with_gaps(own_rows, own_known, own_values)
        self._runs = self._runs.followed_by(shares)
        self._exchange()

    def remove(self, indices: Tensor) -> None:
        """Remove the rows at `indices`; the indices of later rows decrease."""
        self._refuse_table("remove")
        indices = indices.flatten() % max(1, len(self))
        rank, place = self._runs.locate(indices)
        if bool((rank == self._group.rank).any()):
            self.store.remove(place[rank == self._group.rank].unique())
        self._runs = self._runs.without(indices)
        self._exchange()

    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`, from the ranks that have them."""
        return self._collect(indices, self.store.take, self._row)

    def take_own(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`, which this rank has."""
        rows: Tensor = self.store.take(self._runs.locate(indices)[1].to(self.device))
        return rows

    def take_known(self, indices: Tensor) -> Tensor | None:
        """Return the masks of the rows at `indices`, from the ranks that have them."""
        return self._collect(indices, self._own_masks, self._row.bool()) if self.has_gaps else None

    def take_own_known(self, indices: Tensor) -> Tensor | None:
        """Return the masks of the rows at `indices`, which this rank has."""
        places = self._runs.locate(indices)[1].to(self.device)
        return self._own_masks(places) if self.has_gaps else None

    def take_values(self, indices: Tensor) -> Tensor:
        """Return copies of the values at `indices`, from the ranks that have them."""
        if self._value is None:
            raise OptionError("the patterns must have values that are numbers, but have none.")
        return self._collect(indices, self.store.take_values, self._value)

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield all rows in order, at most `size` per block: other ranks send theirs."""
        for places in torch.arange(len(self)).split(min(size, BLOCK_ROWS)):
            values = None if self._value is None else self.take_values(places)
            yield Block(int(places[0]), self.take(places), values, known=self.take_known(places))

    def read_blocks(self, size: int) -> Iterable[RankBlock]:
        """Return the rows of this rank as blocks that know the other ranks."""
        blocks = self._own_blocks(size)
        return list(blocks) if self.store.resident else blocks

    def _own_blocks(self, size: int) -> Iterator[RankBlock]:
        merging = self._merging()
        if not merging.own_count:  # one row that counts nowhere: this rank too comes to merges
            row, value = self._row, self._value
            value = None if value is None else value.new_zeros(1, *value.shape[1:])
            known = row.new_ones(1, self.dim, dtype=torch.bool) if self.has_gaps else None
            yield RankBlock(Block(0, row.new_zeros(1, self.dim), value, known=known), merging)
            return
        for block in self.store.blocks(size):
            for first, stop, start in self._runs.parts(self._group.rank, block.start, len(block)):
                yield RankBlock(block.placed(first, stop, start), merging)

    def __len__(self) -> int:
        """Return the number of rows of all ranks."""
        return self._runs.count

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "ShardedStore":
        """Move the rows of every rank, and return self."""
        if len(self.store):
            self.store.to(device, dtype)
        if device is not None:
            self.device = torch.empty(0, device=device).device
        self._exchange()
        return self

    def written_annotations(self, annotations: Annotations | None) -> Annotations | None:
        """Return the annotations of all rows; those of a table stay."""
        self._refuse_table("set_prior")
        return annotations

    def _summarise(self) -> Summary:
        # `squared_norms` are those of the rows of this rank: nothing needs those of all.
        norms, parts = torch.empty(0), [torch.zeros(self.dim, dtype=torch.float64)] * 4
        if len(self.store):
            own: Summary = self.store.summary()
            norms, full = own.squared_norms, torch.ones_like(own.mean)
            count = len(self.store) * full if own.counts is None else own.counts
            parts = [own.mean, own.std, count, own.largest_norm * full]
        means, stds, counts, largest = self._merging().gather(*(p.to(self.device) for p in parts))
        known = counts.sum(0) if self.has_gaps else None
        return Summary(norms, float(largest.max()), *merge_moments(means, stds, counts), known)

    def _empty_values(self) -> Tensor | None:
        return self._value

    def _merging(self) -> Merging:
        return Merging(self._group, tuple(self._runs.counts(self._group.size)))

    def _collect(self, indices: Tensor, take: Any, like: Tensor) -> Tensor:
        # Each rank writes the bytes of its rows; others are 0, so that sums have the same bits.
        rank, place = self._runs.locate(indices.flatten() % max(1, len(self)))
        own = (rank == self._group.rank).to(self.device)
        rows = like.new_zeros(len(rank), *like.shape[1:])
        if bool(own.any()):
            rows[own] = take(place.to(self.device)[own])
        rows = self._group.all_reduce(rows.flatten().view(torch.uint8)).view(like.dtype)
        return rows.reshape(*indices.shape, *like.shape[1:])

    def _own_masks(self, places: Tensor) -> Tensor:
        masks: Tensor | None = self.store.take_known(places)
        return self._row.new_ones(len(places), self.dim).bool() if masks is None else masks

    def _refuse_table(self, caller: str) -> None:
        if self._is_table:
            raise OptionError(
                f"{caller} needs a table that one process changes, but this one is shared. "
                "Change it with DiskStore(path), and open it again here."
            )

    def _exchange(self, facts: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        # Tell all ranks what this one has, and learn what a rank without rows cannot know.
        store, own = self.store, dict(facts or {})
        if len(store):
            value = store.empty_values()
            own["like"] = [store.dim, _name(store.dtype), store.signs_only]
            own["like"] += [None if value is None else [_name(value.dtype), *value.shape[1:]]]
            own["gaps"] = store.has_gaps
        ranks = [json.loads(text) for text in self._group.gather_texts(json.dumps(own))]
        filled = [each for each in ranks if "like" in each]
        if not filled:
            return ranks
        if any(each["like"] != filled[0]["like"] for each in filled):
            likes = " and ".join(str(each["like"]) for each in filled)
            raise OptionError(f"rows and values of all ranks must be alike, but are {likes}.")
        self.dim, dtype, self.signs_only, value = filled[0]["like"]
        self.dtype, self.has_gaps = getattr(torch, dtype), any(each["gaps"] for each in filled)
        self.device = store.device if len(store) else self.device
        self._row, self._value = torch.empty(0, self.dim, dtype=self.dtype).to(self.device), None
        if value is not None:
            self._value = torch.empty(0, *value[1:], dtype=getattr(torch, value[0])).to(self.device)
        return ranks


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _runs(places: Tensor) -> list[tuple[int, int]]:
    # Ascending places as runs: the first place and the number of places.
    if not len(places):
        return []
    ends = (places.diff() != 1).nonzero()[:, 0] + 1
    return [(int(part[0]), len(part)) for part in places.tensor_split(ends)]
