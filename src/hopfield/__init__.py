"""Associative memory in PyTorch: store patterns, retrieve them from damaged cues, read the energy.

Memories:     ClassicalHopfield, GradedHopfield, DenseHopfield, ModernHopfield, SequenceHopfield,
              BidirectionalMemory, ModernBidirectional: each a Memory; load reads a file
Stores:       RamStore, PackedStore (one bit per entry), each a Store
Questions:    Cue in, Retrieval out, or the k best as a Nearest; diagnose, explain, tune advise
Separations:  Softmax, Sparsemax, Entmax, Normmax, TopK, KSubsets, Epanechnikov, Polynomial,
              RectifiedPolynomial; Separation
Functions:    attention, backend; the modules energy, rules, similarity, separation, units, stores
Around them:  the modules nn, data, corruption, metrics, synthetic, experiments, theory, plots
Mistakes:     HopfieldError and CapacityWarning; the module errors
"""

# Each name is loaded when it is first used: the command line answers before PyTorch is loaded.

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # isort: off
    from . import corruption, data, energy, errors, experiments, metrics, nn, plots, rules
    from . import separation, similarity, stores, synthetic, theory, units
    from .analysis import diagnose, explain, tune
    from .cue import Cue
    from .errors import CapacityWarning, HopfieldError
    from .iteration import Retrieval
    from .kernels import backend
    from .memories import BidirectionalMemory, ClassicalHopfield, DenseHopfield, Memory, load
    from .memories import GradedHopfield, ModernBidirectional, ModernHopfield, Nearest
    from .memories import SequenceHopfield
    from .readout import attention
    from .separation import Entmax, Epanechnikov, KSubsets, Normmax, Polynomial
    from .separation import RectifiedPolynomial, Separation, Softmax, Sparsemax, TopK
    from .stores import PackedStore, RamStore, Store

    __version__: str

__all__ = [
    "BidirectionalMemory", "CapacityWarning", "ClassicalHopfield", "Cue", "DenseHopfield", "Entmax",
    "Epanechnikov", "GradedHopfield", "HopfieldError", "KSubsets", "Memory", "ModernBidirectional",
    "ModernHopfield", "Nearest", "Normmax", "PackedStore", "Polynomial", "RamStore",
    "RectifiedPolynomial", "Retrieval", "Separation", "SequenceHopfield", "Softmax", "Sparsemax",
    "Store", "TopK", "attention", "backend", "corruption", "data", "diagnose", "energy", "errors",
    "experiments", "explain", "load", "metrics", "nn", "plots", "rules", "separation", "similarity",
    "stores", "synthetic", "theory", "tune", "units",
]  # fmt: skip

_DEFINED_IN = {
    "analysis": ("diagnose", "explain", "tune"),
    "cue": ("Cue",),
    "errors": ("CapacityWarning", "HopfieldError"),
    "iteration": ("Retrieval",),
    "kernels": ("backend",),
    "memories": ("BidirectionalMemory", "ClassicalHopfield", "DenseHopfield", "GradedHopfield",
                 "Memory", "ModernBidirectional", "ModernHopfield", "Nearest", "load",
                 "SequenceHopfield"),
    "readout": ("attention",),
    "separation": ("Entmax", "Epanechnikov", "KSubsets", "Normmax", "Polynomial",
                   "RectifiedPolynomial", "Separation", "Softmax", "Sparsemax", "TopK"),
    "stores": ("PackedStore", "RamStore", "Store"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _DEFINED_IN.items() for name in names}

if not TYPE_CHECKING:  # a type checker knows the names from above, and no others

    def __getattr__(name):
        if name == "__version__":
            value = import_module("importlib.metadata").version("hopfield")
        elif name in _MODULE_OF:
            value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
        elif name in __all__:
            value = import_module(f".{name}", __name__)
        else:
            raise AttributeError(f"module 'hopfield' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
