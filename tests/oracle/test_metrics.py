"""Metrics against values worked out by hand, and the basin of memories with a known one."""

import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hopfield import corruption, metrics
from hopfield.cue import Cue
from hopfield.errors import DeviceError, DomainError, InputTypeError, OptionError, ShapeError

X = torch.tensor([1.0, -1.0, 1.0, -1.0])
ROWS = torch.tensor([[1.0, -1, 1, -1], [-1, 1, -1, 1], [1, -1, 1, 1], [1, 1, 1, 1]])
BY_HAND = {
    "hamming_accuracy": [1.0, 0.0, 0.75, 0.5],
    "overlap": [1.0, -1.0, 0.5, 0.0],
    "cosine": [1.0, -1.0, 0.5, 0.0],
    "exact_recall": [True, False, False, False],
}
every = pytest.mark.parametrize("name", BY_HAND)


@every
def test_by_hand(name):
    assert getattr(metrics, name)(X, ROWS).tolist() == BY_HAND[name]
    assert getattr(metrics, name)(ROWS, X).tolist() == BY_HAND[name], "symmetric"


@every
def test_one_value_a_row_and_shapes_broadcast(name):
    measure = getattr(metrics, name)
    assert measure(X, X).shape == ()
    assert measure(ROWS, ROWS).shape == (4,)
    assert measure(ROWS[:, None], ROWS).shape == (4, 4)
    assert measure(ROWS.view(2, 2, 4), X).shape == (2, 2)
    assert measure(ROWS[:0], X).shape == (0,)


@every
def test_inputs_are_untouched(name):
    a, b = ROWS.clone(), X.clone()
    getattr(metrics, name)(a, b)
    assert torch.equal(a, ROWS) and torch.equal(b, X)


@every
@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        (ROWS, torch.ones(4, 5), ShapeError),
        (ROWS, torch.ones(4, 1), ShapeError),
        (ROWS, torch.ones(3, 4), ShapeError),
        (torch.tensor(1.0), torch.tensor(1.0), ShapeError),
        (torch.ones(3, 0), torch.ones(3, 0), ShapeError),
        (ROWS.long(), ROWS, InputTypeError),
        (ROWS, ROWS.tolist(), InputTypeError),
        (ROWS, ROWS * math.nan, DomainError),
        (ROWS, ROWS * math.inf, DomainError),
    ],
)
def test_what_cannot_be_compared(name, x, y, error):
    with pytest.raises(error, match=r"original|recovered"):
        getattr(metrics, name)(x, y)


def test_devices_must_match(monkeypatch):
    there = torch.ones(4, device="meta")
    monkeypatch.setattr(metrics, "check_tensor", lambda name, value: value)  # meta has no values
    with pytest.raises(DeviceError, match=r"recovered\.to"):
        metrics.overlap(X, there)


def test_overlap_and_cosine_scale():
    assert metrics.overlap(2 * X, 3 * X) == 6
    assert metrics.cosine(2 * X, 3 * X) == 1


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1.0, 1e30])
def test_cosine_is_finite_at_any_scale(scale):
    y = torch.tensor([1.0, 1.0, 1.0, -1.0])
    torch.testing.assert_close(metrics.cosine(scale * X, scale * y), torch.tensor(0.5))


def test_cosine_of_the_zero_vector_is_0():
    assert metrics.cosine(X, torch.zeros(4)) == 0 and metrics.cosine(X * 0, X * 0) == 0


def test_half_precision_is_summed_in_single():
    x = torch.ones(5000, dtype=torch.float16)
    x[0] = -1  # float16 cannot hold 4999 / 5000
    assert metrics.overlap(x, torch.ones_like(x)).item() == pytest.approx(0.9996, abs=1e-7)
    assert metrics.overlap(x.double(), x).dtype == torch.float64


# Exact recall


def test_grey_levels():
    x = torch.arange(256.0)[:, None] / 255
    for error, same in ((0.49, True), (-0.49, True), (0.51, False), (-0.51, False)):
        y = x + error / 255
        assert (metrics.exact_recall(x, y, levels=256) == same).all()
        assert not metrics.exact_recall(x, y).any()


def test_one_wrong_entry_is_enough():
    x = torch.full((1, 784), 0.6)
    y = x.clone()
    y[0, 100] += 0.01
    assert metrics.exact_recall(x, x, levels=256).all()
    assert not metrics.exact_recall(x, y, levels=256).any()
    assert metrics.exact_recall(x, y, levels=2).all(), "premise: only coarser levels hide it"


