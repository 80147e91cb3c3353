"""Stores: where patterns live. A store knows rows and blocks and nothing of energies."""

from .base import Block, Store
from .ram import RamStore

__all__ = ["Block", "RamStore", "Store"]
