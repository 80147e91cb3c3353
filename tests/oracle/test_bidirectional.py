"""Bidirectional memories: all states of small ones by loops, Boltzmann's distribution, and use."""

import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import hopfield
from draws import signs
from hopfield import (
    BidirectionalMemory,
    Cue,
    ModernBidirectional,
    ModernHopfield,
    Polynomial,
    RectifiedPolynomial,
    Softmax,
    Sparsemax,
    corruption,
    energy,
    metrics,
)
from hopfield.errors import CapacityWarning, OptionError, ShapeError

LEFT, RIGHT = 5, 6
ALL = torch.tensor(list(product([1.0, -1.0], repeat=LEFT + RIGHT)), dtype=torch.float64)
SEPARATIONS = [Softmax(0.3), Softmax(4.0), Sparsemax(0.3), RectifiedPolynomial(3), Polynomial(2)]


def pairs(n, seed=0, left=LEFT, right=RIGHT, dtype=torch.float64):
    rows = signs(n, left + right, seed=seed).to(dtype)
    return rows[:, :left], rows[:, left:]


def stored(x, y, *arguments, **options):
    memory = BidirectionalMemory(*arguments, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CapacityWarning)
        memory.store_pairs(x, y)
    return memory


def kosko_step(weights, state):
    """Update y from x, then x from y, unit by unit; a tie keeps the unit."""
    x, y = list(state[:LEFT]), list(state[LEFT:])
    for j in range(RIGHT):
        field = sum(x[i] * weights[i][j] for i in range(LEFT))
        y[j] = y[j] if field == 0 else np.sign(field)
    for i in range(LEFT):
        field = sum(weights[i][j] * y[j] for j in range(RIGHT))
        x[i] = x[i] if field == 0 else np.sign(field)
    return [*x, *y]


@pytest.mark.parametrize("n", [2, 3, 7])
def test_every_state_of_koskos_network_by_loops(n):
    x, y = pairs(n, seed=n)
    memory = stored(x, y)
    weights = [[sum((x[k, i] * y[k, j]).item() for k in range(n)) for j in range(RIGHT)]
               for i in range(LEFT)]  # fmt: skip
    assert memory.coupling.tolist() == weights
    expected = [kosko_step(weights, state.tolist()) for state in ALL]
    assert torch.equal(memory.update(ALL), torch.tensor(expected, dtype=torch.float64))
    energies = torch.stack([-(s[:LEFT] @ torch.tensor(weights).double() @ s[LEFT:]) for s in ALL])
    assert torch.equal(memory.energy(ALL), energies)
    both = torch.zeros(LEFT + RIGHT, LEFT + RIGHT, dtype=torch.float64)
    both[:LEFT, LEFT:] = memory.coupling
    both[LEFT:, :LEFT] = memory.coupling.T
    torch.testing.assert_close(memory.energy(ALL), energy.classical(ALL, both))


@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_koskos_network_reaches_a_fixed_pair_from_every_state(n):
    memory = stored(*pairs(n, seed=n))
    result = memory.retrieve(ALL, trace=True)
    assert result.converged.all()
    assert torch.equal(memory.update(result.state), result.state)
    assert (result.trace.diff(dim=0) <= 0).all()
    assert (result.steps > 0).any() and (result.steps == 0).any(), "premise"
    changed = result.steps > 0
    assert (result.energy <= result.trace[0]).all() and changed.any()


@pytest.mark.parametrize("separation", SEPARATIONS, ids=repr)
def test_every_state_of_the_dense_form_by_its_formula(separation):
    x, y = pairs(4, seed=1)
    memory = stored(x, y, separation)
    scores = (ALL[:, :LEFT] @ x.T + ALL[:, LEFT:] @ y.T).requires_grad_()
    potential = separation.potential(scores)
    torch.testing.assert_close(memory.energy(ALL), -potential.detach())
    (weights,) = torch.autograd.grad(potential.sum(), scores)

    def unit_values(weights, rows, present):
        field, rounding = weights @ rows, len(rows) * torch.finfo(torch.float64).eps
        tie = field.abs() <= rounding * weights.abs().sum(1, keepdim=True)
        return torch.where(tie, present, field.sign())

    after_y = unit_values(weights, y, ALL[:, LEFT:])
    again = (ALL[:, :LEFT] @ x.T + after_y @ y.T).requires_grad_()
    (weights,) = torch.autograd.grad(separation.potential(again).sum(), again)
    after_x = unit_values(weights, x, ALL[:, :LEFT])
    assert torch.equal(memory.update(ALL), torch.cat([after_x, after_y], 1))


