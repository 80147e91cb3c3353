"""Stores: where patterns live. A store knows rows and blocks, but no energies."""

from .base import Store
from .block import Block, PriorBlock
from .disk import DiskStore
from .packed import PackedBlock, PackedStore
from .ram import RamStore
from .sharded import ShardedStore
from .summary import Summary

__all__ = [
    "Block", "DiskStore", "PackedBlock", "PackedStore", "PriorBlock", "RamStore",
    "ShardedStore", "Store", "Summary",
]  # fmt: skip
