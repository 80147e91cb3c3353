"""Shape checks (jaxtyping, beartype) in modules of pure functions, which tests switch on and off.

jaxtyping's own import hook prepares every function where it is defined, inner functions at each
call, which takes much of a test's time even while the checks are off. Here a function of a module
or class is prepared at its first checked call. Inner functions have no shapes.
"""

import ast
import dataclasses
import functools
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

import jaxtyping
from beartype import beartype


class Switch:
    """Shapes are checked while `on` is True."""

    on = True


def checked(function: Callable) -> Callable:
    """Check the shapes of arguments and result while the switch is on."""
    with_checks = None

    @functools.wraps(function)
    def call(*args, **kwargs):
        nonlocal with_checks
        if not Switch.on:
            return function(*args, **kwargs)
        if with_checks is None:
            with_checks = jaxtyping.jaxtyped(function, typechecker=beartype)
        return with_checks(*args, **kwargs)

    return call


def checked_fields(kind: type) -> type:
    """Check the fields of a new object, if the class is a dataclass."""
    if dataclasses.is_dataclass(kind) and "__init__" in vars(kind):
        kind.__init__ = checked(kind.__init__)
    return kind


class _Decorated(SourceFileLoader):
    """Decorate every function and class of a module."""

    def path_stats(self, path: str) -> dict:
        raise OSError  # so that Python neither reads nor writes compiled files

    def source_to_code(self, data: bytes, path: str, **options):
        tree = ast.parse(data, path)
        waiting = list(tree.body)
        for node in waiting:
            if isinstance(node, ast.ClassDef):
                waiting += node.body
                node.decorator_list.insert(0, self._name("checked_fields", node))
            elif isinstance(node, ast.FunctionDef):
                node.decorator_list.append(self._name("checked", node))
        return compile(tree, path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(_checked=checked, _checked_fields=checked_fields)
        super().exec_module(module)

    @staticmethod
    def _name(name: str, node: ast.AST) -> ast.Name:
        return ast.copy_location(ast.Name(f"_{name}", ast.Load()), node)


class _Finder:
    """Find the modules below some names."""

    def __init__(self, names: list[str]):
        self.names = names

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if not any(f"{name}.".startswith(f"{each}.") for each in self.names):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Decorated(name, spec.origin)
        return spec


def check_shapes_in(names: list[str]) -> None:
    """Check shapes in these modules and those below them, which nothing has imported yet."""
    sys.meta_path.insert(0, _Finder(names))
