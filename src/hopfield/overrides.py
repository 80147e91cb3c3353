"""Checks of functions and methods of users: do they take the arguments that the library passes?"""

import inspect
from collections.abc import Callable, Sequence

from .checks import short_repr
from .errors import InputTypeError


def check_takes(name: str, function: Callable[..., object], arguments: Sequence[str]) -> None:
    """Raise unless the function can be called with these arguments by position."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some functions in C none is known
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise InputTypeError(
            f"{name} must take ({', '.join(arguments)}), but takes {signature}."
        ) from None


def check_overrides(kind: type, base: type, more: Sequence[str] = ()) -> None:
    """Raise if a member of a class does not take the place of that of `base`.

    Args:
        kind: a subclass of `base`.
        base: the class that declares the members.
        more: arguments that `potential` and `__call__` take in addition.
    """
    members = dict(vars(kind))
    if more:  # inherited methods get the additional arguments too
        members |= {name: inspect.getattr_static(kind, name) for name in ("potential", "__call__")}
    for name, member in members.items():
        if not inspect.isfunction(member) or (name.startswith("__") and name != "__call__"):
            continue
        declared, label = inspect.getattr_static(base, name, None), f"{kind.__name__}.{name}"
        if member is declared:
            continue
        if isinstance(declared, (property, bool)):
            raise InputTypeError(f"{label} must be a value or a property. Put @property above it.")
        if inspect.isfunction(declared):
            required = [
                each.name
                for each in inspect.signature(declared).parameters.values()
                if each.default is each.empty
            ]
            added = more if name in ("potential", "__call__") else ()
            check_takes(label, member, [*required, *added])


def check_callable(name: str, function: object, arguments: Sequence[str]) -> None:
    """Raise unless `function` is callable, and takes these arguments by position."""
    if not callable(function):
        raise InputTypeError(
            f"{name} must be a function of ({', '.join(arguments)}), but is {short_repr(function)}."
        )
    check_takes(name, function, arguments)
