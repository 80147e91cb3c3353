"""Associative memory in PyTorch: store patterns, retrieve them from damaged cues, read the energy.

Memories:     ClassicalHopfield, DenseHopfield, ModernHopfield, each a Memory; load reads a file
Questions:    Cue in, Retrieval out
Separations:  Softmax, Sparsemax, Entmax, TopK, Polynomial, RectifiedPolynomial; Separation
Functions:    attention, backend; the modules energy, rules, similarity, separation, units
Advice:       diagnose a memory, explain an answer, tune for patterns
Around them:  the modules nn (layers), data, corruption, metrics, synthetic
Mistakes:     HopfieldError and CapacityWarning; the module errors
"""

from importlib.metadata import version as _version

from . import (
    corruption,
    data,
    energy,
    errors,
    metrics,
    nn,
    rules,
    separation,
    similarity,
    synthetic,
    units,
)
from .analysis import diagnose, explain, tune
from .cue import Cue
from .errors import CapacityWarning, HopfieldError
from .iteration import Retrieval
from .kernels import backend
from .memories import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield, load
from .readout import attention
from .separation import (
    Entmax,
    Polynomial,
    RectifiedPolynomial,
    Separation,
    Softmax,
    Sparsemax,
    TopK,
)

__version__ = _version("hopfield")

__all__ = [
    "CapacityWarning",
    "ClassicalHopfield",
    "Cue",
    "DenseHopfield",
    "Entmax",
    "HopfieldError",
    "Memory",
    "ModernHopfield",
    "Polynomial",
    "RectifiedPolynomial",
    "Retrieval",
    "Separation",
    "Softmax",
    "Sparsemax",
    "TopK",
    "attention",
    "backend",
    "corruption",
    "data",
    "diagnose",
    "energy",
    "errors",
    "explain",
    "load",
    "metrics",
    "nn",
    "rules",
    "separation",
    "similarity",
    "synthetic",
    "tune",
    "units",
]
