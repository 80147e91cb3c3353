"""Extension of griffe: constructors show their arguments only.

The docstring of a class describes them; that of `__init__` would be printed below it.
"""

from typing import Any

import griffe


class Constructors(griffe.Extension):
    """Drop the docstrings of constructors."""

    def on_function_instance(self, *, func: griffe.Function, **others: Any) -> None:
        """Drop the docstring of `func` if it is a constructor."""
        if func.name == "__init__":
            func.docstring = None
