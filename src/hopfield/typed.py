"""A decorator for functions of plain objects: it checks the arguments by their annotations."""

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real
from types import UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

from .checks import short_repr
from .errors import InputTypeError

P = ParamSpec("P")
T = TypeVar("T")
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def typed(function: Callable[P, T]) -> Callable[P, T]:
    """Wrap a function: arguments that do not fit its annotations raise `InputTypeError`."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind not in VARIADIC and not _fits(value, parameter.annotation):
                text = inspect.formatannotation(parameter.annotation)
                raise InputTypeError(f"{name} must be {text}, but is {short_repr(value)}.")
        return function(*args, **kwargs)

    return call


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint in (int, float):
        return isinstance(value, Integral if hint is int else Real) and not isinstance(value, bool)
    return hint is Any or isinstance(value, origin or hint)
