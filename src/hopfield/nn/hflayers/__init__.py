"""Taking over layers that were trained with ml-jku's hflayers."""

from .build import from_hflayers

__all__ = ["from_hflayers"]
