"""Extensions of users, written from the pages alone, work in every memory."""

import inspect
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from answers import assert_same_answer
from cases import CASES, over, patterns_and_cues, seeded, signs
from hopfield import (
    ClassicalHopfield,
    DenseHopfield,
    Memory,
    ModernHopfield,
    Separation,
    Softmax,
    corruption,
    diagnose,
    explain,
    load,
    similarity,
    synthetic,
)
from hopfield.errors import OptionError
from hopfield.iteration import Reading
from hopfield.stores import Block, RamStore, Store

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


def lines_of(thing: object) -> int:
    """Lines of code, without the docstring."""
    text = inspect.getsource(thing)
    return len([line for line in text.splitlines() if line.strip() and '"""' not in line])


# ---- a network: bidirectional associative memory (Kosko 1988)


class OwnBidirectional(Memory):
    """Pairs (a, b) as rows a‖b: a' = sign(Wᵀb), b' = sign(Wa), E = −bᵀWa, W = Σ b_μ a_μᵀ."""

    binary: ClassVar[bool] = True

    def __init__(self, split: int, *, store: Store | None = None) -> None:
        self.split = split
        self.storage = RamStore() if store is None else store

    def step(self, state, known, held, generator):
        a, b = state[:, : self.split], state[:, self.split :]
        matrix = self._matrix().to(state.dtype)
        a = self._sign(b @ matrix, a, held, slice(0, self.split))
        b = self._sign(a @ matrix.T, b, held, slice(self.split, None))
        return Reading(torch.cat([a, b], dim=-1))

    def energy_of(self, state):
        a, b = state[:, : self.split], state[:, self.split :]
        return -((b @ self._matrix().to(state.dtype)) * a).sum(-1)

    def config(self):
        return {"split": self.split}

    def _matrix(self):
        return self.storage.cached("pairs", self._learn)

    def _learn(self):
        blocks = self.storage.blocks(1024)
        return sum(b.rows[:, self.split :].T @ b.rows[:, : self.split] for b in blocks)

    def _sign(self, field, present, held, part):
        keep = field == 0 if held is None else (field == 0) | held[:, part]
        return torch.where(keep, present, field.sign())


def pairs(count: int = 3) -> torch.Tensor:
    return signs(count, 60, generator=seeded(0))


def test_a_bidirectional_memory():
    assert lines_of(OwnBidirectional) <= 80
    memory, rows = OwnBidirectional(40), pairs()
    memory.store(rows, torch.arange(3))
    known = torch.arange(60) < 40
    found = memory.retrieve(rows * known, known, trace=True)
    assert torch.equal(found.state, rows) and found.converged.all()
    assert found.index.tolist() == found.value.tolist() == [0, 1, 2]
    assert torch.equal(found.weight, torch.ones(3)) and found.entropy is None
    assert torch.equal(found.energy, memory.energy(rows))
    noisy = corruption.flip(rows, 0.1, generator=seeded(1)).state
    descent = memory.retrieve(noisy, trace=True)
    assert descent.converged.all() and (descent.trace.diff(dim=0) <= 0).all()
    assert (descent.state[1:] == rows[1:]).all(), "premise: most are found"
    matrix = sum(torch.outer(row[40:], row[:40]) for row in rows)
    by_hand = torch.sign(noisy[:, 40:] @ matrix)
    assert torch.equal(memory.update(noisy)[:, :40], by_hand)


def test_a_bidirectional_memory_is_saved(tmp_path):
    memory = OwnBidirectional(40)
    memory.store(pairs())
    memory.save(tmp_path / "pairs")
    again = load(tmp_path / "pairs")
    assert repr(again) == repr(memory) and torch.equal(again.patterns, memory.patterns)


class Halfway(Memory):
    """A network without an energy: each state goes half of the way to the mean pattern."""

    def step(self, state, known, held, generator):
        mean = self.storage.summary().mean.to(state.dtype)
        return Reading((state + mean) / 2)

    def energy_of(self, state):
        return None

    def config(self):
        return {}


def test_a_network_without_energy_reports_none():
    memory, rows = Halfway(), torch.randn(20, 6, generator=seeded(2), dtype=torch.float64)
    memory.store(rows, rows[:, :2])
    found = memory.retrieve(rows[:4], trace=True)
    assert found.energy is None and found.trace is None and found.converged.all()
    torch.testing.assert_close(found.state, rows.mean(0).expand(4, -1), rtol=0, atol=1e-3)
    assert found.value.shape == (4, 2)
    with pytest.raises(OptionError, match="has no energy"):
        memory.energy(rows)


def test_nothing_is_proved_of_a_network_whose_update_is_no_weighted_sum():
    scoring = similarity.dot, Softmax(4.0)
    for updates_by_weighted_sum in (True, False):
        members = {"value_weights": scoring, "updates_by_weighted_sum": updates_by_weighted_sum}
        memory = type("Weighted", (Halfway,), members)()
        memory.store(4 * torch.eye(6))
        report = diagnose(memory)
        assert report.radius.isnan().all() != updates_by_weighted_sum
        assert (report.theory.error is None) != updates_by_weighted_sum


