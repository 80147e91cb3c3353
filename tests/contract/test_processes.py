"""Memories that are sent to other processes: right before and after, in both."""

import copy
import io
import pickle
import threading
from contextlib import nullcontext
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
import torch.multiprocessing
from torch.utils.data import DataLoader

import hopfield
from draws import normal, signs
from hopfield import Cue, Memory, backend
from hopfield.nn import HopfieldAssociation, HopfieldLookup
from other_process import Cues, ask, ask_and_store
from versions import MEMORIES

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")

DIM, COUNT = 33, 11
SHORT = ("hebbian", "dense-packed", "euclidean")


@pytest.fixture(autouse=True)
def certified_memories_scan_as_in_another_process(monkeypatch):
    monkeypatch.setattr("hopfield.memories.scan_candidates.SCAN_WORK", 2**27)


def _grown(kind: str) -> tuple[Memory, torch.Tensor]:
    # Rows one by one, so that the store has room for more.
    memory = MEMORIES[kind]()
    draw = signs if memory.binary else normal
    values = normal(COUNT, 2, seed=3)
    for row, value in zip(draw(COUNT, DIM, seed=1), values, strict=True):
        memory.store(row[None], value[None])
    return memory, draw(7, DIM, seed=2)


def _assert_equal(one, other):
    # Within rounding: workers may compute with another number of threads.
    for mine, theirs in zip(one, other, strict=True):
        size = float(theirs.detach().abs().max()) if theirs.is_floating_point() else 0.0
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5 * size)


def _check_pool(context, kinds) -> None:
    """Workers answer and store a row of their own; then the sender answers and stores another."""
    with context.Pool(2) as pool:
        for kind in kinds:
            memory, cues = _grown(kind)
            theirs, ours = cues[:2]
            before, patterns = ask(memory, cues), memory.patterns.clone()
            jobs = [(memory, cues, theirs)] * 3
            for there, grown, after in pool.starmap(ask_and_store, jobs):
                _assert_equal(there, before)
                assert torch.equal(grown, torch.cat([patterns, theirs[None]]))
                alone, _ = _grown(kind)
                _assert_equal(after, ask_and_store(alone, cues, theirs)[2])
            _assert_equal(ask(memory, cues), before)
            memory.store(ours[None], torch.zeros(1, 2))
            assert torch.equal(memory.patterns, torch.cat([patterns, ours[None]]))


def _check_loader(context, kinds) -> None:
    for kind in kinds:
        memory, cues = _grown(kind)
        before = [ask(memory, cue) for cue in cues]
        loader = DataLoader(
            Cues(memory, cues), batch_size=None, num_workers=2, multiprocessing_context=context,
            generator=torch.Generator(),
        )  # fmt: skip
        for expected, found in zip(before, loader, strict=True):
            _assert_equal(found, expected)
        for expected, cue in zip(before, cues, strict=True):
            _assert_equal(ask(memory, cue), expected)


@pytest.fixture
def forkserver():
    """Processes that begin with the modules loaded, forked from one that has no threads."""
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["other_process", "hopfield.memories"])
    return context


def test_memories_in_a_pool_and_a_data_loader(forkserver):
    _check_pool(forkserver, SHORT)
    _check_loader(forkserver, SHORT[:1])


@pytest.mark.parametrize("kind", ["storkey", "dense-packed", "dot"])
def test_tensors_are_moved_to_another_process_while_nobody_reads(kind, monkeypatch):
    memory, _ = _grown(kind)
    memory.thresholds = torch.ones(DIM)  # of any memory: an attribute
    lock, share, moved = memory.storage.lock, torch.UntypedStorage._share_fd_cpu_, []

    def noted(storage):
        if not storage.is_shared():
            moved.append(lock._writer)
        return share(storage)

    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", noted)
    sender = threading.Thread(target=ForkingPickler.dumps, args=(memory,))
    with lock.reading:
        sender.start()
        sender.join(0.05)  # as long as it takes if nothing holds it up
        assert not moved
    sender.join()
    assert len(moved) >= 3, "premise: rows, values and thresholds"
    assert set(moved) == {sender.ident} and lock._writer is None


@pytest.mark.heavy
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
@pytest.mark.parametrize("kind", MEMORIES)
def test_memories_of_every_kind_in_a_pool(start, kind):
    # Sweeps by kernels here and by torch there agree in every bit; sparse weights need not.
    with backend("fused") if MEMORIES[kind]().binary else nullcontext():
        _check_pool(torch.multiprocessing.get_context(start), [kind])


@pytest.mark.heavy
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
@pytest.mark.parametrize("kind", [*SHORT, "pseudo_inverse", "dot", "certified"])
def test_memories_of_many_kinds_in_a_data_loader(start, kind):
    _check_loader(torch.multiprocessing.get_context(start), [kind])


def _objects():
    """Everything that users keep, by name, and what must be equal in a copy."""
    memory, cues = _grown("euclidean")
    known = torch.arange(DIM) < 20
    ask(memory, cues)
    tuned = hopfield.tune(memory.patterns, hopfield.corruption.gaussian_noise, 0.1)
    assert tuned.separating_beta > 0, "premise: kept once read"
    report = hopfield.diagnose(memory)
    return {
        "ram": (memory.storage, lambda it: (it.rows, it.values, it.summary().squared_norms)),
        "packed": (_grown("dense-packed")[0].storage, lambda it: (it.rows, it.words, it.values)),
        "retrieval": (memory.retrieve(cues, trace=True), lambda it: (it.state, it.trace)),
        "cue": (Cue(cues, known), lambda it: (it.state, it.known)),
        "tuning": (tuned, lambda it: (it.patterns, it.memory().update(cues))),
        "report": (report, lambda it: (it.attractor, it.margin, it.copy_of)),
        "explanation": (hopfield.explain(memory, cues[0]), lambda it: (it.retrieval.state,)),
        "separation": (hopfield.Entmax(1.3, 0.5), lambda it: (it(cues),)),
        "layer": (_layer(), lambda it: (it(cues[None]), *it.state_dict().values())),
    }


def _layer() -> HopfieldLookup:
    with torch.random.fork_rng(devices=[]):
        layer = HopfieldLookup(HopfieldAssociation(DIM), 4)
    with torch.no_grad():
        layer(torch.ones(1, 2, DIM))  # anything kept would be kept now
    return layer


@pytest.fixture(scope="module")
def objects():
    return _objects()


NAMES = (
    "ram",
    "packed",
    "retrieval",
    "cue",
    "tuning",
    "report",
    "explanation",
    "separation",
    "layer",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["pickle", "deepcopy", "copy", "torch.save"])
def test_copies_of_all_objects_are_equal(objects, name, how):
    original, content = objects[name]
    again = _copy(original, how)
    _assert_equal(content(again), content(original))
    assert repr(again) == repr(original) or name in ("ram", "packed")


def _copy(original, how):
    if how == "pickle":
        return pickle.loads(pickle.dumps(original))
    if how == "torch.save":
        buffer = io.BytesIO()
        torch.save(original, buffer)
        buffer.seek(0)
        return torch.load(buffer, weights_only=False)
    return copy.deepcopy(original) if how == "deepcopy" else copy.copy(original)


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_holds_each_number_once(objects, name):
    original, content = objects[name]
    size = sum(tensor.nbytes for tensor in content(original))
    assert len(pickle.dumps(original)) < 3 * size + 6000
