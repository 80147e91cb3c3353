"""Names, labels and tables follow their rows through every change of a store."""

import copy
import pickle
import random
import threading

import numpy as np
import pytest
import torch

import hopfield
from draws import generator, normal, signs
from hopfield import DenseHopfield, ModernHopfield, PackedStore, RamStore
from hopfield.errors import OptionError
from hopfield.stores.growing import Column
from list_store import HalvingStore, LatestStore, ListStore, RewritingStore

DIM = 16
STORES = {
    "ram": RamStore,
    "packed": PackedStore,
    "list": lambda: ListStore(DIM),
    "rewriting": lambda: RewritingStore(DIM),
    "halving": lambda: HalvingStore(DIM),
}
CHANGING = {**STORES, "latest": lambda: LatestStore(DIM)}


def exact(store=None):
    """Make a memory whose retrieval of a stored pattern is that pattern."""
    return ModernHopfield(beta=500.0, similarity="euclidean", store=store)


def named(count=6, store=None, **brought):
    memory, rows = exact(store), signs(count, DIM, seed=1)
    memory.store(rows, names=[f"n{i}" for i in range(count)], **brought)
    return memory, rows


@pytest.mark.parametrize("kind", STORES)
def test_the_name_of_an_answer_has_the_batch_shape_of_the_cue(kind):
    memory, rows = named(store=STORES[kind]())
    assert memory.names == ["n0", "n1", "n2", "n3", "n4", "n5"]
    assert memory.retrieve(rows[4]).name == "n4"
    batch = memory.retrieve(rows[[5, 0, 3, 3]].reshape(2, 2, DIM)).name
    assert isinstance(batch, np.ndarray) and batch.dtype == object
    assert batch.tolist() == [["n5", "n0"], ["n3", "n3"]]
    assert memory.retrieve(rows[:0]).name.shape == (0,)


@pytest.mark.parametrize("make", [hopfield.ClassicalHopfield, DenseHopfield, ModernHopfield])
def test_whole_numbers_are_names_and_strings_are_values(make):
    rows, memory = signs(3, 64, seed=2), make()
    memory.store(rows, ["x", "y", "x"], names=np.array([7, -3, 2**62]))
    assert memory.names == [7, -3, 2**62] and memory.values == ["x", "y", "x"]
    answer = memory.retrieve(rows)
    assert answer.name.tolist() == [7, -3, 2**62] and answer.value.tolist() == ["x", "y", "x"]
    one = memory.retrieve(rows[1])
    assert (one.name, one.value) == (-3, "y") and type(one.name) is int and type(one.value) is str


def test_a_memory_without_names_has_none():
    memory = exact()
    memory.store(signs(3, DIM))
    assert memory.names is None and memory.storage.annotations is None
    assert memory.retrieve(signs(3, DIM)).name is None
    with pytest.raises(OptionError, match="earlier ones brought none"):
        memory.store(signs(1, DIM, seed=5), names=["a"])
    assert len(memory) == 3


@pytest.mark.parametrize("kind", CHANGING)
@pytest.mark.parametrize("seed", range(5))
def test_names_follow_rows_through_random_changes(kind, seed):
    draw, memory = random.Random(seed), exact(CHANGING[kind]())
    expected, new = [], iter(range(10**6))
    for _ in range(40):
        if expected and draw.random() < 0.4:
            places = draw.sample(range(len(expected)), draw.randint(1, len(expected)))
            memory.remove(places)
            expected = [row for i, row in enumerate(expected) if i not in places]
        else:
            names = [next(new) for _ in range(draw.randint(1, 4))]
            rows = signs(len(names), DIM, seed=seed * 1000 + names[0])
            table = {"double": [2 * name for name in names]} if draw.random() < 0.7 else None
            memory.store(rows, names=names, table=table)
            expected += [
                (name, tuple(row), 2 * name if table else None)
                for name, row in zip(names, rows.tolist(), strict=True)
            ]
            expected = expected[-LatestStore.limit :] if kind == "latest" else expected
        store = memory.storage
        assert memory.names == ([name for name, _, _ in expected] or None)
        taken = store.take(torch.arange(len(expected))) if expected else []
        assert [tuple(row.tolist()) for row in taken] == [row for _, row, _ in expected]
        table = {} if store.annotations is None else store.annotations.table
        doubles = list(table.get("double", [None] * len(expected)))
        assert doubles == [double for _, _, double in expected]


