"""Memories are loaded while others save to the same name: one file is read, whole."""

import threading

import pytest
import torch

import hopfield
from hopfield import ModernHopfield

DIM = 12


def _full(n, beta):
    """Says by its β what its patterns are full of."""
    memory = ModernHopfield(beta=beta)
    memory.store(torch.full((n, DIM), beta))
    return memory


def test_readers_see_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "m"
    memories = [_full(100 * n, float(n)) for n in (1, 2)]
    memories[0].save(path)
    seen, wrong = set(), []

    def read():
        while not done.is_set() or len(seen) < 2:
            try:
                found = hopfield.load(path)
                n = int(found.separation.beta)
                assert len(found) == 100 * n and bool((found.patterns == n).all())
                seen.add(n)
            except BaseException as error:
                wrong.append(error)
                return

    done = threading.Event()
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(40):
        for memory in memories:
            memory.save(path)
    done.set()
    turn = 0
    while any(reader.is_alive() for reader in readers) and (turn := turn + 1) < 10_000:
        memories[turn % 2].save(path)
    assert not wrong and seen == {1, 2}
    assert [found.name for found in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("rows", [100, 1000])
def test_a_file_replaced_between_header_and_tensors_is_read_again(tmp_path, monkeypatch, rows):
    path, other = tmp_path / "m", tmp_path / "other"
    _full(rows, 1.0).save(path)
    _full(100, 2.0).save(other)
    from_file = torch.UntypedStorage.from_file

    def replaced_before(*arguments, **options):
        if other.exists():
            other.replace(path)
        return from_file(*arguments, **options)

    monkeypatch.setattr(torch.UntypedStorage, "from_file", replaced_before)
    found = hopfield.load(path)
    assert not other.exists() and len(found) == 100
    assert found.separation.beta == 2.0 and bool((found.patterns == 2.0).all())