@pytest.mark.parametrize("separation", SEPARATIONS, ids=repr)
def test_the_dense_form_descends_to_a_fixed_pair_from_every_state(separation):
    memory = stored(*pairs(4, seed=2), separation)
    result = memory.retrieve(ALL, trace=True)
    assert result.converged.all() and (result.steps > 0).any()
    assert torch.equal(memory.update(result.state), result.state)
    rounding = 1e-13 * result.trace.abs().max()
    assert (result.trace.diff(dim=0) <= rounding).all()


@pytest.mark.parametrize("separation", [Softmax(0.7), RectifiedPolynomial(5), Softmax(300.0)])
def test_equal_weights_of_opposite_units_tie(separation):
    """Sums of weights that cancel are 0 up to rounding, which must decide nothing."""
    y = signs(12, 30, seed=3)
    y = torch.cat([y, -y])[torch.randperm(24, generator=torch.Generator().manual_seed(0))]
    memory = stored(torch.ones(24, 5), y, separation)
    result = memory.recall(x=torch.ones(5))
    assert (result.y == 1).all() and not result.converged, "undecided units become +1"


def test_thermal_states_follow_boltzmann():
    """P(x, y) ∝ exp(−E/T) over the 64 states of 3 + 3 units."""
    x, y = pairs(2, seed=5, left=3, right=3)
    memory = stored(x, y, temperature=6.0)
    states = torch.tensor(list(product([1.0, -1.0], repeat=6)), dtype=torch.float64)
    expected = torch.softmax(-memory.energy(states) / 6.0, 0)
    start = signs(20_000, 6, seed=6).double()
    generator = torch.Generator().manual_seed(7)
    result = memory.retrieve(start, steps=40, generator=generator)
    assert not result.converged.any()
    code = ((result.state < 0) * 2 ** torch.arange(5, -1, -1)).sum(1)
    counts = torch.bincount(code, minlength=64)
    assert expected.min() * 20_000 > 5, "premise of χ²"
    assert stats.chisquare(counts.numpy(), 20_000 * expected.numpy()).pvalue > 1e-5


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_the_modern_form_is_the_modern_network_on_rows(similarity):
    rows = torch.randn(6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    memory, plain = (
        ModernBidirectional(2.0, similarity=similarity),
        ModernHopfield(2.0, similarity=similarity),
    )
    memory.store_pairs(rows[:, :4], rows[:, 4:])
    plain.store(rows)
    known = torch.arange(7) < 4
    one, other = memory.recall(x=rows[:, :4]), plain.retrieve(rows, known, clamp=False)
    assert torch.equal(memory.joint(one.x, one.y), other.state)
    score = rows[:, :4] @ rows[:, :4].T
    if similarity == "euclidean":
        score = -(torch.cdist(rows[:, :4], rows[:, :4]) ** 2) / 2
    result = memory.recall(x=rows[:, :4], steps=1)
    torch.testing.assert_close(result.y, torch.softmax(2 * score, 1) @ rows[:, 4:])


# ---- use


@pytest.mark.parametrize(
    "separation", [None, Softmax(0.5), RectifiedPolynomial(3)], ids=["kosko", "softmax", "power"]
)
def test_each_side_recalls_the_other(separation):
    x, y = pairs(6, left=120, right=70, dtype=torch.float32)
    memory = stored(x, y, separation)
    damaged = corruption.flip(x, 0.15)
    result = memory.recall(x=damaged)
    assert torch.equal(result.x, x) and torch.equal(result.y, y)
    assert result.index.tolist() == list(range(6)) and result.converged.all()
    result = memory.recall(y=corruption.flip(y, 0.1))
    assert torch.equal(result.x, x) and torch.equal(result.y, y)
    known = torch.arange(120) < 40
    result = memory.recall(x=x, known_x=known)
    assert torch.equal(result.x, x) and torch.equal(result.y, y)
    result = memory.recall(Cue(x, known), y, known_y=torch.arange(70) < 5)
    assert torch.equal(result.x, x) and torch.equal(result.y, y)


def test_unknown_units_of_x_come_from_y():
    """A few known units of x must not outvote a whole y, held or not."""
    x, y = pairs(4, left=60, right=60, dtype=torch.float32)
    memory = stored(x, y)
    cue, known = -x.clone(), torch.arange(60) < 3
    cue[:, :3] = x[:, :3]
    for clamp in (True, False):
        result = memory.recall(cue, y, known_x=known, clamp=clamp)
        assert torch.equal(result.x, x) and torch.equal(result.y, y)


def test_a_mask_holds_known_units_and_a_side_left_out_holds_none():
    x, y = pairs(3, left=40, right=30, dtype=torch.float32)
    memory = stored(x, y)
    wrong = x.clone()
    wrong[:, :4] *= -1
    known = torch.ones(40, dtype=torch.bool)
    assert torch.equal(memory.recall(wrong).x, x)
    assert torch.equal(memory.recall(wrong, known_x=known).x, wrong)
    assert torch.equal(memory.recall(wrong, known_x=known, clamp=False).x, x)


def test_batches_broadcast_and_keep_their_shape():
    x, y = pairs(4, left=40, right=30, dtype=torch.float32)
    memory = stored(x, y)
    result = memory.recall(x[:1], y.view(2, 2, 30))
    assert result.x.shape == (2, 2, 40) and result.y.shape == (2, 2, 30)
    assert result.steps.shape == (2, 2) and result.state.shape == (2, 2, 70)
    one = memory.recall(x=x[2])
    assert torch.equal(one.y, y[2]) and one.index == 2 and one.energy.ndim == 0
    assert repr(one).startswith("PairRetrieval(1 query, 1 converged")


def test_arrays_and_pictures_on_either_side():
    generator = np.random.default_rng(0)
    pictures, letters = generator.random((3, 8, 5)) < 0.5, generator.random((3, 6, 4)) < 0.5
    memory = BidirectionalMemory()
    memory.store_pairs(pictures, letters, names=["a", "b", "c"])
    result = memory.recall(x=pictures)
    assert result.x.shape == (3, 8, 5) and result.y.shape == (3, 24)
    assert np.array_equal(result.y.reshape(3, 6, 4) > 0, letters)
    assert list(result.name) == ["a", "b", "c"]
    known = np.arange(6)[:, None] < np.full(4, 3)
    assert np.array_equal(memory.recall(y=letters[1], known_y=known).x.view(8, 5) > 0, pictures[1])


def test_names_values_removal_and_files(tmp_path: Path):
    x, y = pairs(5, left=40, right=30, dtype=torch.float32)
    for memory in (BidirectionalMemory(), BidirectionalMemory(RectifiedPolynomial(3)),
                   ModernBidirectional()):  # fmt: skip
        memory.store_pairs(x, y, torch.arange(5), names=list("abcde"))
        memory.remove(names="b")
        memory.replace("c", memory.joint(-x[2], y[2])[None])
        memory.save(tmp_path / "pairs.hop")
        for each in (memory, hopfield.load(tmp_path / "pairs.hop")):
            result = each.recall(y=y[[3, 2]])
            assert list(result.name) == ["d", "c"] and result.value.tolist() == [3, 2]
            assert metrics.exact_recall(torch.stack([x[3], -x[2]]), result.x.sign()).all()
            assert torch.equal(each.sides(each.patterns)[1], y[[0, 3, 4, 2]])
            with pytest.raises(ShapeError, match="x must"):
                each.store_pairs(x[:, 1:], y)


def test_the_first_pairs_decide_the_split_and_an_emptied_memory_forgets_it():
    memory, given = BidirectionalMemory(), BidirectionalMemory(split=4)
    with pytest.raises(OptionError, match=r"store_pairs\(x, y\).*split=dim_x"):
        memory.store(signs(2, 9, seed=0))
    with pytest.raises(ShapeError):
        memory.store_pairs(signs(2, 4, seed=0), signs(3, 5, seed=0))
    assert memory.split is None, "a failed store leaves the memory as it was"
    memory.store_pairs(signs(2, 4, seed=0), signs(2, 5, seed=1))
    given.store_pairs(signs(2, 4, seed=0), signs(2, 5, seed=1))
    assert memory.split == 4 and torch.equal(memory.patterns, given.patterns)
    for each in (memory, given):
        each.remove([0, 1])
    memory.store_pairs(signs(2, 6, seed=0), signs(2, 3, seed=1))
    assert memory.split == 6
    with pytest.raises(ShapeError, match="4 entries"):
        given.store_pairs(signs(2, 6, seed=0), signs(2, 3, seed=1))


def test_lost_pairs_are_warned_of_once_at_the_line_that_stores_them():
    memory = BidirectionalMemory()
    with pytest.warns(CapacityWarning, match=r"^\d+ of 30 pairs .*RectifiedPolynomial") as caught:
        memory.store_pairs(*pairs(30, left=40, right=40))
    assert caught[0].filename == __file__ and len(memory) == 30
    wrong = (memory.update(memory.patterns) != memory.patterns).any(1).sum()
    assert int(str(caught[0].message).split()[0]) >= wrong > 0
    memory.store_pairs(*pairs(1, seed=1, left=40, right=40))
    dense = BidirectionalMemory(RectifiedPolynomial(3))
    dense.store_pairs(*pairs(30, left=40, right=40))
    assert torch.equal(dense.update(dense.patterns), dense.patterns)