def test_sign_blind():
    assert metrics.exact_recall(X, ROWS, sign_blind=True).tolist() == [True, True, False, False]
    half = torch.tensor([-1.0, 1.0, 1.0, -1.0])
    assert not metrics.exact_recall(X, half, sign_blind=True), "one sign for the whole pattern"


def test_options_of_exact_recall():
    with pytest.raises(OptionError, match="levels and sign_blind"):
        metrics.exact_recall(X, X, levels=256, sign_blind=True)
    with pytest.raises(DomainError, match="levels"):
        metrics.exact_recall(X, X, levels=1)
    with pytest.raises(InputTypeError, match="levels"):
        metrics.exact_recall(X, X, levels=255.0)
    with pytest.raises(InputTypeError, match="sign_blind"):
        metrics.exact_recall(X, X, sign_blind=1)


# Recalled


def test_signs_are_recalled_exactly():
    assert metrics.recalled(X, ROWS).tolist() == [True, False, False, False]
    assert not metrics.recalled(X, X * 0.999)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_state_that_has_shrunk_is_not_recalled(scale):
    """Its direction is right, but it is the mean of several patterns, or hardly anything."""
    x = scale * torch.linspace(0.1, 1, 20)
    for factor, back in ((1, True), (0.87, True), (0.85, False), (0.5, False), (0, False)):
        assert metrics.recalled(x, x * factor) == back, factor
    assert metrics.recalled(x, x * 1.13) and not metrics.recalled(x, x * 1.15)
    assert metrics.cosine(x, 0.5 * x) > 0.999, "premise: the direction says nothing"


def test_at_equal_norms_recalled_is_a_cosine_of_99_percent():
    x = torch.tensor([2.0, 0.0])
    for degrees, back in ((8.0, True), (8.2, False)):  # cos 8.11° = 0.99
        angle = math.radians(degrees)
        y = 2 * torch.tensor([math.cos(angle), math.sin(angle)])
        assert metrics.recalled(x, y) == back
    zero = torch.zeros(2)
    assert metrics.recalled(zero, zero) and not metrics.recalled(zero, x)


# Basin of attraction


class Nearest:
    """Returns to its pattern from at most `most` wrong entries; stays elsewhere."""

    def __init__(self, pattern, most):
        self.pattern, self.most, self.calls = pattern, most, 0

    def retrieve(self, cue):
        self.calls += 1
        near = (cue.state != self.pattern).sum(-1, keepdim=True) <= self.most
        return SimpleNamespace(state=torch.where(near, self.pattern, cue.state))


@given(dim=st.integers(1, 70), data=st.data())
def test_the_radius_of_a_memory_with_a_known_basin(dim, data):
    most = data.draw(st.integers(0, dim))
    memory = Nearest(torch.ones(dim), most)
    assert metrics.basin_radius(memory, torch.ones(dim), corruption.flip) == most / dim
    assert memory.calls <= math.ceil(math.log2(dim + 1)) + 1, "bisection"


def test_the_radius_is_0_where_not_even_the_pattern_stays():
    memory = SimpleNamespace(retrieve=lambda cue: SimpleNamespace(state=-cue.state))
    assert metrics.basin_radius(memory, torch.ones(16), corruption.flip) == 0
    never = metrics.basin_radius(
        Nearest(torch.ones(16), 16),
        torch.ones(16),
        corruption.flip,
        returned=lambda x, states: torch.zeros(len(states), dtype=torch.bool),
    )
    assert never == 0


class SomeReturn:
    """The first `good` of a batch return from anything, the others from at most 4 wrong entries."""

    def __init__(self, good):
        self.good = good

    def retrieve(self, cue):
        wrong = (cue.state != 1).sum(-1)
        back = (torch.arange(len(wrong)) < self.good) | (wrong <= 4)
        return SimpleNamespace(state=torch.where(back[:, None], 1.0, cue.state))


@pytest.mark.parametrize(("recall", "radius"), [(0.7, 1.0), (0.71, 0.25), (1.0, 0.25)])
def test_the_share_of_draws_that_must_return(recall, radius):
    measured = metrics.basin_radius(
        SomeReturn(7), torch.ones(16), corruption.flip, draws=10, recall=recall
    )
    assert measured == radius


