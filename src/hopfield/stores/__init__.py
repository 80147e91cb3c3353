"""Stores: where patterns live. A store knows rows and blocks and nothing of energies."""

from .base import Block, Store
from .packed import PackedBlock, PackedStore
from .ram import RamStore

__all__ = ["Block", "PackedBlock", "PackedStore", "RamStore", "Store"]
