"""What the commands do; hopfield_cli parses them."""

from .demo import demonstrate, describe
from .reproduce import reproduce

__all__ = ["demonstrate", "describe", "reproduce"]
