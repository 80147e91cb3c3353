"""What the commands do; hopfield_cli parses them."""

from .info import describe, load
from .plot import plot

__all__ = ["describe", "load", "plot"]
