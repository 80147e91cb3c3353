"""Threads share a memory: each answer is that of one version stored while it was computed."""

import itertools
import threading

import pytest
import torch

from draws import normal, signs
from hopfield import ClassicalHopfield, DenseHopfield, ModernHopfield, Sparsemax
from hopfield.stores import RamStore
from hopfield.stores.lock import ReadWriteLock
from versions import CALLS, MEMORIES, READERS, Session

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")

CHEAP = ("retrieve", "masked", "energy", "update")


def _check(kind, calls, path):
    session = Session(kind, path)
    session.run(calls)
    assert not session.errors, session.errors
    assert len(session.answers) == sum(map(len, calls))
    assert not session.wrong()
    return session


@pytest.mark.parametrize("kind", ["hebbian", "pseudo_inverse", "dense-packed", "euclidean"])
def test_answers_beside_two_writers_are_those_of_one_version(kind, tmp_path):
    others = [name for name in CALLS if name not in CHEAP]
    calls = [[*CHEAP, others[reader % len(others)]] for reader in range(READERS)]
    session = _check(kind, calls, tmp_path)
    assert any(one.first != one.last for one in session.answers), "premise: versions changed"


@pytest.mark.heavy
@pytest.mark.parametrize("kind", MEMORIES)
def test_528_retrievals_beside_two_writers(kind, tmp_path):
    session = _check(kind, [["retrieve"] * 66] * READERS, tmp_path)
    assert len(session.answers) == 528
    assert len({one.first for one in session.answers}) > 50, "premise: many versions"


@pytest.mark.heavy
@pytest.mark.parametrize("kind", MEMORIES)
def test_all_calls_beside_two_writers(kind, tmp_path):
    turns = itertools.cycle(CALLS)
    _check(kind, [[next(turns) for _ in range(33)] for _ in range(READERS)], tmp_path)


def test_writers_that_never_rest_do_not_keep_readers_out():
    lock, done, read = ReadWriteLock(), threading.Event(), []

    def write():
        while not done.is_set():
            with lock.writing:
                pass

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(20):
        with lock.reading:
            read.append(True)
    done.set()
    for writer in writers:
        writer.join()
    assert len(read) == 20 and not lock._admitted and not lock._waiting_readers


def test_readers_that_never_rest_do_not_keep_a_writer_out():
    store, done = RamStore(), threading.Event()
    store.append(torch.ones(2, 3))

    def read():
        while not done.is_set():
            with store.lock.reading:
                len(store)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        store.append(torch.ones(1, 3))
    done.set()
    for reader in readers:
        reader.join()
    assert len(store) == 22


@pytest.mark.parametrize("name", ["patterns", "known", "values"])
def test_a_property_waits_for_a_change(name):
    memory, read = ModernHopfield(1.0), threading.Event()
    memory.store(normal(4, 3, seed=1), values=torch.arange(4))

    def get():
        getattr(memory, name)
        read.set()

    thread = threading.Thread(target=get)
    with memory.storage.lock.writing:
        thread.start()
        assert not read.wait(0.05)
    thread.join()
    assert read.is_set()


def test_statistics_read_beside_a_change_are_not_kept():
    """A user's own loop reads them without the lock of a query."""
    store = RamStore()
    store.append(normal(40, 4, seed=1))
    changed = threading.Event()

    def remove():
        store.remove(torch.arange(20))
        changed.set()

    thread = threading.Thread(target=remove)

    def make():
        thread.start()
        changed.wait(0.05)  # without a lock the change happens now
        return len(store)

    assert store.cached("count", make) == 40
    thread.join()
    assert store.cached("count", lambda: len(store)) == 20 == len(store.summary().squared_norms)


@pytest.mark.parametrize(
    "make",
    [
        ClassicalHopfield,
        DenseHopfield,
        lambda: ModernHopfield(1.0),
        lambda: ModernHopfield(1.0, similarity="euclidean"),
        lambda: ModernHopfield(separation=Sparsemax(0.5)),
    ],
)
def test_gradients_of_an_energy_outlive_a_store(make):
    memory = make()
    for row in signs(3, 8, seed=1).split(1):  # room for a fourth
        memory.store(row)
    state = signs(1, 8, seed=2)
    gradients = []
    for later in (False, True):
        given = state.clone().requires_grad_()
        energy = memory.energy(given).sum()
        if later:
            memory.store(signs(1, 8, seed=3))
        energy.backward()
        gradients.append(given.grad)
    assert torch.equal(*gradients) and gradients[0].any()
