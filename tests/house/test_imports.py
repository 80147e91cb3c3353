"""Importing the package loads no extra, and its source never calls what is unsafe."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from jaxtyping import TypeCheckError

import hopfield
from hopfield import Softmax
from shapes import Switch
from source_tree import PACKAGE, ROOT, calls, imports, parse, place, within

SOURCES = "src"
LOADS = """
import random, sys
import {core}, safetensors.torch
state = torch.get_rng_state(), repr(numpy.random.get_state()), random.getstate()
before = set(sys.modules)
import hopfield
from hopfield import *
same = torch.equal(torch.get_rng_state(), state[0])
same = same and (repr(numpy.random.get_state()), random.getstate()) == state[1:]
assert same, "importing hopfield uses global random state"
tops = {{name.split(".")[0] for name in set(sys.modules) - before}}
tops -= {{"hopfield", *sys.stdlib_module_names, *(name.split(".")[0] for name in before)}}
assert not tops, f"importing hopfield loads {{', '.join(sorted(tops))}}"
print(hopfield.__file__)
"""


def test_importing_loads_no_extra_and_leaves_the_generators_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = [re.match(r"\w+", need)[0] for need in project["dependencies"]]
    core = ", ".join(needs)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOADS.format(core=core)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr.strip().splitlines()[-1]
    assert Path(done.stdout.strip()).parent == PACKAGE, "these tests test another tree"


def test_importing_the_package_or_the_command_line_loads_no_torch():
    code = "import sys, hopfield, hopfield.cli; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_what_type_checkers_are_told_is_what_is_loaded():
    (block,) = (
        node for node in parse(PACKAGE / "__init__.py").body
        if isinstance(node, ast.If) and any(isinstance(x, ast.ImportFrom) for x in node.body)
    )  # fmt: skip
    declared = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom)
                for alias in node.names}  # fmt: skip
    assert declared.keys() == set(hopfield.__all__)
    for name, module in declared.items():
        home = importlib.import_module(f"hopfield.{module or name}")
        assert getattr(hopfield, name) is (getattr(home, name) if module else home)


def test_the_package_offers_what_it_names_and_no_more():
    """`__all__` names everything public but submodules; each name is documented on top."""
    assert set(dir(hopfield)) == {*hopfield.__all__, "__version__"}
    for name in hopfield.__all__:
        getattr(hopfield, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hopfield.nonsense
    submodules = {
        name
        for name, value in vars(hopfield).items()
        if isinstance(value, ModuleType) and value.__name__.startswith("hopfield.")
    }
    used = {"TYPE_CHECKING", "import_module", "metadata"}
    public = {name for name in vars(hopfield) if not name.startswith("_")} - used
    assert public - submodules <= set(hopfield.__all__) <= public
    assert list(hopfield.__all__) == sorted(set(hopfield.__all__), key=_by_case)
    listed = set(re.findall(r"\w+", hopfield.__doc__))
    assert set(hopfield.__all__) <= listed
    for name in hopfield.__all__:
        assert getattr(hopfield, name).__doc__, name


def _by_case(name: str) -> tuple[bool, str]:
    return not name[0].isupper(), name


# Each is the start of a dotted name: "pickle" stands for pickle.loads as well.
UNSAFE = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
UNSAFE += ("torch.load", "torch.save", "eval", "exec")
SEEDS = ("torch.manual_seed", "torch.seed", "torch.random", "torch.set_rng_state")
SEEDS += ("torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "torch.cuda.seed")
FRESH = ("random.Random", "numpy.random.default_rng", "numpy.random.Generator")
DRAWS = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson")
DRAWS += ("rand_like", "randn_like", "randint_like")
IN_PLACE = (
    "normal_",
    "uniform_",
    "random_",
    "bernoulli_",
    "exponential_",
    "cauchy_",
    "log_normal_",
)


def _is(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def _unsafe(path: Path) -> Iterator[ast.AST]:
    yield from (node for node, _, name in imports(path) if _is(name, UNSAFE))
    for node, name in calls(path):
        pickles = any(k.arg == "allow_pickle" for k in node.keywords)
        if _is(name, UNSAFE) or pickles:
            yield node


def _global_random(path: Path) -> Iterator[ast.AST]:
    for node, name in calls(path):
        of_module = name.startswith(("random.", "numpy.random."))
        if _is(name, SEEDS) or (of_module and not _is(name, FRESH)):
            yield node
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        draws = name.startswith("torch.") and name.split(".")[1] in DRAWS
        if (draws or method in (*IN_PLACE, "multinomial")) and not any(
            k.arg == "generator" for k in node.keywords
        ):
            yield node


def _asserts(path: Path) -> Iterator[ast.AST]:
    """User input is refused by a named error, which `python -O` keeps."""
    yield from (node for node in ast.walk(parse(path)) if isinstance(node, ast.Assert))


def _postponed(path: Path) -> Iterator[ast.AST]:
    """Annotations as strings would hide the shapes from the checker."""
    yield from (node for node, _, name in imports(path) if name == "__future__.annotations")


@pytest.mark.parametrize("rule", [_unsafe, _global_random, _asserts, _postponed])
def test_the_source_has_no(rule):
    assert within(SOURCES), "premise: there is source"
    wrong = [place(path, node) for path in within(SOURCES) for node in rule(path)]
    assert not wrong, "\n".join([f"{rule.__name__.strip('_')}:", *wrong])


@pytest.mark.parametrize("wrong", [lambda: Softmax(1.0)(3), lambda: Softmax([1])])
def test_shapes_of_pure_functions_are_checked(wrong, monkeypatch):
    monkeypatch.setattr(Switch, "on", True)
    with pytest.raises(TypeCheckError):
        wrong()
