"""Identity of a task: a checksum of everything that decides its records.

The header of a file names the versions of Python, the library, PyTorch and NumPy. The checksum
covers the rest: values, and of a user's functions and classes the compiled code, defaults,
closures, and the globals that they read. So a record is never reused after any of these changed.
"""

import functools
import hashlib
import io
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy
import torch

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), torch.dtype, torch.device)
HIDDEN_STATE = (io.IOBase, types.GeneratorType, types.CoroutineType, torch.Generator)
"""Objects whose behaviour cannot be read off their attributes."""


class UncomparableError(Exception):
    """A value cannot be compared with one of an earlier run."""


def fingerprint(value: Any) -> str:
    """Return a checksum of a value and of all that decides its behaviour.

    Raises:
        UncomparableError: for a value such as an open file.
    """
    hasher = _Hasher()
    hasher.add(value)
    return hasher.digest.hexdigest()


class _Hasher:
    def __init__(self) -> None:
        self.digest = hashlib.blake2b(digest_size=8)
        self.seen: dict[int, tuple[int, Any]] = {}  # keeps each object, so that ids stay unique
        self.rules: tuple[tuple[Any, Callable[[Any], None]], ...] = (
            (PLAIN, lambda value: self._tag(repr(value))),
            (torch.Tensor, self._tensor),
            ((numpy.ndarray, numpy.generic), self._array),
            ((tuple, list), self._items),
            ((set, frozenset), lambda value: self._tag(*sorted(map(fingerprint, value)))),
            ((dict, types.MappingProxyType), lambda value: self._items(value.items())),
            (functools.partial, lambda p: self._items((p.func, p.args, p.keywords))),
            (types.FunctionType, self._function),
            (types.CodeType, self._code),
            (types.MethodType, lambda m: self._items((m.__func__, m.__self__))),
            ((staticmethod, classmethod), lambda m: self.add(m.__func__)),
            (property, lambda p: self._items((p.fget, p.fset, p.fdel))),
            (functools.cached_property, lambda p: self.add(p.func)),
            (types.ModuleType, self._module),
            (types.GenericAlias, lambda value: self._tag(repr(value))),
            (type, self._class),
            (HIDDEN_STATE, self._refuse),
            (object, self._object),
        )

    def add(self, value: Any) -> None:
        self._tag(type(value).__name__)
        if id(value) in self.seen:
            self._tag(str(self.seen[id(value)][0]))
            return
        if not isinstance(value, (*PLAIN, tuple, types.CodeType)):
            self.seen[id(value)] = len(self.seen), value
        next(rule for kind, rule in self.rules if isinstance(value, kind))(value)
        self._tag("end")

    def _tag(self, *texts: str) -> None:
        for text in texts:
            self.digest.update(text.encode() + b"\0")

    def _items(self, values: Iterable[Any]) -> None:
        for value in values:
            self.add(value)

    def _tensor(self, value: torch.Tensor) -> None:
        self._tag(str(value.dtype), str(tuple(value.shape)))
        flat = value.detach().cpu().contiguous().flatten()
        self.digest.update(flat.view(torch.uint8).numpy().tobytes())

    def _array(self, value: Any) -> None:
        if value.dtype.hasobject:
            self._refuse(value)
        self._tag(str(value.dtype), str(value.shape))
        self.digest.update(value.tobytes())

    def _function(self, value: types.FunctionType) -> None:
        self._tag(value.__qualname__)
        self.add(value.__code__)
        if _has_version(value.__module__):
            self._tag(*_version(value.__module__))
            if "<locals>" not in value.__qualname__:
                return
        cells = [_content(cell) for cell in value.__closure__ or ()]
        self._items((value.__defaults__, value.__kwdefaults__, *cells))
        if _has_version(value.__module__):
            return
        for name in sorted(_names(value.__code__) & value.__globals__.keys()):
            self._items((name, value.__globals__[name]))

    def _code(self, value: types.CodeType) -> None:
        self._items((value.co_code, value.co_names, value.co_varnames, value.co_consts))

    def _module(self, value: types.ModuleType) -> None:
        self._tag(*_version(value.__name__))
        if not _has_version(value.__name__) and getattr(value, "__file__", None):
            self.digest.update(Path(str(value.__file__)).read_bytes())

    def _class(self, value: type) -> None:
        self._tag(value.__qualname__)
        if _has_version(value.__module__):
            self._tag(*_version(value.__module__))
            return
        self.add(value.__bases__)
        for name, member in sorted(vars(value).items()):
            special = name.startswith("__") and name.endswith("__")
            if not name.startswith("_abc_") and (callable(member) or not special):
                self._items((name, member))

    def _object(self, value: Any) -> None:
        if hasattr(value, "__wrapped__"):  # a function behind a cache
            self.add(value.__wrapped__)
            return
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        slots = [name for name in slots if name != "__dict__" and hasattr(value, name)]
        if hasattr(value, "__dict__") or slots:
            state = [getattr(value, "__dict__", {}), *(getattr(value, name) for name in slots)]
            self._items((type(value), *state))
        elif " at 0x" not in repr(value):
            self._items((type(value), repr(value)))
        elif type(value) is not object:
            self._refuse(value)

    def _refuse(self, value: Any) -> None:
        raise UncomparableError(f"a {type(value).__name__} cannot be compared with another")


def _names(code: types.CodeType) -> set[str]:
    nested = [_names(const) for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*nested)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _has_version(module: str) -> bool:
    """Return whether the module belongs to Python, to this library, or to an installed package."""
    top = module.split(".")[0]
    if top == "hopfield" or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is not None and file.startswith(_installed())


@functools.cache
def _installed() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(sysconfig.get_path(name) for name in names)


def _version(module: str) -> tuple[str, str]:
    top = sys.modules.get(module.split(".")[0])
    return module, str(getattr(top, "__version__", ""))
