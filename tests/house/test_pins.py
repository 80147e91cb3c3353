"""`constraints.txt` names a version for all that `make` installs, and these versions agree."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from source_tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS, re.MULTILINE)
}


def _demands(of: str, extra: str = "") -> Iterator[Requirement]:
    """What an installed package asks for, under this Python and on this system."""
    try:
        lines = metadata.requires(of) or ()
    except metadata.PackageNotFoundError:  # of an extra that is not installed here
        return
    for line in lines:
        demand = Requirement(line)
        if demand.marker is None or demand.marker.evaluate({"extra": extra}):
            yield demand


def _all_demands(of: list[str]) -> Iterator[tuple[str, Requirement]]:
    """What these requirements ask for, and what that asks for in turn, by who asks."""
    waiting = [("pyproject.toml", Requirement(line)) for line in of]
    seen = set()
    while waiting:
        who, demand = waiting.pop()
        yield who, demand
        for extra in ("", *demand.extras):
            if (demand.name, extra) not in seen:
                seen.add((demand.name, extra))
                waiting += [(demand.name, below) for below in _demands(demand.name, extra)]


@pytest.mark.parametrize("extra", ["dependencies", *PROJECT["optional-dependencies"]])
def test_constraints_pin_all_that_an_extra_installs(extra):
    lines = PROJECT["optional-dependencies"].get(extra, PROJECT["dependencies"])
    outer = [line for line in lines if not line.startswith("hopfield[")]
    for who, demand in _all_demands(outer):
        pinned = PINS.get(canonicalize_name(demand.name))
        assert pinned is not None, f"{who} asks for {demand}"
        assert demand.specifier.contains(pinned, prereleases=True), f"{who} asks for {demand}"
