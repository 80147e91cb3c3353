"""Answers of a memory that other threads change: each must be that of one version of its patterns.

Eight threads ask while two store and remove. Readers note the version before and after each answer.
A new memory with the patterns of one of these versions must give the same answer.
"""

import copy
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import hopfield
from draws import normal, signs
from hopfield import ClassicalHopfield, DenseHopfield, Memory, ModernHopfield
from hopfield.stores import PackedStore

DIM, FIRST, FEWEST, MOST = 20, 12, 8, 30
READERS, WRITERS = 8, 2

MEMORIES: dict[str, Callable[[], Memory]] = {
    "hebbian": ClassicalHopfield,
    "hebbian-packed": lambda: ClassicalHopfield(store=PackedStore()),
    "covariance": lambda: ClassicalHopfield("covariance", schedule="synchronous"),
    "pseudo_inverse": lambda: ClassicalHopfield("pseudo_inverse"),
    "storkey": lambda: ClassicalHopfield("storkey", diagonal=True),
    "dense": lambda: DenseHopfield(0.2),
    "dense-packed": lambda: DenseHopfield(0.2, store=PackedStore()),
    "polynomial": lambda: DenseHopfield(separation=hopfield.Polynomial(3), schedule="asynchronous"),
    "dot": lambda: ModernHopfield(1.5),
    "euclidean": lambda: ModernHopfield(1.5, similarity="euclidean"),
    "cosine": lambda: ModernHopfield(30.0, similarity="cosine"),
    "manhattan": lambda: ModernHopfield(1.5, similarity="manhattan"),
    "sparsemax": lambda: ModernHopfield(separation=hopfield.Sparsemax(0.4)),
    "entmax": lambda: ModernHopfield(separation=hopfield.Entmax(1.3, 0.4)),
    "topk": lambda: ModernHopfield(separation=hopfield.TopK(3, 1.0)),
    "certified": lambda: ModernHopfield(1.5, similarity="euclidean", precision="certified"),
}

Answer = tuple[Tensor | None, ...]


def _retrieve(memory: Memory, cues: Tensor, path: Path) -> Answer:
    found = memory.retrieve(cues, trace=True)
    return found.state, found.energy, found.index, found.weight, found.value, found.converged


def _masked(memory: Memory, cues: Tensor, path: Path) -> Answer:
    found = memory.retrieve(cues, torch.arange(DIM) < DIM - 4)
    return found.state, found.energy, found.index


def _loaded(memory: Memory, cues: Tensor, path: Path) -> Answer:
    own = path / str(threading.get_ident())
    memory.save(own)
    again = hopfield.load(own)
    return again.patterns, again.values


def _report(memory: Memory, cues: Tensor, path: Path) -> Answer:
    report = hopfield.diagnose(memory)
    return report.attractor, report.fixed, report.captured_by, report.margin


def _explained(memory: Memory, cues: Tensor, path: Path) -> Answer:
    found = hopfield.explain(memory, cues[0])
    return (found.retrieval.state, torch.tensor([one.pattern for one in found.competitors]))


def _pickled(memory: Memory, cues: Tensor, path: Path) -> Answer:
    again = pickle.loads(pickle.dumps(memory))
    return again.patterns, again.values


CALLS: dict[str, Callable[[Memory, Tensor, Path], Answer]] = {
    "retrieve": _retrieve,
    "masked": _masked,
    "energy": lambda memory, cues, path: (memory.energy(cues),),
    "update": lambda memory, cues, path: (memory.update(cues),),
    "pickle": _pickled,
    "copy": lambda memory, cues, path: _retrieve(copy.deepcopy(memory), cues, path),
    "save": _loaded,
    "explain": _explained,
    "diagnose": _report,
}


class Asked(NamedTuple):
    """One answer, and the versions before and after it."""

    call: str
    first: int
    last: int
    answer: Answer


class Session:
    """A memory with its versions, the answers of its readers, and the errors of all threads."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind, self.path, self.memory = kind, path, MEMORIES[kind]()
        draw = signs if self.memory.binary else normal
        self.rows = draw(200, DIM, seed=1, dtype=torch.float64)
        self.cues = draw(3, DIM, seed=2, dtype=torch.float64)
        self.values = normal(200, 2, seed=3, dtype=torch.float64)
        self.versions: dict[int, tuple[Tensor, Tensor]] = {}
        self.answers: list[Asked] = []
        self.errors: list[BaseException] = []
        self.done = threading.Event()
        self.change(range(FIRST))

    def change(self, add: range | list[int], remove: int | None = None) -> None:
        """Store rows or remove one, and keep the version that results."""
        memory, storage = self.memory, self.memory.storage
        with storage.lock.writing:
            if remove is None:
                memory.store(self.rows[add], self.values[add])
            else:
                memory.remove(remove)
            self.versions[storage.version] = (memory.patterns.clone(), memory.values.clone())

    def write(self, writer: int) -> None:
        """Store one pattern after another, and remove some, until the readers have ended."""
        turn = writer
        while not self.done.is_set():
            turn += WRITERS
            count = len(self.memory)
            if count > MOST or (turn // WRITERS % 3 == 0 and count > FEWEST):
                self.change([], remove=turn % FEWEST)
            elif turn // WRITERS % 7 == 0:
                self.memory.to(dtype=torch.float64)
            else:
                self.change([turn % len(self.rows)])
            time.sleep(0)

    def ask(self, calls: list[str]) -> None:
        """Ask, and note the versions around each answer."""
        storage = self.memory.storage
        for call in calls:
            first = storage.version
            answer = CALLS[call](self.memory, self.cues, self.path)
            self.answers.append(Asked(call, first, storage.version, answer))

    def run(self, calls: list[list[str]]) -> None:
        """Let readers make these calls, one list each, while two threads write."""

        def guarded(work, *arguments):
            try:
                work(*arguments)
            except BaseException as error:
                self.errors.append(error)

        readers = [threading.Thread(target=guarded, args=(self.ask, some)) for some in calls]
        writers = [threading.Thread(target=guarded, args=(self.write, k)) for k in range(WRITERS)]
        for thread in [*writers, *readers]:
            thread.start()
        for reader in readers:
            reader.join()
        self.done.set()
        for writer in writers:
            writer.join()

    def wrong(self) -> list[Asked]:
        """Return the answers that no version in their time gives."""
        known: dict[tuple[int, str], Answer] = {}
        order = sorted(self.versions)

        def expected(version: int, call: str) -> Answer:
            if (version, call) not in known:
                alone = MEMORIES[self.kind]()
                alone.store(*self.versions[version])
                known[version, call] = CALLS[call](alone, self.cues, self.path)
            return known[version, call]

        def right(one: Asked) -> bool:
            before = [version for version in order if version <= one.first][-1:]
            during = [version for version in order if one.first < version <= one.last]
            return any(_same(one.answer, expected(v, one.call)) for v in [*before, *during])

        return [one for one in self.answers if not right(one)]


def _same(one: Answer, other: Answer) -> bool:
    pairs = zip(one, other, strict=True)
    return all(a is b if a is None or b is None else _close(a, b) for a, b in pairs)


def _close(one: Tensor, other: Tensor) -> bool:
    # Grown couplings and statistics round differently from those of a new memory.
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one, other, rtol=1e-9, atol=1e-9)
