"""Memories: objects you write patterns into."""

from .attractors import Attractors
from .base import Memory
from .classical import ClassicalHopfield
from .dense import DenseHopfield
from .io import load
from .modern import ModernHopfield
from .nearest import Nearest
from .rolling import Roll
from .sequence import SequenceHopfield

__all__ = [
    "Attractors",
    "ClassicalHopfield",
    "DenseHopfield",
    "Memory",
    "ModernHopfield",
    "Nearest",
    "Roll",
    "SequenceHopfield",
    "load",
]
