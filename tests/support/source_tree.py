"""Files of this tree, for the house tests, and their syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "hopfield"


@cache
def files() -> tuple[Path, ...]:
    """Every file of the tree that git does not ignore; without git, all outside dot folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [p for p in ROOT.rglob("*") if not str(p.relative_to(ROOT)).startswith(".")]
    return tuple(sorted(path for path in found if path.is_file()))


def within(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    """The files with one of `suffixes` in these top folders of the tree."""
    tops = [ROOT / folder for folder in folders]
    return [
        path
        for path in files()
        if path.suffix in suffixes and any(path.is_relative_to(top) for top in tops)
    ]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, node: ast.AST) -> str:
    """Where a finding is, as an editor can jump to it."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def imports(path: Path) -> Iterator[tuple[ast.AST, str, str]]:
    """(node, local name, absolute dotted name) of all imports, also those inside functions."""
    package = path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            for item in node.names:
                yield node, item.asname or item.name, item.name
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*parts, *([node.module] if node.module else [])])
            for item in node.names:
                yield node, item.asname or item.name, f"{origin}.{item.name}"


@cache
def bindings(path: Path) -> dict[str, str]:
    """Origins of the imported names of a module: {"np": "numpy", …}."""
    return {local: name for _, local, name in imports(path)}


def dotted(node: ast.AST, path: Path) -> str:
    """The absolute dotted name of a plain name or attribute, "" of anything else."""
    if isinstance(node, ast.Name):
        return bindings(path).get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        origin = dotted(node.value, path)
        return f"{origin}.{node.attr}" if origin else ""
    return ""


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call of a module, with the absolute dotted name of its function."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func, path)
