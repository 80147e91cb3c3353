"""Binary networks at their ends: high degrees, cycles, unknown units; and unusual tensors."""

import math

import pytest
import torch

from draws import signs
from hopfield import (
    ClassicalHopfield,
    Cue,
    DenseHopfield,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    Sparsemax,
    attention,
)
from hopfield.errors import DomainError
from hopfield.rules import RULES

pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")
KINDS = {
    "classical": ClassicalHopfield,
    "one by one": lambda: DenseHopfield(schedule="asynchronous"),
    "dense": DenseHopfield,
    "modern": ModernHopfield,
    "euclidean": lambda: ModernHopfield(similarity="euclidean"),
    "sparse": lambda: ModernHopfield(separation=Sparsemax()),
    "certified": lambda: ModernHopfield(precision="certified"),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def assert_finite(found):
    for name in ("state", "energy", "weight", "entropy", "value", "trace"):
        tensor = getattr(found, name)
        assert tensor is None or bool(torch.isfinite(tensor).all()), name


def highest(kind, patterns):
    """A memory of the highest degree that these patterns allow."""
    for degree in range(700, 0, -1):
        memory = DenseHopfield(separation=kind(degree))
        try:
            memory.store(patterns)
        except DomainError:
            continue
        return memory
    raise AssertionError("no degree is allowed")


@pytest.mark.parametrize("kind", [Polynomial, RectifiedPolynomial])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("count", "dim"), [(1, 1), (3, 8), (50, 100), (200, 784)])
def test_the_highest_degree_is_finite(kind, dtype, count, dim):
    patterns = signs(count, dim, seed=1).to(dtype)
    memory = highest(kind, patterns)
    degree = memory.separation.degree
    assert degree * math.log10(dim + 2) > (250 if dtype == torch.float64 else 25), "premise"
    cues = torch.cat([patterns[:2], -patterns[:1], signs(2, dim, seed=2).to(dtype)])
    known = torch.arange(dim) < (dim + 1) // 2
    for mask in (None, known, torch.zeros(dim, dtype=torch.bool)):
        assert_finite(memory.retrieve(cues, mask, trace=True, steps=4))
    assert bool(torch.isfinite(memory.energy(cues)).all())
    assert torch.equal(memory.retrieve(patterns[:1]).state, patterns[:1])


@pytest.mark.parametrize("seed", (0, 1, 2, 4, 5))
def test_high_degrees_decide_by_the_nearest(seed):
    """The rectified memory tends to the nearest pattern as the degree grows."""
    patterns = signs(6, 31, seed=seed)
    memory = highest(RectifiedPolynomial, patterns)
    cues = patterns.clone()
    cues[:, :8] *= -1
    scores = (cues @ patterns.T).topk(2, dim=-1)
    clear = scores.values[:, 0] - scores.values[:, 1] >= 8
    assert bool(clear.any()), "premise"
    assert torch.equal(memory.retrieve(cues[clear]).state, patterns[scores.indices[clear, 0]])


def test_classical_two_cycle():
    """W = ½(0 1; 1 0): each unit takes the other's value, so (+1, −1) swaps for ever."""
    memory = ClassicalHopfield(schedule="synchronous")
    memory.store(torch.ones(1, 2))
    cue = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    for steps in (0, 1, 2, 3, 100):
        found = memory.retrieve(cue, steps=steps, trace=True)
        assert found.converged.tolist() == [False, True]
        assert found.state[0].abs().eq(1).all() and float(found.state[0].sum()) == 0
        assert int(found.steps[0]) <= 2 and torch.isfinite(found.trace).all()
    kept = ClassicalHopfield(schedule="synchronous", diagonal=True)
    kept.store(torch.ones(1, 2))
    assert bool(kept.retrieve(cue).converged.all()), "with the diagonal nothing cycles"


def test_dense_two_cycle():
    memory = DenseHopfield(1.0)
    memory.store(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    found = memory.retrieve(torch.tensor([1.0, -1.0]))
    assert not bool(found.converged) and int(found.steps) <= 2
    again = DenseHopfield(1.0, schedule="asynchronous")
    again.store(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    assert bool(again.retrieve(torch.tensor([1.0, -1.0])).converged)


@pytest.mark.parametrize("schedule", ["synchronous", "asynchronous"])
@pytest.mark.parametrize(
    "separation", [Softmax(0.5), Polynomial(2), RectifiedPolynomial(3)], ids=str
)
def test_a_cue_of_unknowns_takes_the_majority(separation, schedule):
    """With nothing known the dense memory is moved by all its patterns alike."""
    patterns = signs(3, 9, seed=3)
    memory = DenseHopfield(separation=separation, schedule=schedule)
    memory.store(patterns)
    found = memory.retrieve(torch.zeros(2, 9), steps=50)
    assert_finite(found)
    assert bool(found.state.abs().eq(1).all())
    if schedule == "synchronous" and not isinstance(separation, Polynomial):
        first = memory.update(torch.zeros(9))
        assert torch.equal(first, patterns.sum(0).sign()), "three patterns: never a tie"


@pytest.mark.parametrize("rule", RULES)
def test_a_classical_cue_of_unknowns_is_not_converged(rule):
    """No field acts on unknown units without thresholds: they become +1, and nothing is claimed."""
    memory = ClassicalHopfield(rule, thresholds=torch.zeros(9))
    memory.store(signs(2, 9, seed=3))
    found = memory.retrieve(torch.zeros(2, 9))
    assert_finite(found)
    assert bool((found.state == 1).all()) and not bool(found.converged.any())


@pytest.mark.parametrize("rule", RULES)
def test_patterns_that_depend_on_one_another(rule):
    """Duplicates and opposites: singular Gram matrices, equal energies."""
    row = signs(1, 12, seed=4)
    memory = ClassicalHopfield(rule)
    memory.store(torch.cat([row, -row, row, signs(2, 12, seed=5)]))
    assert bool(torch.isfinite(memory.coupling).all())
    assert_finite(memory.retrieve(torch.cat([row, -row, signs(3, 12, seed=6)]), trace=True))


@pytest.mark.parametrize("rule", RULES)
def test_constant_patterns(rule):
    """All ones: for the covariance rule nothing is left of them."""
    memory = ClassicalHopfield(rule, diagonal=True)
    memory.store(torch.ones(3, 6))
    assert bool(torch.isfinite(memory.coupling).all())
    found = memory.retrieve(signs(4, 6, seed=7), trace=True)
    assert_finite(found)
    if rule == "covariance":
        assert torch.equal(found.state, signs(4, 6, seed=7)), "no field: present values stay"


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e17])
def test_thresholds_of_any_size(size):
    patterns = signs(2, 8, seed=8)
    dtype = torch.float64 if size < 1e-40 else torch.float32
    thresholds = signs(8, seed=9).to(dtype) * size
    memory = ClassicalHopfield(thresholds=thresholds)
    memory.store(patterns.to(dtype))
    found = memory.retrieve(signs(3, 8, seed=10).to(dtype), trace=True)
    assert_finite(found)
    if size > 1:
        assert torch.equal(found.state, -thresholds.sign().expand(3, -1))


