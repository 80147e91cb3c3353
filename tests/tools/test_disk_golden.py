"""Tables of earlier versions of Lance are read, and take the next rows."""

import shutil
from importlib import metadata
from pathlib import Path

import pytest
import torch

import golden_table
import hopfield

GOLDEN = Path(__file__).parents[1] / "golden"
TABLES = sorted(GOLDEN.glob("lance_*.lance"))


def test_the_installed_version_of_lance_has_a_golden_table():
    major = metadata.version("pylance").partition(".")[0]
    assert GOLDEN / f"lance_{major}.lance" in TABLES, (
        f"python tests/support/golden_table.py tests/golden/lance_{major}.lance"
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_golden_table_is_read_and_appended_to(table, tmp_path):
    shutil.copytree(table, tmp_path / "t.lance")
    memory, expected = hopfield.load(tmp_path / "t.lance"), golden_table.write(tmp_path / "new")
    assert not len(memory.storage.verify())
    for change in (
        lambda each: None,
        lambda each: each.store(
            torch.ones(1, golden_table.DIM), ["new"], names=["new"], table={"later": [1.5]}
        ),
        lambda each: each.set_prior(["row 9"], 3.0),
        lambda each: each.replace("row 2", torch.zeros(1, golden_table.DIM)),
        lambda each: each.remove([0, 4]),
        lambda each: each.storage.compact(),
    ):
        for each in (memory, expected):
            change(each)
        again = hopfield.load(tmp_path / "t.lance")
        for opened in (memory, again):
            assert (opened.names, opened.metadata) == (expected.names, {"unit": "cm"})
            assert opened.rows() == expected.rows() and torch.equal(opened.prior, expected.prior)
            assert list(opened.values) == list(expected.values)
            every = torch.arange(len(expected))
            assert torch.equal(opened.storage.take(every), expected.storage.take(every))
            assert opened.storage.has_gaps and not len(opened.storage.verify())
            assert opened.calibration.alpha == 0.3


def test_a_golden_table_answers_as_when_it_was_written(tmp_path):
    expected = golden_table.write(tmp_path / "new").retrieve(golden_table.rows() + 0.01)
    for table in TABLES:
        shutil.copytree(table, tmp_path / table.name)
        found = hopfield.load(tmp_path / table.name).retrieve(golden_table.rows() + 0.01)
        assert list(found.name) == list(expected.name) and found.calibrated
        assert torch.allclose(found.state, expected.state, atol=1e-6)
        assert torch.allclose(found.p_value, expected.p_value)
