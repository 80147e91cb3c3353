"""The contract of memories on disk: every test of the contract, with rows in a table.

One case in SHARE is run here, chosen by its name; `make heavy` runs all.
"""

import pytest
import test_contract
import test_contract_energy
import test_contract_masks
import test_contract_nearest
import test_contract_storing
import test_names_changes
import torch

from disk_stores import use_disk_stores
from hopfield import ModernHopfield
from hopfield.stores import DiskStore

SHARE = 32
"""See `tests/conftest.py`, which marks the other cases as heavy."""

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
for module in (
    test_contract,
    test_contract_energy,
    test_contract_masks,
    test_contract_nearest,
    test_contract_storing,
    test_names_changes,
):
    globals().update({k: test for k, test in vars(module).items() if k.startswith("test_")})


@pytest.fixture(autouse=True)
def rows_on_disk(monkeypatch, tmp_path):
    use_disk_stores(monkeypatch, tmp_path)


def test_premise_memories_keep_their_rows_on_disk(tmp_path):
    memory, rows = ModernHopfield(), torch.eye(3)
    memory.store(rows)
    assert isinstance(memory.storage, DiskStore) and torch.equal(memory.patterns, rows)
    assert [path.name for path in tmp_path.iterdir()] == ["0.lance"]
