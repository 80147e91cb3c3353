"""Files hold names, strings as values, priors and tables; older files are read."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hopfield
from damage import altered
from draws import signs
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, PackedStore
from hopfield.errors import FileFormatError
from list_store import ListStore
from named_memory import ROWS

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
GOLDEN = Path(__file__).parents[1] / "golden"
MEMORIES = {
    "classical": ClassicalHopfield,
    "dense": DenseHopfield,
    "modern": lambda: ModernHopfield(beta=100.0, similarity="euclidean"),
    "packed": lambda: ClassicalHopfield(store=PackedStore()),
    "list": lambda: ModernHopfield(store=ListStore(32)),
}
BROUGHT = {
    "names": {"names": ["a", "", "é\n", "日本", "\ud800", "1"]},
    "numbers": {"names": [0, -1, 2**63 - 1, 5, 4, 3]},
    "repeated names": {"names": list("aabbab"), "unique": False},
    "strings": {"values": ["x", "y", "", "x", "\0", '"']},
    "numbers with names": {"names": list("abcdef"), "values": torch.arange(6.0)},
    "prior": {"prior": [1.0, 0.1, 3, 1e-12, 1e12, 2]},
    "table": {
        "table": {
            "n": [1, -5, 2**70, 0, None, 1],
            "x": [0.1, math.inf, -math.inf, -0.0, 1e-320, None],
            "t": ["a", None, "\udc80", "", "ü", "NaN"],
            "b": [True, False, None, True, 1, 1.0],
            "": [None] * 6,
        }
    },
}


def same_contents(one, other):
    stored, again = one.storage.annotations, other.storage.annotations
    assert other.names == one.names
    assert (again.labels and list(again.labels)) == (stored.labels and list(stored.labels))
    assert torch.equal(again.full_prior(), stored.full_prior())
    cells = [[repr(list(column)) for column in each.table.values()] for each in (stored, again)]
    assert cells[0] == cells[1] and list(again.table) == list(stored.table)


@pytest.mark.parametrize("brought", BROUGHT)
@pytest.mark.parametrize("kind", MEMORIES)
def test_all_that_rows_bring_comes_back(kind, brought, tmp_path):
    memory = MEMORIES[kind]()
    memory.store(ROWS[:6], **BROUGHT[brought])
    memory.save(tmp_path / "m")
    again = hopfield.load(tmp_path / "m")
    same_contents(memory, again)
    assert repr(again).split("<")[1] == repr(memory).split("<")[1]
    memory.remove([0, 4])
    again.remove([0, 4])
    same_contents(memory, again)


def test_nan_in_a_table_comes_back(tmp_path):
    memory = ModernHopfield()
    memory.store(ROWS[:2], table={"x": [math.nan, 1.0]})
    memory.save(tmp_path / "m")
    first, second = hopfield.load(tmp_path / "m").rows()
    assert math.isnan(first["x"]) and second == {"x": 1.0}


def test_another_process_removes_stores_and_recalls_by_name(tmp_path):
    memory = MEMORIES["modern"]()
    names = [f"n{i}" for i in range(6)]
    memory.store(ROWS[:6], list("uvwxyz"), names=names, table={"size": range(6)})
    memory.save(tmp_path / "m")
    script = Path(__file__).parents[1] / "support" / "named_memory.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "m")],
        capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["names"] == ["n2", "n4", "n5", "n6", "n1"]
    assert found["recalled"][1:] == ["n2", "n4", "n5", "n6", "n1"]
    assert found["values"][1:] == ["w", "y", "z", "new", "v"]
    assert [row["size"] for row in found["rows"]] == [2, 4, 5, 6.5, None]
    again = hopfield.load(tmp_path / "m")
    assert again.names == found["names"] and again.retrieve(ROWS[7]).name == "n1"


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.hop")), ids=lambda file: file.stem)
def test_files_of_earlier_formats_are_read(file):
    memory = hopfield.load(file)
    rows = signs(3, 8, seed=1)
    if "named" in file.stem:
        assert memory.names == ["a", "b", "c"] and memory.values == ["x", "y", "z"]
        assert memory.prior.tolist() == [1, 2, 3] and memory.rows(names="c") == [{"n": 3}]
    else:
        assert memory.names is None and memory.storage.prior is None
    if "classical" in file.stem:
        other = ClassicalHopfield(**memory.config())
        assert torch.equal(memory.thresholds, torch.linspace(-0.5, 0.5, 8)) and memory.diagonal
        other.store(rows)
        assert torch.equal(memory.update(-rows), other.update(-rows))
    if "gaps" in file.stem:
        assert memory.known.sum() == 22
        rows = torch.where(memory.known, rows, torch.nan)
    assert torch.equal(memory.patterns.nan_to_num(7.0), rows.nan_to_num(7.0))
    if "modern" in file.stem:
        assert memory.values.tolist() == [0, 1, 2] and memory.retrieve(rows[1]).index == 1


def test_the_golden_files_have_the_formats_of_their_names():
    found = sorted(GOLDEN.glob("*.hop"))
    assert len(found) == 7
    for file in found:
        assert f'"format":"{file.stem.split("_")[1]}"' in file.read_bytes().decode("latin-1")


def _json(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


WRONG = {
    "names too few": {"rows.names": _json(["a"])},
    "names too many": {"rows.names": _json(["a", "b", "c", "d"])},
    "names of two kinds": {"rows.names": _json(["a", 1, "c"])},
    "names no strings": {"rows.names": _json([1.5, 2.5, 3.5])},
    "names bools": {"rows.names": _json([True, False, True])},
    "names null": {"rows.names": _json(None)},
    "names text": {"rows.names": _json("abc")},
    "names object": {"rows.names": _json({"a": 1})},
    "names no JSON": {"rows.names": _json("[1, 2")},
    "names no text": {"rows.names": torch.tensor([255, 255], dtype=torch.uint8)},
    "names too deep": {"rows.names": _json("[" * 100_000 + "]" * 100_000)},
    "names floats": {"rows.names": torch.ones(3)},
    "strings too few": {"rows.labels": _json(["a"])},
    "strings are numbers": {"rows.labels": _json([1, 2, 3])},
    "strings and numbers": {"rows.labels": _json(["a", "b", "c"]), "values": torch.ones(3)},
    "prior too short": {"rows.prior": torch.ones(2)},
    "prior of two axes": {"rows.prior": torch.ones(3, 1)},
    "prior negative": {"rows.prior": -torch.ones(3)},
    "prior zero": {"rows.prior": torch.zeros(3)},
    "prior NaN": {"rows.prior": torch.full((3,), torch.nan)},
    "table a list": {"rows.table": _json([1, 2, 3])},
    "table too short": {"rows.table": _json({"a": [1]})},
    "table of lists": {"rows.table": _json({"a": [[1], [2], [3]]})},
    "unknown": {"rows.more": torch.ones(3)},
}


@pytest.mark.parametrize("case", WRONG)
def test_annotations_that_no_memory_wrote_are_refused(case, tmp_path):
    memory = ModernHopfield()
    memory.store(ROWS[:3])
    memory.save(tmp_path / "m")
    wrong = altered(tmp_path / "m", lambda text, tensors: (text, {**tensors, **WRONG[case]}))
    (tmp_path / "wrong").write_bytes(wrong)
    with pytest.raises(FileFormatError, match="wrong must describe") as caught:
        hopfield.load(tmp_path / "wrong")
    if case == "unknown":
        assert "'rows.more'" in str(caught.value)


def test_unknown_facts_of_a_description_are_refused_by_name(tmp_path):
    memory = ModernHopfield()
    memory.store(ROWS[:3])
    memory.save(tmp_path / "m")
    wrong = altered(tmp_path / "m", lambda text, tensors: ({**text, "future": 1}, tensors))
    (tmp_path / "wrong").write_bytes(wrong)
    with pytest.raises(FileFormatError, match="'future'"):
        hopfield.load(tmp_path / "wrong")


def test_a_file_with_priors_is_refused_by_a_memory_that_takes_none(tmp_path):
    memory = ClassicalHopfield()
    memory.store(ROWS[:3], prior=[1.0, 2.0, 3.0])
    memory.save(tmp_path / "m")

    def change(described, tensors):
        described["arguments"]["rule"] = "storkey"
        return described, tensors

    (tmp_path / "wrong").write_bytes(altered(tmp_path / "m", change))
    with pytest.raises(FileFormatError, match="prior must be left out"):
        hopfield.load(tmp_path / "wrong")
