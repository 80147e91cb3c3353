"""Conversion of layers that were trained with ml-jku's hflayers."""

from .convert import from_hflayers

__all__ = ["from_hflayers"]
