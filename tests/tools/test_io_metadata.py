"""Facts of a user come back with the memory, or are refused before the file is touched."""

import pytest
import torch

import hopfield
from draws import signs

PATTERNS = signs(4, 12, seed=1)


def test_metadata_come_back(tmp_path):
    memory = hopfield.ModernHopfield()
    memory.metadata["pictures"] = {"size": [8, 8], "mode": "L", "β": 0.5, "none": None}
    memory.store(PATTERNS)
    memory.save(tmp_path / "m")
    again = hopfield.load(tmp_path / "m")
    assert again.metadata == memory.metadata and again.metadata is not memory.metadata
    assert hopfield.ModernHopfield().metadata == {}


@pytest.mark.parametrize("value", [object(), {1, 2}, torch.ones(2), b"bytes"])
def test_metadata_that_json_cannot_hold_are_refused_before_the_file_is_touched(value, tmp_path):
    memory = hopfield.ModernHopfield()
    memory.metadata["mine"] = value
    with pytest.raises(hopfield.errors.InputTypeError, match="metadata must hold what JSON can"):
        memory.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())
