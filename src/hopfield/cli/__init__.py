"""What the commands do; hopfield_cli parses them."""

from .demo import demonstrate, describe
from .plot import plot
from .reproduce import reproduce

__all__ = ["demonstrate", "describe", "plot", "reproduce"]
