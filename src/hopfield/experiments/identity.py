"""Checksums by which a stored record of an experiment is reused only if nothing has changed.

A checksum covers all values that an experiment uses. Of a user's functions and classes it covers
the compiled code, defaults, closures, and the globals that they read. Python, this library and
installed packages count by name and version; the header of a file of records names the versions
of Python, the library, PyTorch and NumPy.
"""

import copyreg
import functools
import hashlib
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy
import torch

PLAIN = (type(None), bool, int, float, complex, str, type(...), torch.dtype, torch.device)
HIDDEN_STATE = (Iterator, torch.Generator)
"""Objects that each use moves on, without a state to read: they cannot be compared."""


class UncomparableError(Exception):
    """Error: a checksum cannot tell whether this value equals that of an earlier run."""


def fingerprint(value: Any) -> str:
    """Return a checksum of a value and of everything that its behaviour depends on.

    Raises:
        UncomparableError: for a value such as an open file.
    """
    digest = hashlib.blake2b(digest_size=8)
    seen: dict[int, tuple[int, Any]] = {}  # holds references: the id of a freed object is reused

    def add(value: Any) -> None:
        digest.update(f"{type(value).__name__}\0".encode())
        if isinstance(value, bytes):
            digest.update(value)
        elif isinstance(value, PLAIN):
            digest.update(f"{value!r}\0".encode())
        elif id(value) in seen:
            digest.update(f"{seen[id(value)][0]}\0".encode())
        else:
            if not isinstance(value, (tuple, types.CodeType)):
                seen[id(value)] = len(seen), value
            for part in _parts(value):
                add(part)
            digest.update(b"end\0")

    add(value)
    return digest.hexdigest()


def _parts(value: Any) -> Iterable[Any]:
    """Return the values that the behaviour of this value depends on."""
    if isinstance(value, HIDDEN_STATE):
        raise UncomparableError(f"a {type(value).__name__} cannot be compared with another")
    if hasattr(value, "__wrapped__"):  # a function behind a cache
        return (value.__wrapped__,)
    return next((parts for kind, parts in PARTS if isinstance(value, kind)), _pickled_parts)(value)


def _tensor(value: torch.Tensor) -> Iterable[Any]:
    content = value.detach().cpu().contiguous().flatten().view(torch.uint8)
    return value.dtype, tuple(value.shape), content.numpy().tobytes()


def _array(value: Any) -> Iterable[Any]:
    if value.dtype.hasobject:
        raise UncomparableError("an array of objects cannot be compared with another")
    return str(value.dtype), value.shape, value.tobytes()


def _function(value: types.FunctionType) -> Iterable[Any]:
    version = _version(value.__module__)
    parts: tuple[Any, ...] = (value.__qualname__, version, value.__code__)
    if version and "<locals>" not in value.__qualname__:
        return parts
    cells = [_content(cell) for cell in value.__closure__ or ()]
    parts += (value.__defaults__, value.__kwdefaults__, cells)
    if version:
        return parts
    names = sorted(_names(value.__code__) & value.__globals__.keys())
    return (*parts, [(name, value.__globals__[name]) for name in names])


def _names(code: types.CodeType) -> set[str]:
    nested = [_names(const) for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*nested)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _class(value: type) -> Iterable[Any]:
    if version := _version(value.__module__):
        return value.__qualname__, version
    members = [
        (name, member)
        for name, member in sorted(vars(value).items())
        if not name.startswith("_abc_")
        and (callable(member) or not (name.startswith("__") and name.endswith("__")))
    ]
    return value.__qualname__, value.__bases__, members


def _module(value: types.ModuleType) -> Iterable[Any]:
    version, file = _version(value.__name__), getattr(value, "__file__", None)
    return version or (value.__name__, Path(file).read_bytes() if file else b"")


def _pickled_parts(value: Any) -> Iterable[Any]:
    """Return the parts that pickle would store: class and state, or a global name."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        reduced = reduce(value) if reduce else value.__reduce_ex__(4)
    except Exception as error:  # objects raise any error here
        raise UncomparableError(f"a {type(value).__name__} cannot be copied: {error}") from None
    if isinstance(reduced, str):
        return type(value), reduced
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]


PARTS: tuple[tuple[Any, Callable[[Any], Iterable[Any]]], ...] = (
    (torch.Tensor, _tensor),
    ((numpy.ndarray, numpy.generic), _array),
    ((tuple, list), lambda value: value),
    ((set, frozenset), lambda value: sorted(map(fingerprint, value))),
    ((dict, types.MappingProxyType), lambda value: value.items()),
    (types.FunctionType, _function),
    (types.CodeType, lambda c: (c.co_code, c.co_names, c.co_varnames, c.co_consts)),
    (types.ModuleType, _module),
    (type, _class),
    ((staticmethod, classmethod), lambda value: (value.__func__,)),
    (property, lambda value: (value.fget, value.fset, value.fdel)),
    (functools.cached_property, lambda value: (value.func,)),
)
"""Types, each with a function that returns the parts of a value; the first match counts."""


def _version(module: str) -> tuple[str, ...]:
    """Return the name and version of a module that is not the user's own code, else ()."""
    top = module.split(".")[0]
    loaded = sys.modules.get(top)
    file = getattr(loaded, "__file__", None)
    has_version = top == "hopfield" or top in sys.stdlib_module_names
    if has_version or (file is not None and file.startswith(_installed())):
        return module, str(getattr(loaded, "__version__", ""))
    return ()


@functools.cache
def _installed() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(sysconfig.get_path(name) for name in names)