def _views(rows):
    """Rows of equal numbers in other memory layouts."""
    yield "transposed", rows.T.contiguous().T
    yield "strided", torch.stack([rows, rows], -1).flatten(-2)[..., ::2]
    yield "reversed twice", rows.flip(-1).contiguous().flip(-1)
    yield "cut from more", torch.nn.functional.pad(rows, (3, 4, 1, 1))[1:-1, 3:-4]
    yield "a parameter", torch.nn.Parameter(rows)
    yield "negated lazily", torch._neg_view(-rows)


@every_kind
def test_views_are_read_like_copies(make):
    patterns, cues = signs(5, 10, seed=11), signs(4, 10, seed=12)
    known = torch.arange(10) < 6
    memory = make()
    memory.store(patterns, patterns)
    wanted = memory.retrieve(cues, known)
    for (name, rows), (_, states) in zip(_views(patterns), _views(cues), strict=True):
        other = make()
        other.store(rows, rows)
        found = other.retrieve(states, known)
        assert torch.equal(found.state, wanted.state), name
        assert torch.equal(found.value, wanted.value), name
        assert torch.equal(other.energy(states).detach(), memory.energy(cues)), name


@every_kind
def test_expanded_tensors_are_neither_written_nor_kept(make):
    row, cue = signs(8, seed=13), signs(8, seed=14)
    patterns, cues = row.expand(3, 8), cue.expand(2, 4, 8)
    kept = row.clone(), cue.clone()
    memory = make()
    memory.store(patterns)
    found = memory.retrieve(cues, (torch.arange(8) < 4).expand(2, 4, 8))
    assert found.state.shape == (2, 4, 8)
    assert torch.equal(row, kept[0]) and torch.equal(cue, kept[1])
    before = memory.patterns.clone()
    row.neg_()
    assert torch.equal(memory.patterns, before), "what was stored is a copy"


@every_kind
def test_masks_that_broadcast(make):
    cues = signs(2, 3, 8, seed=15)
    memory = make()
    memory.store(signs(4, 8, seed=16))
    row = torch.arange(8) < 5
    wanted = memory.retrieve(cues, row.expand(2, 3, 8))
    for mask in (row, row[None], row.expand(3, 8), row.expand(2, 1, 8)):
        found = memory.retrieve(Cue(cues, mask))
        torch.testing.assert_close(found.state, wanted.state)
    everything = memory.retrieve(cues, torch.tensor(True))
    assert torch.equal(everything.state, cues)


@every_kind
def test_numbers_of_other_kinds_are_numbers(make):
    """numpy's and Python's own: integers, fractions; and places as an array, set or iterator."""
    memory = make()
    memory.store(signs(9, 8, seed=17))
    steps = signs(1, 1).long().abs().numpy()[0, 0]  # a numpy.int64
    found = memory.retrieve(signs(2, 8, seed=18), steps=steps, tol=steps / 10)
    assert bool((found.steps <= 1).all())
    memory.remove({0, 1})
    memory.remove(iter([0, 0]))
    memory.remove(torch.tensor([-1]).numpy())
    memory.remove(steps)
    memory.remove([])
    assert len(memory) == 4


@pytest.mark.parametrize("trailing", [(0,), (2, 0), ()])
@every_kind
def test_values_of_any_trailing_shape(make, trailing):
    memory = make()
    values = torch.ones(4, *trailing)
    memory.store(signs(4, 8, seed=19), values)
    found = memory.retrieve(signs(2, 3, 8, seed=20))
    assert found.value.shape == (2, 3, *trailing)
    torch.testing.assert_close(found.value, torch.ones(2, 3, *trailing))
    if len(trailing) == 1:
        assert attention(signs(2, 8), memory.patterns, 1.0, values).shape == (2, 0)


def test_the_answer_does_not_depend_on_torch_settings():
    """A default dtype of float64 changes nothing."""
    memory = DenseHopfield()
    memory.store(signs(4, 8, seed=21))
    wanted = memory.retrieve(signs(3, 8, seed=22))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for make in KINDS.values():
            other = make()
            other.store(signs(4, 8, seed=21).float())
            assert other.retrieve(signs(3, 8, seed=22).float()).state.dtype == torch.float32
        found = memory.retrieve(signs(3, 8, seed=22).float())
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(found.state, wanted.state) and found.energy.dtype == wanted.energy.dtype
