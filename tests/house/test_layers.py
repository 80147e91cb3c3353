"""A module imports only from smaller numbers, never its own level except inside its own folder."""

from pathlib import Path

from source_tree import PACKAGE, calls, imports, place, within

ROOMS = (
    ("errors",),
    ("checks",),
    ("kernels", "files", "cue"),
    ("similarity", "separation", "coupling", "packing", "theory"),
    ("rules", "energy", "readout", "exact"),
    ("stores", "iteration", "units"),
    ("memories", "nn", "data", "corruption", "metrics", "synthetic"),
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
