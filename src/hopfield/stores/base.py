"""The interface of a store: patterns in blocks, without energies."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from ..errors import OptionError
from ..readout import ValuedBlock
from .block import Block
from .lock import ReadWriteLock

T = TypeVar("T")
SUMMARY_ROWS = 1024
"""Rows summarised together: some megabytes, which stay in the cache of the processor."""


@dataclass(frozen=True, eq=False)
class Summary:
    """Statistics of all rows of a store.

    Attributes:
        squared_norms: Σ_i x_μi² of each row, `(n,)`, in float32 at least.
        largest_norm: M = max ‖x_μ‖.
        mean: the mean row, `(dim,)`, float64.
        std: the standard deviation of each entry over the rows, `(dim,)`, float64.
    """

    squared_norms: Tensor
    largest_norm: float
    mean: Tensor
    std: Tensor


def merge(parts: "list[Summary]") -> Summary:
    """Return the statistics of all rows from those of consecutive parts (Chan et al. 1983)."""
    if len(parts) == 1:
        return parts[0]
    means, deviations = (torch.stack([getattr(p, name) for p in parts]) for name in ("mean", "std"))
    sizes = means.new_tensor([len(part.squared_norms) for part in parts])[:, None]
    shares = sizes / sizes.sum()
    mean = (shares * means).sum(0)
    variance = (shares * (deviations.square() + (means - mean).square())).sum(0)
    norms = torch.cat([part.squared_norms for part in parts])
    return Summary(norms, max(part.largest_norm for part in parts), mean, variance.sqrt())


def summarise(blocks: Iterable[ValuedBlock]) -> Summary:
    """Return the statistics of the rows in `blocks`."""
    return merge([_summary(block) for block in blocks])


def _summary(block: ValuedBlock) -> Summary:
    norms = block.squares(None)
    rows = block.rows.to(norms.dtype)
    mean = rows.mean(0)
    deviations = rows - mean
    scale = float(deviations.abs().amax()) or 1.0  # squares neither overflow nor vanish
    deviations /= scale
    rest = deviations.double().mean(0) if rows.dtype == torch.float64 else deviations.mean(0)
    variance = deviations.square_().mean(0).sub_(rest.square()).clamp_min_(0)
    mean = mean.double() + scale * rest.double()
    return Summary(norms, math.sqrt(norms.max().item()), mean, scale * variance.double().sqrt())


class Store(ABC):
    """A place where patterns and their values live.

    A subclass needs `append`, `remove`, `take`, `blocks` and `__len__`, and the attributes `dim`
    and `dtype`. Changes wait for readers: `append`, `remove` and `to` of every subclass hold
    `lock.writing` and increase `version`. `cached` keeps values derived from the rows.

    Attributes:
        dim: entries per row.
        dtype: the dtype of the rows.
        device: the device of the rows; the CPU by default.
        version: grows with every change.
        epoch: grows with every change but appending.
        lock: held by changes as a writer; hold `lock.reading` to see one version.
        rows: all rows, `(n, dim)`, of resident stores: never write to it.
        values: all values, `(n, *)`, or None, of resident stores: never write to it.
    """

    resident: ClassVar[bool] = False
    """True if all rows lie in memory: only then are there `rows` and `values`."""

    signs_only: ClassVar[bool] = False
    """True if the store can hold ±1 alone."""

    dim: int
    dtype: torch.dtype
    device: torch.device = torch.device("cpu")
    version: int
    epoch: int
    lock: ReadWriteLock
    rows: Tensor
    values: Tensor | None
    _cache: dict[str, tuple[int, Any]]
    _summarised: tuple[int, Summary | None]

    def __new__(cls, *args: object, **kwargs: object) -> "Store":
        """Give every store a lock, versions and a cache, whatever its constructor does."""
        store = object.__new__(cls)
        store.version = store.epoch = 0
        store.lock = ReadWriteLock()
        store._cache, store._summarised = {}, (0, None)
        return store

    def __init_subclass__(cls) -> None:
        """Make changes atomic and count them."""
        for name in ("append", "remove", "to"):
            if name in vars(cls):
                setattr(cls, name, _atomic(vars(cls)[name], int(name != "append")))

    @abstractmethod
    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Add copies of `rows` and `values`, all or none."""

    @abstractmethod
    def remove(self, indices: Tensor) -> None:
        """Remove rows; those behind them move up."""

    @abstractmethod
    def take(self, indices: Tensor) -> Tensor:
        """Return copies of the rows at `indices`."""

    @abstractmethod
    def blocks(self, size: int) -> Iterable[ValuedBlock]:
        """Return all rows in order, at most `size` per block."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Store":
        """Move the rows (and floating point values) and return self; the default refuses."""
        raise OptionError(
            f"a {type(self).__name__} stays where it is, with {self.dtype} on {self.device}. "
            "Make another store, and append the rows there."
        )

    def summary(self) -> Summary:
        """Return norms and spread of the rows, computed once per version."""
        kept = self._cache.get("summary")
        if kept is not None and kept[0] == self.version:
            summary: Summary = kept[1]
            return summary
        return self.cached("summary", self._summarise)

    def _summarise(self) -> Summary:
        epoch, old = self._summarised
        if self.resident and old is not None and epoch == self.epoch:  # only the rows added since
            rows, before = self.rows, len(old.squared_norms)
            starts = range(before, len(self), SUMMARY_ROWS)
            new = [_summary(Block(at, rows[at : at + SUMMARY_ROWS])) for at in starts]
            summary = merge([old, *new])
        else:
            summary = summarise(self.blocks(SUMMARY_ROWS))
        self._summarised = (self.epoch, summary)
        return summary

    def empty_values(self) -> Tensor | None:
        """Return an empty tensor like the values, or None where none are stored."""
        return self.cached("empty values", self._empty_values)

    def _empty_values(self) -> Tensor | None:
        first = None if self.resident else next(iter(self.blocks(SUMMARY_ROWS)), None)
        values = self.values if first is None else first.values
        return None if values is None else values[:0]

    def take_values(self, indices: Tensor) -> Tensor:
        """Return copies of the values at `indices`."""
        if self.resident and self.values is not None:
            return self.values[indices]
        parts, order = [], []
        for block in self.blocks(SUMMARY_ROWS):
            at = ((indices >= block.start) & (indices < block.start + len(block))).nonzero()[:, 0]
            if len(at) and block.values is not None:
                parts.append(block.values[indices[at] - block.start])
                order.append(at)
        return torch.cat(parts)[torch.cat(order).argsort()]

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` derives from the rows, and keep it until they change."""
        version = self.version  # read before the rows: a change in between makes it stale
        kept = self._cache.get(name)
        if kept is None or kept[0] != version:
            with torch.inference_mode(False):  # it is used outside as well
                kept = self._cache[name] = (version, make())
        value: T = kept[1]
        return value

    def __getstate__(self) -> dict[str, Any]:
        """Pickle neither the lock nor derived values."""
        with self.lock.reading:
            derived = ("lock", "_cache", "_summarised")
            return {k: v for k, v in vars(self).items() if k not in derived}


def _atomic(method: Callable[..., Any], removes: int) -> Callable[..., Any]:
    @wraps(method)
    def change(self: Store, *args: Any, **kwargs: Any) -> Any:
        with self.lock.writing:
            try:
                return method(self, *args, **kwargs)
            finally:
                self.version += 1
                self.epoch += removes

    return change
