"""Operators of torch that are called, and the sizes of the tensors that they return."""

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Largest(TorchDispatchMode):
    """Records numbers of entries in memory: an expanded tensor takes none.

    Attributes:
        names: names of the operators.
        numel: entries of the largest tensor, the storage of `given` apart.
        floats: entries of the largest floating point tensor.
    """

    def __init__(self, given: torch.Tensor | None = None):
        super().__init__()
        self.given = None if given is None else given.untyped_storage().data_ptr()
        self.names: set[str] = set()
        self.numel = self.floats = 0
        self.sizes: list[tuple[StorageWeakRef, int]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.names.add(str(func))
        for one in tree_leaves(result):
            if isinstance(one, torch.Tensor) and one.layout == torch.strided:
                storage = one.untyped_storage()
                count = storage.nbytes() // one.itemsize
                if storage.data_ptr() != self.given:
                    self.numel = max(self.numel, count)
                if one.is_floating_point():
                    self.floats = max(self.floats, count)
                    self.sizes.append((StorageWeakRef(storage), count))
        return result

    def alive(self) -> list[int]:
        """Return the entries of the floating point tensors that are still in memory."""
        sizes = {storage.cdata: size for storage, size in self.sizes if not storage.expired()}
        return list(sizes.values())
