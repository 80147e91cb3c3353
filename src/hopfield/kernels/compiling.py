"""How kernels are compiled: once a machine, kept on disk where there is a place for it.

They release the interpreter while they run, and divide by zero as arrays do. A helper must live in
the module of its callers: the cache of a caller does not notice that another file has changed.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile `function` on its first call; it rounds as torch does."""
    return _compiled(function, fastmath=False)


def summing(function: Function) -> Function:
    """Compile `function`, taking its sums in any order, as vector units need.

    Harmless for sums of whole numbers; what decides about a unit must not be compiled so.
    """
    return _compiled(function, fastmath={"reassoc"})


def _compiled(function: Function, **options: Any) -> Function:
    options |= {"nogil": True, "error_model": "numpy"}
    try:
        made: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that could hold the cache
        made = numba.njit(**options)(function)
    return made
