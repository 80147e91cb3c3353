"""Paths that begin with `~`, which is the home folder wherever the library takes a path."""

from pathlib import Path

import numpy
import pytest
import torch

import hopfield
from hopfield import ModernHopfield, data
from hopfield.errors import DataError, FileFormatError
from hopfield.experiments import records
from hopfield.stores import DiskStore


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder, which is not the working one."""
    for name in ("home", "elsewhere"):
        (tmp_path / name).mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home"


@pytest.mark.parametrize("name", ["~/m.hop", "~/m.lance"])
def test_memories_are_saved_and_loaded(name, home):
    memory = ModernHopfield(2.0)
    memory.store(torch.eye(3))
    memory.save(name)
    assert (home / name[2:]).exists() and not list(Path().iterdir())
    for path in (name, Path(name)):
        assert torch.equal(hopfield.load(path).storage.take(torch.arange(3)), torch.eye(3))


def test_a_store_is_made(home):
    DiskStore("~/new.lance").append(torch.eye(3))
    assert len(DiskStore(home / "new.lance")) == 3 and not list(Path().iterdir())


def test_records_and_data_are_found(home):
    (home / "run.jsonl").write_text("[1]\n")
    with pytest.raises(FileFormatError, match="one record per line"):
        records.read("~/run.jsonl")
    numpy.save(home / "rows.npy", numpy.eye(3))
    assert len(data.load("~/rows.npy").patterns) == 3


def test_an_unknown_home_is_a_missing_file():
    for name in ("~nobody-here/m.hop", "~nobody-here/m.lance"):
        with pytest.raises(FileFormatError, match="nobody-here"):
            hopfield.load(name)
    with pytest.raises(DataError, match="nobody-here"):
        data.load("~nobody-here/rows.npy")
