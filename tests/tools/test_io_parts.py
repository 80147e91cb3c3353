"""Files that are written part by part: they are those of the safetensors library."""

import json

import pytest
import torch
from safetensors.torch import save

import hopfield
from cases import seeded, signs
from hopfield import ClassicalHopfield, ModernHopfield
from hopfield.memories.parts import Parts, chunks
from hopfield.stores import DiskStore

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.bool, torch.int64]


def test_the_content_is_that_of_the_library():
    tensors = {
        f"{name}{dtype}": torch.randn(shape, generator=seeded(0)).to(dtype)
        for dtype in DTYPES
        for name, shape in {"ä": (), "b.c": (7, 3), "none": (0, 4), "three": (3, 2, 2)}.items()
    }

    def in_parts(tensor: torch.Tensor) -> Parts:
        parts = tensor.split(2) if tensor.ndim else [tensor]
        return Parts(tensor.dtype, tuple(tensor.shape), lambda: parts)

    expected = save(tensors, {"key": "wört"})
    written = b"".join(chunks({k: in_parts(t) for k, t in tensors.items()}, {"key": "wört"}))
    size, other = (8 + int.from_bytes(each[:8], "little") for each in (written, expected))
    assert not size % 8 and written[size:] == expected[other:]
    assert json.loads(written[8:size]) == json.loads(expected[8:other])


@pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
@pytest.mark.parametrize("bits", [False, True])
def test_a_table_is_saved_in_a_file_block_by_block(bits, tmp_path, monkeypatch):
    monkeypatch.setattr("hopfield.memories.io.BLOCK_ROWS", 32)
    store = DiskStore(tmp_path / "m.lance", bits=bits)
    memory = ClassicalHopfield(store=store) if bits else ModernHopfield(2.0, store=store)
    rows = signs(300, 20, generator=seeded(1))
    memory.store(rows, torch.arange(600.0).view(300, 2), names=range(300))
    sizes, blocks = [], DiskStore.blocks

    def counted(store, size):
        for block in blocks(store, size):
            sizes.append(len(block))
            yield block

    with monkeypatch.context() as patch:
        patch.setattr(DiskStore, "blocks", counted)
        patch.setattr(torch, "cat", lambda *args, **kwargs: pytest.fail("rows are joined"))
        memory.save(tmp_path / "m.hop")
    assert max(sizes) == 32 and sum(sizes) >= 4 * 300, "two columns, for checksums and to write"
    loaded = hopfield.load(tmp_path / "m.hop")
    assert torch.equal(loaded.storage.take(torch.arange(300)), rows)
    assert torch.equal(loaded.values, torch.arange(600.0).view(300, 2))
    assert loaded.names == list(range(300))