class Nearest(Memory):
    """A continuous network that says nothing about weights: it jumps to the nearest pattern."""

    def __init__(self, unit: float = 1.0) -> None:
        self.unit = unit

    def step(self, state, known, held, generator):
        rows = torch.cat([block.rows for block in self.storage.blocks(1024)])
        return Reading(rows[torch.cdist(state, rows).argmin(-1)])

    def energy_of(self, state):
        return None

    def config(self):
        return {"unit": self.unit}


@pytest.mark.parametrize("size", [0.1, 10.0])
def test_a_continuous_network_without_weights_is_described_by_its_states(size):
    lengths = size * torch.linspace(0.3, 2.0, 30)[:, None]
    rows = synthetic.unit_sphere(30, 20) * lengths
    memory = Nearest()
    memory.store(rows, torch.arange(30))
    found = memory.retrieve(rows + 0.01 * size)
    assert found.index.tolist() == found.value.tolist() == list(range(30))
    torch.testing.assert_close(found.weight, torch.ones(30), rtol=0, atol=1e-5)
    report = diagnose(memory)
    assert report.counts["attractors"] == report.counts["fixed"] == 30 and not report.findings
    explanation = explain(memory, rows[3] + 0.01 * size)
    assert explanation.kind == "stored" and "pattern 3, whose cosine is 1.000" in repr(explanation)


# ---- a store: a file that is mapped into memory, and refuses to be read as a whole


class MappedStore(Store):
    """float32 rows in a file."""

    def __init__(self, path: Path, dim: int) -> None:
        self.path, self.dim, self.dtype = path, dim, torch.float32
        self.count, self.numbers = 0, None

    def append(self, rows, values=None):
        with open(self.path, "ab" if self.count else "wb") as file:
            file.write(rows.detach().float().numpy().tobytes())
        old = self.numbers if self.count else None
        self.numbers = values if old is None else torch.cat([old, values])
        self.count += len(rows)

    def remove(self, indices):
        left = torch.ones(self.count, dtype=torch.bool).index_fill(0, indices, False)
        rows, values, self.count = self.take(left), self._values(left), 0
        self.append(rows, values)

    def take(self, indices):
        return self._rows()[indices].clone()

    def blocks(self, size):
        for part in (slice(at, at + size) for at in range(0, self.count, size)):
            yield Block(part.start, self._rows()[part], self._values(part))

    def __len__(self):
        return self.count

    def _rows(self):
        return torch.from_numpy(np.memmap(self.path, "f4", "r+", shape=(self.count, self.dim)))

    def _values(self, part):
        return None if self.numbers is None else self.numbers[part]


def test_the_store_is_short_and_refuses_all_rows(tmp_path):
    assert lines_of(MappedStore) <= 25
    store = MappedStore(tmp_path / "rows", 8)
    store.append(torch.ones(3, 8))
    assert store.version == 1 and not hasattr(store, "rows")
    memory = ModernHopfield(store=store)
    for name in ("patterns", "values"):
        with pytest.raises(OptionError, match="MappedStore"):
            getattr(memory, name)


BY_STORE = [case for case in CASES if "-fused" not in case.name and "-bits" not in case.name]


@over(BY_STORE)
def test_every_memory_works_on_a_store_of_blocks(case, tmp_path):
    patterns, cues = patterns_and_cues(case, torch.float32, n=20)
    values = torch.randn(20, 2, generator=seeded(3))
    plain, mapped = case.make(), case.make()
    mapped.storage = MappedStore(tmp_path / "rows", patterns.shape[1])
    for memory in (plain, mapped):
        memory.store(patterns[:12], values=values[:12])
        memory.store(patterns[12:], values=values[12:])
        memory.remove([0, 15])
    left, known = plain.patterns, torch.arange(patterns.shape[1]) < 16
    for options in ({}, {"known": known, "steps": 5}):
        state = cues if not options else torch.where(known, cues, 0.0)
        one, other = plain.retrieve(state, **options), mapped.retrieve(state, **options)
        assert_same_answer(case, left, one, other)
        torch.testing.assert_close(one.value, other.value, rtol=1e-4, atol=1e-5, equal_nan=True)
    if case.has_energy:
        torch.testing.assert_close(plain.energy(cues), mapped.energy(cues), rtol=1e-5, atol=1e-4)
    updates = [memory.update(cues, generator=seeded(4)) for memory in (plain, mapped)]
    torch.testing.assert_close(*updates, rtol=1e-4, atol=1e-5)
    mapped.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert torch.equal(again.patterns, left) and torch.equal(again.values, plain.values)
    with pytest.raises(OptionError, match="stays where it is"):
        mapped.to(dtype=torch.float64)