def test_resolution_and_another_scale_of_damage():
    memory = Nearest(torch.ones(100), 37)
    radius = metrics.basin_radius(memory, torch.ones(100), corruption.flip, resolution=0.1)
    assert radius == pytest.approx(0.3)

    def keeps(cue):
        near = (cue.state - 1).abs().amax(-1, keepdim=True) < 2
        return SimpleNamespace(state=torch.where(near, 1.0, cue.state))

    def wide(x, amount, generator):
        return corruption.gaussian_noise(x, 5 * amount, generator=generator)

    radius = metrics.basin_radius(
        SimpleNamespace(retrieve=keeps), torch.ones(50), wide, resolution=0.01
    )
    assert 0.08 < radius < 0.2  # the largest of 50 draws is about 2.5 sd: 5 · radius · 2.5 ≈ 2


def test_what_counts_as_returned():
    grey = torch.linspace(0, 1, 20)
    near = SimpleNamespace(retrieve=lambda cue: SimpleNamespace(state=grey.expand(10, -1) + 1e-4))
    assert metrics.basin_radius(near, grey, corruption.occlude_random) == 1, "by cosine"
    exact = metrics.basin_radius(
        near, grey, corruption.occlude_random, returned=metrics.exact_recall
    )
    assert exact == 0
    nearly = SimpleNamespace(retrieve=lambda cue: SimpleNamespace(state=torch.ones(10, 20) * 0.999))
    assert metrics.basin_radius(nearly, torch.ones(20), corruption.flip) == 0, "±1 exactly"


def test_the_basin_of_mirror_images_stops_at_the_first_failure():
    def majority(cue):
        return SimpleNamespace(state=cue.state.sum(-1, keepdim=True).sign().expand(-1, 15))

    def same(x, states):
        return metrics.exact_recall(x, states, sign_blind=True)

    memory = SimpleNamespace(retrieve=majority)
    assert metrics.basin_radius(memory, torch.ones(15), corruption.flip) == 7 / 15
    assert metrics.basin_radius(memory, torch.ones(15), corruption.flip, returned=same) == 1


def test_the_draws_come_from_the_generator():
    seen = []

    def watch(patterns, amount, generator):
        cue = corruption.flip(patterns, amount, generator=generator)
        seen.append((amount, cue.state))
        return cue

    def radius(seed):
        seen.clear()
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        memory = Nearest(torch.ones(40), 13)
        metrics.basin_radius(memory, torch.ones(40), watch, generator=generator)
        return [state for _, state in seen]

    assert all(torch.equal(a, b) for a, b in zip(radius(None), radius(None), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(radius(1), radius(2), strict=True))
    flips = [state < 0 for _, state in sorted(seen, key=lambda pair: pair[0])]
    assert len(flips) > 3, "premise: several amounts were tried"
    for less, more in pairwise(flips):
        assert (less <= more).all(), "more damage keeps the damage there was"


def bad(**changes):
    options = {"memory": Nearest(X, 1), "pattern": X, "corrupt": corruption.flip} | changes
    return lambda: metrics.basin_radius(**options)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (bad(pattern=ROWS), ShapeError, "one pattern"),
        (bad(pattern=torch.ones(0)), ShapeError, "one pattern"),
        (bad(pattern=[1.0]), InputTypeError, "pattern"),
        (bad(memory=object()), InputTypeError, "retrieve"),
        (bad(corrupt="flip"), InputTypeError, "corrupt"),
        (bad(corrupt=lambda x, a, generator: x), InputTypeError, "Cue"),
        (bad(draws=0), DomainError, "draws"),
        (bad(draws=1.5), InputTypeError, "draws"),
        (bad(recall=0), DomainError, "recall"),
        (bad(recall=1.1), DomainError, "recall"),
        (bad(resolution=0), DomainError, "resolution"),
        (bad(resolution=2.0), DomainError, "resolution"),
        (bad(returned=lambda x, states: True), ShapeError, "returned must give one bool .* True"),
        *[
            (
                bad(returned=value),
                InputTypeError,
                r"returned must be a function of \(pattern, states",
            )
            for value in (3, "recalled", [], torch.ones(3), lambda x: x, int, str)
        ],
        (bad(corrupt=corruption.occlude_half), InputTypeError, "corrupt must be a function"),
        (bad(returned=metrics.cosine), ShapeError, "returned"),
        (bad(generator=3), InputTypeError, "generator"),
    ],
)
def test_bad_arguments_of_basin_radius(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_cue_with_known_entries_reaches_the_memory():
    seen = []

    def retrieve(cue):
        seen.append(cue)
        return SimpleNamespace(state=torch.ones(10, 8))

    memory = SimpleNamespace(retrieve=retrieve)
    metrics.basin_radius(memory, torch.ones(8), corruption.occlude_random)
    assert seen and all(isinstance(cue, Cue) and cue.known is not None for cue in seen)
