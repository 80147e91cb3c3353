"""The contract of memories of several processes: `test_contract_ranks` runs this on each rank."""

import os

import pytest
import test_contract
import test_contract_energy
import test_contract_masks
import test_contract_nearest
import test_contract_storing
import torch

from answers import assert_same_answer
from cases import DETERMINISTIC, filled, in_turn, patterns_and_cues
from hopfield import ModernHopfield, readout
from hopfield.stores import ShardedStore
from rank_stores import join_ranks, use_rank_stores

SHARE = int(os.environ.get("SHARE", "128"))
"""See `tests/conftest.py`, which marks the other cases as heavy; 1 runs all."""

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
for module in (
    test_contract,
    test_contract_energy,
    test_contract_masks,
    test_contract_nearest,
    test_contract_storing,
):
    globals().update({k: test for k, test in vars(module).items() if k.startswith("test_")})


@pytest.fixture(autouse=True)
def rows_on_ranks(monkeypatch, request):
    case = getattr(request.node, "callspec", None) and request.node.callspec.params.get("case")
    if getattr(case, "name", "").endswith("-certified"):
        pytest.skip("a store of several ranks refuses certified readouts")
    join_ranks()
    use_rank_stores(monkeypatch)


@in_turn(DETERMINISTIC, 0)
def test_blocks_do_not_matter(case, dtype, monkeypatch):
    patterns, cues = patterns_and_cues(case, dtype, n=8)
    cues, memory = cues[2:5], filled(case, patterns)
    whole = memory.retrieve(cues)
    for rows in (1, 3):
        monkeypatch.setattr(readout, "block_rows", lambda queries, copied=True, rows=rows: rows)
        stored = max(1, len(memory.storage.store))
        blocks = list(memory._blocks(3))
        assert len(blocks) == -(-stored // rows), "premise: the blocks of a rank are that small"
        assert_same_answer(case, patterns, whole, memory.retrieve(cues))


@in_turn(DETERMINISTIC, 1)
def test_removed_is_as_if_never_stored(case, dtype):
    patterns, cues = patterns_and_cues(case, dtype, n=6)
    values, kept = torch.arange(6), [0, 2, 3, 5]
    memory, fresh = filled(case, patterns, values), filled(case, patterns[kept], values[kept])
    memory.retrieve(cues, steps=1)
    memory.remove([1, -2])
    assert torch.equal(memory.patterns, patterns[kept])
    for _ in range(2):  # ranks have other rows than those of new ones: equal within rounding
        one, other = (each.retrieve(cues, steps=2) for each in (memory, fresh))
        assert_same_answer(case, patterns, one, other)
        assert torch.equal(memory.values, fresh.values)
        for each in (memory, fresh):
            each.store(patterns[[1, 4]], values=values[[1, 4]])


def test_premise_memories_share_their_rows():
    memory, rows = ModernHopfield(), torch.eye(7)
    memory.store(rows)
    assert isinstance(memory.storage, ShardedStore) and torch.equal(memory.patterns, rows)
    assert len(memory.storage.store) < len(memory) == 7
