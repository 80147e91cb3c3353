"""Decorators that compile kernels: once per machine, cached on disk if a folder can be written.

Kernels release the interpreter lock while they run, and divide by zero as arrays do. A helper must
lie in the module of its callers: the cache of a caller does not notice that another file changed.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile `function` on its first call; it rounds as torch does."""
    return _compiled(function, fastmath=False)


def summing(function: Function) -> Function:
    """Compile `function` with sums in any order and a·b + c rounded once, as vector units need.

    Sums of whole numbers stay exact. A sum that decides about a unit must not be compiled so.
    """
    return _compiled(function, fastmath={"reassoc", "contract"})


def fusing(function: Function) -> Function:
    """Compile `function` with a·b + c rounded once, where the processor can."""
    return _compiled(function, fastmath={"contract"})


def _compiled(function: Function, **options: Any) -> Function:
    options |= {"nogil": True, "error_model": "numpy"}
    try:
        compiled: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that could hold the cache
        compiled = numba.njit(**options)(function)
    return compiled