def test_a_store_that_fails_keeps_names_and_rows():
    memory, _ = named(store=ListStore(DIM, refused=9.0), table={"a": range(6)})
    before, rows = memory.storage.annotations, signs(2, DIM, seed=8)
    rows[1, 0] = 9.0
    with pytest.raises(OSError, match="no room"):
        memory.store(rows, names=["x", "y"], table={"b": [1, 2]})
    assert memory.storage.annotations is before and len(memory) == 6
    memory.store(rows[:1], names=["x"])
    assert memory.names[-1] == "x" and list(memory.storage.annotations.table) == ["a"]


def test_a_store_that_fails_has_no_names_where_it_had_none():
    memory, rows = exact(ListStore(DIM, refused=9.0)), signs(2, DIM, seed=8)
    memory.store(rows)
    rows[1, 0] = 9.0
    with pytest.raises(OSError, match="no room"):
        memory.store(rows, table={"a": [1, 2]})
    assert memory.storage.annotations is None and len(memory) == 2


def test_rows_cannot_be_added_without_their_names():
    memory, rows = named()
    for add in (memory.store, memory.storage.append):
        with pytest.raises(OptionError, match="earlier ones brought some"):
            add(rows + 1)
    assert len(memory) == 6 and memory.names[-1] == "n5"
    memory.remove(range(6))
    memory.store(rows)  # an empty memory begins anew
    assert memory.names is None


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_grows_apart_from_its_original(copied):
    memory, rows = named(table={"a": range(6)})
    store = copied(memory.storage)
    assert store.annotations.names._entries is not memory.storage.annotations.names._entries
    memory.store(rows[:2] + 1, names=["x", "y"])
    other = exact(store)
    other.store(rows[:1] + 2, names=["x"], table={"a": [7]})
    memory.store(rows[:1] + 2, names=["z"])
    assert memory.names == ["n0", "n1", "n2", "n3", "n4", "n5", "x", "y", "z"]
    assert other.names == ["n0", "n1", "n2", "n3", "n4", "n5", "x"]
    assert list(store.annotations.table["a"]) == [0, 1, 2, 3, 4, 5, 7]


def test_names_stay_when_a_memory_is_converted():
    memory, rows = named()
    memory.to(dtype=torch.float64)
    assert memory.retrieve(rows[2].double()).name == "n2"


def test_a_name_is_that_of_the_pattern_while_other_threads_store_and_remove():
    memory, rows = exact(), normal(200, DIM, seed=3)
    memory.store(rows[:20], names=list(range(20)))
    stop, wrong, asked = threading.Event(), [], 0

    def write():
        for i in range(20, 200):
            memory.store(rows[i : i + 1], names=[i])
            memory.remove([0])
        stop.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not stop.is_set() or not asked:
        picked = torch.randint(0, 200, (8,), generator=generator(asked))
        answer = memory.retrieve(rows[picked])
        wrong += [
            name
            for name, state in zip(answer.name, answer.state, strict=True)
            if not torch.allclose(state, rows[name], atol=1e-3) and answer.weight.min() > 0.999
        ]
        asked += 1
    thread.join()
    assert asked > 1 and not wrong


def test_columns_that_grow_from_one_stand_apart():
    short = Column(["a", "b"])
    assert "b" in short and "c" not in short
    one, other = short.extended(["c", "a"]), short.extended(["d"])
    assert list(short) == ["a", "b"] and "c" not in short and len(short) == 2
    assert list(one) == ["a", "b", "c", "a"] and "d" not in one and "c" in one
    assert list(other) == ["a", "b", "d"] and "c" not in other and "d" in other
    assert list(pickle.loads(pickle.dumps(short))) == ["a", "b"]
    with pytest.raises(IndexError):
        short[2]
