"""Runs before anything imports hopfield: shape checks, threads, guard of global randomness."""

import os
import random
import sys
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import sklearn.datasets  # noqa: F401  importing it draws once from Python's global generator
import torch
from beartype._check.code import codemain
from hypothesis import settings

from shapes import Switch, check_shapes_in

# Shapes are checked in the pure functions only: what a user calls must raise the library's own
# errors, which a type checker in front of it would hide.
PURE = (
    *("similarity", "separation", "coupling", "rules", "energy", "readout", "exact", "units"),
    *("iteration", "leave_one_out", "stores"),
)

if "hopfield" in sys.modules:
    raise RuntimeError("hopfield was imported before tests/conftest.py could check its shapes.")
# beartype looks at one random item of a list: by a generator of its own, not the global one.
codemain.getrandbits = random.Random(0).getrandbits
check_shapes_in([f"hopfield.{name}" for name in PURE])

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # one core a worker; tests of thread counts set their own

# Examples come from the test's name alone, and no example fails for being slow.
settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")


def _global_random_state() -> dict[str, object]:
    kind, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (kind, keys.tobytes(), *rest),
        "random": random.getstate(),
    }


@pytest.fixture(autouse=True)
def no_global_randomness():
    """Fail a test that draws from, or seeds, a global generator, itself or in a call."""
    before = _global_random_state()
    yield
    after = _global_random_state()
    used = [name for name, state in after.items() if state != before[name]]
    if used:
        pytest.fail(f"global random state was used: {', '.join(used)}. Pass a generator.")


def pytest_addoption(parser):
    """Add `--reordered`: compute every test as another processor might."""
    parser.addoption("--reordered", action="store_true", help="round as another processor might")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Refuse names that change from run to run; mark most cases of memories on disk as heavy."""
    addressed = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if addressed:  # processes that share the tests would each have others
        raise pytest.UsageError(f"a test's name must hold no address of memory: {addressed[0]}")
    for item in items:
        share = getattr(getattr(item, "module", None), "SHARE", 1)
        if "[" in item.name and crc32(item.name.encode()) % share:
            item.add_marker(pytest.mark.heavy)


@pytest.fixture(autouse=True)
def shapes_in_turn(request):
    """Check shapes in every fourth test, by its name: they take twice as long."""
    turn = crc32(request.node.nodeid.encode()) % 4 or request.config.getoption("--reordered")
    before, Switch.on = Switch.on, not turn
    yield
    Switch.on = before


@pytest.fixture(autouse=True)
def another_processor(request):
    """With `--reordered`, sum in another order than this processor does."""
    if not request.config.getoption("--reordered"):
        yield
        return
    from reordered import Reordered

    with Reordered():
        yield


@pytest.fixture(autouse=True)
def backend_of_the_case(request):
    """A contract case says by which backend it is computed."""
    case = getattr(request.node, "callspec", None) and request.node.callspec.params.get("case")
    if getattr(case, "backend", None) is None:
        yield
        return
    from hopfield import backend

    with backend(case.backend):
        yield


@pytest.fixture(autouse=True)
def small_memories_are_scanned_too(monkeypatch, request):
    """Make certified memories scan even small sets, which they otherwise read in full.

    What they drop is more than rounding in float64, and less than their bounds say: the contract,
    which has no tolerance for it, is kept with less than rounding dropped.
    """
    monkeypatch.setattr("hopfield.memories.scan_candidates.SCAN_WORK", 0)
    monkeypatch.setattr("hopfield.memories.scan_candidates.SCAN_ROWS", 0)
    monkeypatch.setattr("hopfield.memories.scan_candidates.scan_pays", lambda: True)
    case = getattr(request.node, "callspec", None) and request.node.callspec.params.get("case")
    if getattr(case, "name", "").endswith("-certified"):
        for module in ("certified", "query_batch"):
            monkeypatch.setattr(f"hopfield.memories.{module}.DROPPED_WEIGHT", 1e-17)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder of the MNIST files, for tests on the real digits."""
    if "HOPFIELD_DATA" not in os.environ:
        pytest.skip("HOPFIELD_DATA is not set: no MNIST here")
    folder = Path(os.environ["HOPFIELD_DATA"]) / "mnist"
    if not list(folder.glob("*idx3-ubyte*")):
        pytest.skip(f"HOPFIELD_DATA holds no MNIST: no *idx3-ubyte* in {folder}")
    return folder
