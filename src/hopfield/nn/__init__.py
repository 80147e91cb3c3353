"""Hopfield networks as layers to train: association, pooling and lookup.

Functions:   nn.functional: association, and the same described
Layers:      HopfieldAssociation, HopfieldPooling, HopfieldLookup
Choices:     Iteration (steps, tolerance, gradients), Projections (modules into and out of heads)
"""

from . import functional
from .association import HopfieldAssociation, Projections
from .functional import Association
from .hflayers import from_hflayers
from .iteration import Iteration
from .learned import HopfieldLookup, HopfieldPooling

__all__ = [
    "Association",
    "HopfieldAssociation",
    "HopfieldLookup",
    "HopfieldPooling",
    "Iteration",
    "Projections",
    "from_hflayers",
    "functional",
]
