"""Tables of long rows: blocks hold few of them, so that memory does not grow with their length."""

import torch

from cases import seeded, signs
from hopfield import DenseHopfield, ModernHopfield, diagnose
from hopfield.stores import DiskStore
from hopfield.stores.disk import layout
from hopfield.stores.disk.table import Table


def test_blocks_of_long_rows_are_short(tmp_path, monkeypatch):
    rows = torch.randn(90, 50, generator=seeded(0))
    monkeypatch.setattr(layout, "PART_BYTES", 16 * (50 + 2) * rows.element_size())
    memory = ModernHopfield(2.0, store=DiskStore(tmp_path / "t.lance"))
    memory.store(rows, rows[:, :2], known=torch.rand(90, 50, generator=seeded(1)) < 0.9)
    sizes, scan = [], Table.scan

    def counted(*args, **selection):
        for batch in scan(*args, **selection):
            sizes.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(Table, "scan", counted)
    blocks = list(memory.storage.blocks(64))
    assert {len(block) for block in blocks} == {16, 90 % 16} and max(sizes) <= 16
    assert torch.equal(
        torch.cat([block.rows for block in blocks]), memory.storage.take(torch.arange(90))
    )
    monkeypatch.setattr(layout, "PART_BYTES", 1)
    assert [len(block) for block in memory.storage.blocks(64)] == 90 * [1]


def test_advice_does_not_depend_on_the_size_of_blocks(tmp_path, monkeypatch):
    memory = DenseHopfield(store=DiskStore(tmp_path / "t.lance"))
    memory.store(signs(12, 20, generator=seeded(2)))
    whole = diagnose(memory)
    monkeypatch.setattr(layout, "PART_BYTES", 1)
    assert repr(diagnose(memory)) == repr(whole)
