"""Files, functions and constructors stay small; classes are abstract or final; text stays clean."""

import ast
import builtins
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from source_tree import PACKAGE, ROOT, dotted, files, parse, place, within

FOLDERS = ("src", "tests", "benchmarks", "examples", "playground")
WRITTEN = (".py", ".md", ".html", ".css", ".js", ".sh", ".toml")  # records and data may be long
# Results are filled by the library; nobody calls their constructors.
RESULTS = {"Calibration", "Dataset", "Imputation", "PairRetrieval", "Point", "Report", "Retrieval"}
RESULTS |= {"Tuning"}
# These take the place of another library's class, and its arguments.
DROP_INS = {
    "HopfieldDecoderLayer", "HopfieldEncoderLayer", "HopfieldImputer", "MultiheadHopfield",
}  # fmt: skip
ARGUMENTS, FUNCTION, FILE, SCREEN = 6, 40, 400, 80
# Not counted: every module of torch takes them, and they mean the same in each.
PLACEMENT = {"device", "dtype"}
GUIDE, WALL, ESTIMATORS = 12_000, 36_420, 2_590  # lines of the library without and of `sklearn`
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _report(wrong: list[str]) -> None:
    assert not wrong, "\n".join(["", *wrong])


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_short():
    paths = within(*FOLDERS, suffixes=WRITTEN)
    _report([f"{p.relative_to(ROOT)}: {_lines(p)} lines" for p in paths if _lines(p) > FILE])


def test_the_library_stays_small():
    """A guide to GUIDE lines, and a wall where it is now: what grows makes room elsewhere."""
    lines = {path: _lines(path) for path in within("src/hopfield")}
    total, median = sum(lines.values()), statistics.median(lines.values())
    estimators = sum(count for path, count in lines.items() if "sklearn" in path.parts)
    print(f"hopfield: {total} lines (guide {GUIDE}), median file {median:.0f}")
    assert total - estimators <= max(GUIDE, WALL), total - estimators
    assert estimators <= ESTIMATORS, estimators


def test_the_public_api_is_one_screen():
    assert _lines(PACKAGE / "__init__.py") <= SCREEN


def _length(function: ast.FunctionDef) -> int:
    """Lines from `def` to the last one, its docstring not counted."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_functions_are_short():
    _report(
        [
            f"{place(path, node)}: {node.name} has {_length(node)} lines"
            for path in within(*FOLDERS)
            for node in ast.walk(parse(path))
            if isinstance(node, FUNCTIONS) and _length(node) > FUNCTION
        ]
    )


class Class(NamedTuple):
    """A class of the package, with the last and the full name of each of its bases."""

    path: Path
    node: ast.ClassDef
    bases: dict[str, str]

    def methods(self) -> list[ast.FunctionDef]:
        return [node for node in self.node.body if isinstance(node, FUNCTIONS)]


@cache
def _classes() -> dict[str, Class]:
    found = {}
    for path in within("src"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                plain = [b.value if isinstance(b, ast.Subscript) else b for b in node.bases]
                names = [dotted(base, path) for base in plain]
                found[node.name] = Class(path, node, {n.split(".")[-1]: n for n in names})
    return found


def _ancestors(one: Class) -> Iterator[Class]:
    for base in one.bases:
        if base in _classes():
            yield _classes()[base]
            yield from _ancestors(_classes()[base])


def _decorators(node: ast.AST, path: Path) -> set[str]:
    plain = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return {dotted(d, path).split(".")[-1] for d in plain}


def _fields(one: Class) -> list[str]:
    """Arguments of the generated constructor of a dataclass or named tuple."""
    generated = "dataclass" in _decorators(one.node, one.path) or "NamedTuple" in one.bases
    if not generated:
        return []
    return [
        item.target.id
        for item in one.node.body
        if isinstance(item, ast.AnnAssign)
        and "ClassVar" not in ast.unparse(item.annotation)
        and "init=False" not in ast.unparse(item).replace(" ", "")
    ]


def _arguments(one: Class) -> int:
    for method in one.methods():
        if method.name == "__init__":
            args = method.args
            named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
            named = [one for one in named if one.arg not in PLACEMENT]
            return len(named) - 1 + bool(args.vararg) + bool(args.kwarg)
    return len({name for each in (one, *_ancestors(one)) for name in _fields(each)})


def test_constructors_take_few_arguments():
    assert set(_classes()) >= RESULTS | DROP_INS, "premise: the exceptions exist"
    _report(
        [
            f"{place(one.path, one.node)}: {name} takes {_arguments(one)} arguments"
            for name, one in _classes().items()
            if _arguments(one) > ARGUMENTS and name not in RESULTS | DROP_INS
        ]
    )


def _concrete(method: ast.FunctionDef, path: Path) -> bool:
    """True for a method with a body, unless its docstring states that it is a default."""
    body = method.body[1:] if ast.get_docstring(method) is not None else method.body
    empty = all(isinstance(n, ast.Expr) and ast.unparse(n) == "..." for n in body)
    decorators = _decorators(method, path)
    stated = "default" in (ast.get_docstring(method) or "").lower()
    return not (empty or stated or decorators & {"abstractmethod", "overload"})


def test_no_method_is_overridden_once_concrete():
    wrong = []
    for name, one in _classes().items():
        own = {method.name: method for method in one.methods()}
        for base in _ancestors(one):
            for method in base.methods():
                if method.name in own and _concrete(method, base.path):
                    where = place(one.path, own[method.name])
                    wrong.append(f"{where}: {name} overrides {base.node.name}.{method.name}")
    _report(wrong)


def _may_call_super(one: Class) -> bool:
    """Layers, estimators, autograd functions, errors and connections build on foreign classes."""
    foreign = {n for each in (one, *_ancestors(one)) for n in each.bases.values()}
    errors = (getattr(builtins, name, None) for name in foreign)
    return any(isinstance(e, type) and issubclass(e, BaseException) for e in errors) or any(
        name.startswith(("torch.nn.", "uvicorn."))  # also torch's attention, and transformers
        or name.split(".")[-1] in ("Module", "Function", "BaseEstimator")
        for name in foreign
    )


def test_super_only_under_foreign_classes():
    _report(
        [
            f"{place(one.path, node)}: super() in {name}"
            for name, one in _classes().items()
            if not _may_call_super(one)
            for node in ast.walk(one.node)
            if isinstance(node, ast.Call) and dotted(node.func, one.path) == "super"
        ]
    )


def _matches(pattern: str, paths: list[Path]) -> list[str]:
    """Lines that match in files of UTF-8 text."""
    found = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if match := re.search(pattern, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    return found


def test_no_unfinished_notes():
    # Split, so that this file holds none of them itself.
    _report(_matches(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", within("src", suffixes=WRITTEN)))


def test_no_paths_of_one_machine():
    _report(_matches(r"(?<![\w.~-])/(?:work|root|home|Users)/\w[\w./-]*", list(files())))
