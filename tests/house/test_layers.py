"""Modules import from rooms above their own; studies import public names of the library only."""

import ast
import importlib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import hopfield
from source_tree import PACKAGE, calls, dotted, imports, parse, place, within

ROOMS = (
    ("errors", "mask_hints"),
    ("checks",),
    ("kernels", "files", "cue", "typed", "pictures", "overrides", "own_scores", "ranks"),
    ("similarity", "separation", "post", "coupling", "packing", "theory", "inputs"),
    ("rules", "energy", "readout", "scores", "leave_one_out", "exact", "cycles", "bound"),
    ("stores", "iteration", "units", "calibration"),
    ("memories", "nn", "data", "corruption", "metrics", "synthetic"),
    ("sklearn",),
    ("analysis",),
    ("experiments",),
    ("plots",),
    ("cli",),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
API = PACKAGE / "__init__.py"  # gathers the public names, so it stands above all


def _room(path: Path) -> str:
    """The top module or folder of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _inside(path: Path) -> list[tuple[object, str]]:
    """(node, dotted name) of what a module takes from this package, also at run time."""
    found = [(node, name) for node, _, name in imports(path)]
    for node, function in calls(path):
        if function in ("__import__", "importlib.import_module"):
            name = getattr(node.args[0], "value", None) if node.args else None
            found.append((node, name if isinstance(name, str) else "hopfield.?"))
    # A name relative to the package can only reach import_module, where it must be spelled out.
    found = [(node, "hopfield.?" if name.startswith(".") else name) for node, name in found]
    return [(node, name) for node, name in found if name.split(".")[0] == "hopfield"]


def _rooms() -> set[str]:
    return {_room(path) for path in within("src/hopfield") if path != API}


def test_the_table_names_every_module():
    assert _rooms(), "premise: the package has modules"
    missing = sorted(_rooms() - LEVEL.keys())
    assert not missing, "give these a level, here and in docs/architecture.md"


def test_imports_point_downwards():
    wrong = []
    for path in within("src/hopfield"):
        own = _room(path)
        for node, name in _inside(path) if own in LEVEL else ():
            room = f"{name}.".split(".")[1]
            if room not in LEVEL.keys() | _rooms():
                wrong.append(f"{place(path, node)}: {name} comes from the root; name its module")
            elif room != own and LEVEL.get(room, -1) >= LEVEL[own]:
                wrong.append(
                    f"{place(path, node)}: {own} (level {LEVEL[own]}) imports "
                    f"{room} (level {LEVEL[room]})"
                )
    assert not wrong, "\n".join(["", *dict.fromkeys(wrong)])


def _modules() -> dict[str, Path]:
    """The modules of both packages by their dotted names."""
    source = PACKAGE.parent
    return {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
        for path in within("src")
    }


def _needed(path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules that are loaded before this one is: not inside functions, nor for types only."""
    late = {
        inner
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    found = set()
    for node, _, name in imports(path):
        while name not in modules and "." in name:
            name = name.rpartition(".")[0]
        found |= {name} if name in modules and node not in late else set()
    return found


def test_no_circle_of_imports():
    modules = _modules()
    picture = {name: _needed(path, modules) - {name} for name, path in modules.items()}
    assert picture["hopfield.readout"], "premise: modules import each other"
    try:
        TopologicalSorter(picture).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None


NAMED_TUPLE = ("_replace", "_asdict")


def _is_public(name: str) -> bool:
    """True if a dotted name is public: each part is in `__all__`, or defined where it is found."""
    first, *parts = name.split(".")[1:]
    if first not in hopfield.__all__:
        return False
    value = getattr(hopfield, first)
    for part in parts:
        if not isinstance(value, ModuleType) or not value.__name__.startswith("hopfield"):
            return True  # an attribute of a public object
        names = getattr(value, "__all__", None)
        if names is None:
            names = [key for key, item in vars(value).items()
                     if not key.startswith("_") and not isinstance(item, ModuleType)
                     and getattr(item, "__module__", value.__name__) == value.__name__]  # fmt: skip
        if part not in names:
            return False
        value = getattr(value, part, None) or importlib.import_module(f"{value.__name__}.{part}")
    return True


def test_studies_use_public_names_only():
    paths = within("src/hopfield_studies")
    assert paths, "premise: there are studies"
    wrong = []
    for path in paths:
        used = [(node, name) for node, _, name in imports(path)]
        used += [(node, dotted(node, path)) for node in ast.walk(parse(path))
                 if isinstance(node, ast.Attribute)]  # fmt: skip
        wrong += [f"{place(path, node)}: {name}" for node, name in used
                  if name.startswith("hopfield.") and not _is_public(name)]  # fmt: skip
        wrong += [f"{place(path, node)}: .{node.attr}" for node in ast.walk(parse(path))
                  if isinstance(node, ast.Attribute) and node.attr.startswith("_")
                  and not node.attr.startswith("__") and node.attr not in NAMED_TUPLE]  # fmt: skip
    assert not wrong, "\n".join(["", *wrong])
    assert not _is_public("hopfield.files.write_whole") and not _is_public("hopfield.plots.files")
    assert not _is_public("hopfield.metrics.check_number") and _is_public("hopfield.data.load")
