"""Memories: objects you write patterns into."""

from .attractors import Attractors
from .base import Memory
from .bidirectional import BidirectionalMemory, ModernBidirectional
from .classical import ClassicalHopfield
from .dense import DenseHopfield
from .graded import GradedHopfield
from .io import load
from .modern import ModernHopfield
from .nearest import Nearest
from .pairs import PairRetrieval
from .rolling import Roll
from .sequence import SequenceHopfield

__all__ = [
    "Attractors", "BidirectionalMemory", "ClassicalHopfield", "DenseHopfield", "GradedHopfield",
    "Memory", "ModernBidirectional", "ModernHopfield", "Nearest", "PairRetrieval", "Roll",
    "SequenceHopfield", "load",
]  # fmt: skip
