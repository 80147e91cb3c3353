"""When a state has settled: without units, without placeholders; and memories under threads."""

import pickle
import threading

import pytest
import torch
from sklearn.datasets import load_breast_cancer

from cases import seeded, signs
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, Softmax, Sparsemax
from hopfield.errors import OptionError
from hopfield.stores import RamStore


@pytest.fixture(scope="module")
def table() -> torch.Tensor:
    """569 rows of 30 measurements in their own units: from 0.001 to 4254."""
    return torch.from_numpy(load_breast_cancer().data).float()


def test_no_hidden_entry_comes_back_as_its_placeholder(table):
    """Each entry of a real table is hidden in turn."""
    memory = ModernHopfield(1e-3, similarity="euclidean")
    memory.store(table)
    returned = 0
    for column in range(table.shape[1]):
        known = torch.arange(table.shape[1]) != column
        found = memory.retrieve(table, known)
        present = table[:, column] != 0
        returned += int(((found.state[:, column] == 0) & present).sum())
        assert found.converged.all() and (found.steps == 1).all()
    assert returned == 0


@pytest.mark.parametrize("separation", [Softmax, Sparsemax])
@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_unit_of_the_data_changes_no_verdict(separation, similarity, masked):
    rows = torch.randn(40, 6, generator=seeded(0), dtype=torch.float64)
    cues = rows + 0.5 * torch.randn(40, 6, generator=seeded(1)).double()
    known = torch.arange(6) < 4 if masked else None
    answers = []
    for size in (2.0**-20, 1.0, 2.0**20):
        memory = ModernHopfield(separation=separation(3.0 / size**2), similarity=similarity)
        memory.store(size * rows)
        answers.append(memory.retrieve(size * cues, known, clamp=False if masked else None))
    assert answers[1].steps.max() > 1, "premise: several steps"
    for size, answer in zip((2.0**-20, 1.0, 2.0**20), answers, strict=True):
        assert torch.equal(answer.steps, answers[1].steps)
        assert torch.equal(answer.converged, answers[1].converged)
        torch.testing.assert_close(answer.state / size, answers[1].state, rtol=1e-9, atol=1e-12)


def test_a_large_column_hides_no_movement():
    rows = torch.randn(30, 5, generator=seeded(2), dtype=torch.float64)
    wide = torch.cat([rows, torch.full((30, 1), 1e3, dtype=torch.float64)], dim=1)
    cues = rows + 0.4 * torch.randn(30, 5, generator=seeded(3)).double()
    wide_cues = torch.cat([cues, wide[:, 5:]], dim=1)
    answers = []
    for stored, asked in ((rows, cues), (wide, wide_cues)):
        memory = ModernHopfield(2.0, similarity="euclidean")
        memory.store(stored)
        answers.append(memory.retrieve(asked))
    assert torch.equal(answers[0].steps, answers[1].steps)
    torch.testing.assert_close(answers[1].state[:, :5], answers[0].state, rtol=0, atol=1e-3)


@pytest.mark.parametrize("known", [[True, True, False], [False, False, False]])
def test_what_is_unknown_is_read_at_least_once(known):
    memory = ModernHopfield(1e-6)
    memory.store(torch.tensor([[1.0, 1.0, 1e-9], [-1.0, 1.0, 2e-9]]))
    found = memory.retrieve(torch.zeros(1, 3), torch.tensor(known), clamp=False)
    assert found.steps.item() >= 1 and found.state[0, 2] != 0


@pytest.mark.parametrize("count", [2**16, 2**16 + 1, 2**20 - 1])
def test_a_million_narrow_rows_keep_their_digits(count):
    rows = torch.rand(count, 4, generator=seeded(8)) + 1
    memory = ModernHopfield(0.5)
    memory.store(rows)
    cue = rows[:1] - 1
    weights = torch.softmax(0.5 * cue.double() @ rows.double().T, -1)
    exact, largest = weights @ rows.double(), rows.double().norm(dim=-1).max()
    slack = 16 * torch.finfo(torch.float32).eps * (1 + 0.5 * largest**2) * largest
    for state in (memory.update(cue), memory.retrieve(cue, steps=1, tol=0.0).state):
        assert (state.double() - exact).abs().max() <= slack


# ---- threads and processes


def test_stores_from_several_threads_lose_no_pattern():
    memory = DenseHopfield()
    rows = signs(400, 16, generator=seeded(4))

    def store(part: torch.Tensor) -> None:
        for row in part:
            memory.store(row[None], row[None, :2])

    threads = [threading.Thread(target=store, args=(part,)) for part in rows.split(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory) == 400 and memory.storage.version == 400
    assert torch.equal(memory.values, memory.patterns[:, :2])
    assert sorted(memory.patterns.tolist()) == sorted(rows.tolist())


def test_readers_beside_a_store_see_one_version():
    rows = torch.randn(60, 8, generator=seeded(5), dtype=torch.float64)
    cue = rows[0] + 0.1
    right = []
    for count in range(20, 61):
        memory = ModernHopfield(2.0)
        memory.store(rows[:count])
        right.append(memory.retrieve(cue).energy.item())
    memory, answers, done = ModernHopfield(2.0), [], threading.Event()
    memory.store(rows[:20])

    def read() -> None:
        while not done.is_set():
            answers.append(memory.retrieve(cue).energy.item())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for count in range(20, 60):
        memory.store(rows[count : count + 1])
    done.set()
    for reader in readers:
        reader.join()
    expected = torch.tensor(right, dtype=torch.float64)
    for answer in [*answers, memory.retrieve(cue).energy.item()]:
        assert (expected - answer).abs().min() < 1e-9, "an energy of no version"
    assert abs(memory.energy(cue).item() - ModernHopfield.energy(_copy(memory), cue).item()) < 1e-12


def _copy(memory):
    return pickle.loads(pickle.dumps(memory))


@pytest.mark.parametrize("make", [ClassicalHopfield, DenseHopfield, ModernHopfield])
def test_a_pickled_memory_carries_no_cache_and_answers_alike(make):
    memory = make()
    memory.store(signs(5, 40, generator=seeded(6)))
    cues = signs(5, 40, generator=seeded(7))
    before = memory.retrieve(cues)
    again = _copy(memory)
    assert not again._derived and not again.storage._cache
    for one in (again, memory):
        assert torch.equal(one.retrieve(cues).state, before.state)
        assert torch.equal(one.retrieve(cues).energy, before.energy)


def test_code_that_reads_a_memory_cannot_change_it():
    store = RamStore()
    store.append(torch.ones(2, 3))
    with (
        store.lock.reading,
        pytest.raises(OptionError, match="must stay as it is while it is read"),
    ):
        store.append(torch.ones(2, 3))
    with store.lock.writing, store.lock.reading:
        store.append(torch.ones(1, 3))
    assert len(store) == 3
