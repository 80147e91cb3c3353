"""The interface of a store, which keeps patterns and returns them in blocks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from ..errors import OptionError, ShapeError
from ..readout import ValuedBlock
from .annotations import Annotations
from .block import Block
from .following import following_annotations
from .lock import ReadWriteLock
from .sending import move_tensors, move_when_unread
from .sketch import Sketch
from .summary import SUMMARY_ROWS, Summary, merge_summaries, summarise

T = TypeVar("T")
NOT_COPIED = ("lock", "_cache", "_buffers", "_incoming", "_followed")
"""Attributes of a store that are not pickled or copied."""


def weighted_spread(store: "Store", prior: Tensor) -> Tensor:
    """Return the standard deviation of each entry over rows that count w times, float64."""
    summary = store.summary()
    total, first, second = summary.mean.new_zeros(3, store.dim)
    scale = 2 * summary.largest_norm or 1.0  # squares neither overflow nor vanish
    for block in store.blocks(SUMMARY_ROWS):
        known: Tensor | None = getattr(block, "known", None)
        weights = prior[block.start : block.start + len(block), None]
        weights = weights if known is None else weights * known
        deviations = (block.rows.double() - summary.mean) / scale
        total += weights.sum(0)
        first += (weights * deviations).sum(0)
        second += (weights * deviations.square()).sum(0)
    total.clamp_min_(torch.finfo(torch.float64).tiny)
    return scale * (second / total - (first / total).square()).clamp_min(0).sqrt()


class Store(ABC):
    """A container of patterns and their values.

    A subclass needs `append`, `remove`, `take`, `blocks` and `__len__`, and the attributes `dim`
    and `dtype`. Changes wait for readers: `append`, `remove` and `to` of every subclass hold
    `lock.writing` and increase `version`. Use `cached` to keep results computed from the rows.
    Names and other annotations of rows follow `append` and `remove` by themselves.

    Attributes:
        dim: entries per row.
        dtype: the dtype of the rows.
        device: the device of the rows; the CPU by default.
        version: a counter of all changes.
        epoch: a counter of changes other than appending.
        lock: changes hold `lock.writing`; hold `lock.reading` to keep rows unchanged.
        rows: all rows, `(n, dim)`, only in resident stores. Never write to it.
        values: all values, `(n, *)`, or None, only in resident stores. Never write to it.
        has_gaps: True if entries of some rows are unknown; blocks then have a mask `known`.
        known: that mask of all rows, `(n, dim)`, or None, only in resident stores.
        annotations: names, priors and table of the rows, or None. Never set it: use `annotate`.
    """

    resident: ClassVar[bool] = False
    """True if all rows lie in memory; only then do `rows` and `values` exist."""

    signs_only: bool = False
    """True if the store can hold only ±1."""

    is_shared: ClassVar[bool] = False
    """True if other processes have some of the rows: `read_blocks` then returns only those here."""

    holds_patterns: ClassVar[bool] = True
    """False if a network takes something else than patterns from the store, such as its coupling:
    it can then be used while the store has no rows."""

    dim: int
    dtype: torch.dtype
    device: torch.device = torch.device("cpu")
    version: int
    epoch: int
    lock: ReadWriteLock
    rows: Tensor
    values: Tensor | None
    has_gaps: bool = False
    known: Tensor | None = None
    annotations: Annotations | None
    _incoming: Annotations | None
    _followed: int
    _cache: dict[str, tuple[tuple[object, ...], Any]]
    _buffers: tuple[Tensor | None, Tensor | None, Tensor | None]

    def __new__(cls, *args: object, **kwargs: object) -> "Store":
        """Create a store with lock, counters, cache and buffers: subclasses need not do so."""
        store = object.__new__(cls)
        store.version = store.epoch = 0
        store.lock = ReadWriteLock()
        store._cache = {}
        store._buffers = (None, None, None)  # rows, values and masks, with room for more
        store.annotations = store._incoming = None
        store._followed = 0  # changes under way whose rows the annotations follow
        return store

    def __init_subclass__(cls) -> None:
        """Make the changing methods of a subclass atomic, and count their calls."""
        for name in ("append", "append_with_gaps", "remove", "to"):
            if name in vars(cls):
                setattr(cls, name, _atomic(vars(cls)[name]))
        move_when_unread(cls, lambda store: store.lock, Store.move_to_shared_memory)

    @abstractmethod
    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows` and `values`, or none of them if an error occurs."""

    @abstractmethod
    def remove(self, indices: Tensor) -> None:
        """Remove the rows at `indices`; the indices of later rows decrease."""

    @abstractmethod
    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`."""

    @abstractmethod
    def blocks(self, size: int) -> Iterable[ValuedBlock]:
        """Return all rows in order, at most `size` per block."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    def __repr__(self) -> str:
        """Return how the store is made; by default its class without arguments."""
        return f"{type(self).__name__}()"

    def read_blocks(self, size: int) -> Iterable[ValuedBlock]:
        """Return the blocks of a readout, which merges those of ranks; by default all rows."""
        return self.blocks(size)

    def take_own(self, indices: Tensor) -> Tensor:
        """Return copies of rows that this process has; by default it has all."""
        return self.take(indices)

    @property
    def sketch(self) -> Sketch | None:
        """Return the map from rows to sketches; by default None: the store keeps no sketches."""
        return None

    def sketches(self) -> Iterable[Tensor]:
        """Return `Sketch.columns` of all rows, part by part; by default none."""
        return []

    @property
    def prior(self) -> Tensor | None:
        """Return the prior w of each row, `(n,)`, float64, or None if every row counts once."""
        return None if self.annotations is None else self.annotations.prior

    def add(
        self,
        rows: Tensor,
        values: Tensor | None = None,
        *,
        known: Tensor | None = None,
        annotations: Annotations | None = None,
    ) -> None:
        """Append rows with all that they bring, or none of them if an error occurs."""
        with self.lock.writing:
            self._incoming = annotations
            try:
                if known is None:
                    self.append(rows, values)
                else:
                    self.append_with_gaps(rows, known, values)
            finally:
                self._incoming = None

    @contextmanager
    def replacing(self, indices: Tensor) -> Iterator[None]:
        """Remove the rows at `indices` where an `add` inside succeeds; by default after it."""
        with self.lock.writing:
            before = len(self)
            yield
            try:
                self.remove(indices)
            except BaseException:
                self.remove(torch.arange(before, len(self)))
                raise

    def annotate(self, annotations: Annotations | None) -> None:
        """Replace the annotations of all rows."""
        with self.lock.writing:
            annotations = self.written_annotations(annotations)
            self.annotations = None if annotations is None else annotations.to(self.device)
            self.version += 1
            self.epoch += 1
            self._cache.clear()

    def written_annotations(self, annotations: Annotations | None) -> Annotations | None:
        """Keep new annotations of all rows, and return them; the default keeps none on disk."""
        return annotations

    def append_with_gaps(
        self, rows: Tensor, known: Tensor | None, values: Tensor | None = None
    ) -> None:
        """Add rows that are 0 where `known`, `(n, dim)`, is False; the default refuses."""
        raise OptionError(
            f"known must be left out: a {type(self).__name__} holds complete rows only. "
            "Use another store, such as RamStore()."
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Store":
        """Move the rows (and floating point values), return self; by default an error is raised."""
        raise OptionError(
            f"a {type(self).__name__} stays where it is, with {self.dtype} on {self.device}. "
            "Make another store, and append the rows there."
        )

    def summary(self) -> Summary:
        """Return norms, mean and standard deviation of the rows, computed once per version."""
        return self.cached("summary", self._summarise)

    def spread(self) -> Tensor:
        """Return the standard deviation of each entry over the rows, which count by their prior."""
        if self.prior is None:
            return self.summary().std
        return self.cached("spread", partial(weighted_spread, self, self.prior))

    def _summarise(self) -> Summary:
        """Compute the summary; the default reads all blocks."""
        old = self._cache.get("summary")  # of the first rows: all changes but `append` clear it
        if old is None or not self.resident:
            summary = summarise(self.blocks(SUMMARY_ROWS))
            if (count := len(summary.squared_norms)) != len(self):
                raise ShapeError(
                    f"{type(self).__name__}.blocks must return all {len(self)} rows, but returned "
                    f"{count}."
                )
            return summary
        rows, known, before = self.rows, self.known, len(old[1].squared_norms)
        if before == len(self):
            return old[1]
        parts = (slice(at, at + SUMMARY_ROWS) for at in range(before, len(self), SUMMARY_ROWS))
        new = summarise(
            Block(part.start, rows[part], known=None if known is None else known[part])
            for part in parts
        )
        return merge_summaries([old[1], new])

    def empty_values(self) -> Tensor | None:
        """Return an empty tensor like the values, or None where none are stored."""
        return self.cached("empty values", self._empty_values)

    def _empty_values(self) -> Tensor | None:
        """Find empty values; the default reads a block."""
        first = None if self.resident else next(iter(self.blocks(SUMMARY_ROWS)), None)
        values = self.values if first is None else first.values
        return None if values is None else values[:0]

    def take_values(self, indices: Tensor) -> Tensor:
        """Return copies of the values at `indices`; by default they are sought block by block."""
        if self.resident and self.values is not None:
            return self.values[indices]
        return self._seek(indices, "values")

    def take_known(self, indices: Tensor) -> Tensor | None:
        """Return the masks at `indices`, or None without gaps; by default sought block by block."""
        if self.resident or not self.has_gaps:
            return None if self.known is None else self.known[indices]
        return self._seek(indices, "mask")

    def take_own_known(self, indices: Tensor) -> Tensor | None:
        """Return the masks of rows that this process has; by default it has all."""
        return self.take_known(indices)

    def _seek(self, indices: Tensor, name: str) -> Tensor:
        # Entries of the blocks' attribute of this name; at least an empty part of each block.
        parts, order = [], []
        for block in self.blocks(SUMMARY_ROWS):
            at = ((indices >= block.start) & (indices < block.start + len(block))).nonzero()[:, 0]
            if (entries := getattr(block, name)) is not None:
                parts.append(entries[indices[at] - block.start])
                order.append(at)
        return torch.cat(parts)[torch.cat(order).argsort()]

    def cached(self, name: str, make: Callable[[], T], *key: object) -> T:
        """Return `make()`; the result is kept until the rows or `key` change."""
        kept = self._cache.get(name)
        if kept is None or kept[0] != (self.version, *key):
            # The result is also used outside inference mode.
            with self.lock.reading, torch.inference_mode(False):
                kept = self._cache[name] = ((self.version, *key), make())
        value: T = kept[1]
        return value

    def __getstate__(self) -> dict[str, Any]:
        """Return what to pickle or copy: no lock, no cached results, no room for more rows."""
        with self.lock.reading:
            self._drop_room()
            state = {k: v for k, v in vars(self).items() if k not in NOT_COPIED}
            if self.annotations is not None:  # columns of its own, to grow by itself
                state["annotations"] = Annotations(0).extended(self.annotations)
            return state

    def move_to_shared_memory(self) -> None:
        """Move the tensors to memory that processes can share; hold `lock.writing` meanwhile."""
        self._drop_room()
        move_tensors(self)
        if self.annotations is not None:
            move_tensors(self.annotations)

    def _drop_room(self) -> None:
        # Pickling writes all memory behind a view, and another process shares it. The tensors
        # stay this store's own: torch passes the memory of a tensor to a new process by its
        # number, after pickling, when a copy for pickling alone would be gone.
        for name, value in list(vars(self).items()):
            if isinstance(value, Tensor) and value.untyped_storage().nbytes() > value.nbytes:
                with torch.inference_mode(False):
                    setattr(self, name, value.clone(memory_format=torch.contiguous_format))
        self._buffers = (None, None, None)
        self._cache.pop("blocks", None)


def _atomic(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def change(self: Store, *args: Any, **kwargs: Any) -> Any:
        with self.lock.writing:
            try:
                if self.annotations is None and self._incoming is None:
                    return method(self, *args, **kwargs)
                with following_annotations(self, method.__name__, *args, *kwargs.values()):
                    return method(self, *args, **kwargs)
            finally:
                self.version += 1
                if not method.__name__.startswith("append"):
                    self.epoch += 1
                    self._cache.clear()

    return change