@pytest.mark.parametrize("rule", ["hebbian", "covariance", "pseudo_inverse", "storkey"])
@pytest.mark.parametrize("count", [10, 70])
def test_couplings_grow_block_by_block(rule, count, tmp_path, monkeypatch):
    monkeypatch.setattr("hopfield.memories.learning.LEARNING_ROWS", 7)
    rows = signs(count, 60, generator=seeded(5))
    plain = ClassicalHopfield(rule)
    mapped = ClassicalHopfield(rule, store=MappedStore(tmp_path / "rows", 60))
    plain.store(rows)
    mapped.store(rows)
    torch.testing.assert_close(mapped.coupling, plain.coupling, rtol=1e-4, atol=1e-5)


# ---- a separation and a similarity


class Squared(Separation):
    """Weights in proportion to exp(2s): softmax at β = 2, as a user may write it."""

    def potential(self, scores):
        return (torch.logsumexp(2 * scores, -1) - np.log(scores.shape[-1])) / 2

    def __call__(self, scores):
        return torch.softmax(2 * scores, -1)


def nearness(rows, state, known):
    """−½‖x_μ − x‖² over known entries."""
    difference = rows - state[..., None, :]
    if known is not None:
        difference = torch.where(known[..., None, :], difference, 0.0)
    return difference.square().sum(-1) / -2


class Normmax(Separation):
    """F(s) = max_p p·s − (‖p‖ − n^(−½))/β: p ∝ max(s − τ, 0) with ‖max(βs − βτ, 0)‖ = 1."""

    shift_invariant: ClassVar[bool] = True

    def __init__(self, beta: float) -> None:
        self.beta = beta

    def __call__(self, scores):
        x = self.beta * (scores - scores.amax(-1, keepdim=True))
        low, high = torch.full_like(x[..., :1], -1.0), torch.zeros_like(x[..., :1])
        for _ in range(60):
            middle = (low + high) / 2
            above = (x - middle).clamp_min(0).norm(dim=-1, keepdim=True) > 1
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        return torch.nn.functional.normalize((x - low).clamp_min(0), 1, -1)

    def potential(self, scores):
        p = self(scores)
        penalty = p.norm(dim=-1) - scores.shape[-1] ** -0.5
        return (p * scores).sum(-1) - penalty / self.beta

    def inverse_width(self):
        return self.beta

    def score_window(self, count):
        return 1 / self.beta


def test_an_own_score_window_proves_basins():
    rows = synthetic.unit_sphere(50, 32, dtype=torch.float64)
    memory = ModernHopfield(separation=Normmax(10.0), similarity="euclidean")
    memory.store(rows)
    report = diagnose(memory)
    assert report.attractor.all() and (report.radius > 0.1).all(), "premise"
    to_nearest = torch.nn.functional.normalize(rows[report.neighbour] - rows)
    states = rows + 0.999 * report.radius[:, None] * to_nearest
    torch.testing.assert_close(memory.update(states), rows)
    dense, bits = DenseHopfield(separation=Normmax(1.0)), signs(200, 100, generator=seeded(14))
    dense.store(bits)
    assert torch.equal(dense.retrieve(corruption.flip(bits, 0.2)).state, bits)


@pytest.mark.parametrize("known", [None, torch.arange(6) < 3])
def test_an_own_separation_and_similarity_answer_as_the_built_in_ones(known):
    assert lines_of(Squared) <= 12 and lines_of(nearness) <= 10
    rows = torch.randn(40, 6, generator=seeded(6), dtype=torch.float64)
    cues = rows[:5] + 0.2 * torch.randn(5, 6, generator=seeded(7)).double()
    built_in = ModernHopfield(2.0, similarity="euclidean")
    own = ModernHopfield(separation=Squared(), similarity=nearness)
    for memory in (built_in, own):
        memory.store(rows, rows[:, :2])
    one, other = (memory.retrieve(cues, known, tol=1e-9) for memory in (built_in, own))
    for name in ("state", "energy", "index", "weight", "entropy", "value"):
        torch.testing.assert_close(
            getattr(other, name), getattr(one, name), rtol=1e-6, atol=1e-7, msg=name
        )
    torch.testing.assert_close(own.update(cues), built_in.update(cues), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(own.energy(cues), built_in.energy(cues), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", similarity.SIMILARITIES)
def test_a_separation_gets_the_documented_scores(name):
    """A separation with a threshold goes wrong on scores that are shifted."""
    seen = []

    class Watching(Squared):
        def __call__(self, scores):
            seen.append(scores)
            return super().__call__(scores)

    rows = torch.randn(9, 6, generator=seeded(8), dtype=torch.float64)
    memory = ModernHopfield(separation=Watching(), similarity=name)
    memory.store(rows)
    memory.update(rows[:2])
    expected = similarity.SIMILARITIES[name](rows, rows[:2])
    torch.testing.assert_close(seen[-1], expected, rtol=1e-9, atol=1e-9)


def test_a_dense_network_takes_an_own_separation():
    rows = signs(5, 24, generator=seeded(9))
    cues = corruption.flip(rows, 0.15, generator=seeded(10))
    answers = []
    for separation in (Softmax(2.0), Squared()):
        memory = DenseHopfield(separation=separation)
        memory.store(rows)
        answers.append(memory.retrieve(cues))
    assert torch.equal(answers[0].state, answers[1].state)
    torch.testing.assert_close(answers[0].energy, answers[1].energy)
