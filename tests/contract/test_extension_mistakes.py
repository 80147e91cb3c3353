"""Mistakes in separations, similarities and networks of users are named where they are made."""

import pytest
import torch

from cases import seeded
from hopfield import Memory, ModernHopfield, Separation, Softmax
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError
from hopfield.iteration import Reading
from hopfield.overrides import check_callable
from hopfield.similarity import EntrySum, Similarity, dot

ROWS = torch.randn(5, 4, generator=seeded(0))


class Best(Separation):
    """F(s) = max s."""

    def potential(self, scores):
        return scores.amax(-1)

    def __call__(self, scores):
        return torch.nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)


class Stays(Memory):
    """Every state is a fixed point."""

    def step(self, state, known, held, generator):
        return Reading(state)

    def energy_of(self, state):
        return None

    def config(self):
        return {}


@pytest.mark.parametrize(
    ("base", "members", "match"),
    [
        (Best, {"__call__": lambda self: 1}, r"Own.__call__ must take \(self, scores\), but takes"),
        (Best, {"potential": lambda self, s, w: 1}, r"Own.potential .* takes \(self, s, w\)"),
        (Best, {"inverse_width": lambda self, s: 1}, r"Own.inverse_width must take \(self\)"),
        (Best, {"simplex": lambda self: True}, r"Own.simplex must be a value or a property"),
        (Best, {"takes_prior": True}, r"Own.potential must take \(self, scores, prior\)"),
        (Stays, {"step": lambda self, state: 1}, r"step must take \(self, state, known, held, gen"),
        (Stays, {"energy_of": lambda self, state, known: 1}, r"Own.energy_of must take \(self, st"),
        (Stays, {"check_new": lambda self: 1}, r"check_new must take \(self, patterns, before\)"),
        (Stays, {"binary": lambda self: True}, r"Own.binary must be a value .*Put @property"),
        (Stays, {"scoring": lambda self: (dot, None)}, r"Own.scoring must be a value or a prop"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_members_that_cannot_be_called_are_refused_with_the_class(base, members, match):
    with pytest.raises(InputTypeError, match=match):
        type("Own", (base,), members)


def test_more_arguments_with_defaults_and_decorated_members_are_fine():
    own = type("Own", (Best,), {"potential": lambda self, s, scale=1.0: scale * s.amax(-1)})
    memory = ModernHopfield(separation=own())
    memory.store(ROWS)
    assert memory.retrieve(ROWS).state.shape == ROWS.shape
    assert type("WithProperty", (Stays,), {"settles": property(lambda self: True)})().settles


def two(rows, state):
    return state @ rows.T


def test_the_function_of_a_similarity_takes_a_block():
    match = r"function of 'x' must take \(block, state, known\), but takes \(rows, state\)"
    for kind in (Similarity, EntrySum):
        with pytest.raises(InputTypeError, match=match):
            kind("x", two)


def test_a_function_of_two_arguments_is_no_similarity():
    with pytest.raises(InputTypeError, match=r"f must be a function of \(rows\), but is 3"):
        check_callable("f", 3, ("rows",))
    with pytest.raises(InputTypeError, match=r"two must take \(rows, state, known\), but takes"):
        ModernHopfield(similarity=two)


def of_rows(rows, state, known):
    return state @ rows.T


@pytest.mark.parametrize(
    ("function", "error", "match"),
    [
        (of_rows, InputTypeError, r"block, whose patterns are block.rows, .*similarity=of_rows\."),
        (lambda block, state, known: state @ block, InputTypeError, "gets a block"),
        (lambda block, state, known: state, ShapeError, r"\(5, 5\), .* returned a tensor of shape"),
        (lambda block, state, known: [1.0], ShapeError, "returned a list"),
        (lambda b, s, k: s @ b.rows.T * torch.nan, DomainError, "<lambda> returned NaN"),
    ],
)
def test_what_the_function_of_a_similarity_returns_is_checked(function, error, match):
    memory = ModernHopfield(2.0, similarity=Similarity("own", function))
    memory.store(ROWS)
    for call in (memory.retrieve, memory.energy):
        with pytest.raises(error, match=match):
            call(ROWS)


def test_an_error_within_a_function_is_the_own_one():
    def broken(block, state, known):
        return state + "a"

    memory = ModernHopfield(2.0, similarity=Similarity("own", broken))
    memory.store(ROWS)
    with pytest.raises(TypeError, match="unsupported operand"):
        memory.retrieve(ROWS)


def reading(**fields):
    """A network whose readings have these fields."""
    own = type("Own", (Stays,), {"step": lambda self, x, k, h, g: Reading(x, **fields)})()
    own.store(ROWS)
    return own


@pytest.mark.parametrize("index", [5, -1])
def test_an_index_of_no_pattern_is_refused(index):
    numbers = torch.tensor([0, 1, index, 4, 0])
    with pytest.raises(DomainError, match=f"Own.step .* from 0 to 4, .* returned {index}"):
        reading(index=numbers, weight=torch.ones(5)).retrieve(ROWS)


def test_states_that_are_no_floats_are_refused():
    own = type("Own", (Stays,), {"step": lambda self, x, k, h, g: Reading(x.long())})()
    own.store(ROWS)
    with pytest.raises(InputTypeError, match="floating point states, but returned"):
        own.retrieve(ROWS)


@pytest.mark.parametrize("known", [None, torch.arange(4) < 2])
@pytest.mark.parametrize(
    ("binary", "step", "match"),
    [
        (False, lambda x: x * torch.nan, "Own.step must return finite states, but returned NaN"),
        (True, lambda x: x / 0, "Own.step must return finite states, but returned (inf|NaN)"),
        (False, lambda x: 2e9 * (1 + x.abs()), "Own.step must return finite states, but .* inf"),
        (True, lambda x: x / 2, r"Own.step must return −1 or 1, and 0 only .* returned -?0.5\."),
        (True, lambda x: x * 0 + (x == 0), "Own.step must return −1 or 1, .* returned 0. Where"),
    ],
    ids=["NaN", "inf", "grows until it overflows", "between −1 and 1", "0 for a known unit"],
)
def test_states_are_finite_and_units_plus_or_minus_1(binary, step, match, known):
    members = {"step": lambda self, x, k, h, g: Reading(step(x)), "binary": binary}
    own, rows = type("Own", (Stays,), members)(), ROWS.sign() if binary else ROWS
    own.store(rows)
    with pytest.raises(DomainError, match=match):
        own.retrieve(rows, known=known, clamp=False)


def test_a_network_of_a_user_may_return_anything_at_held_entries_and_leave_units_unknown():
    known = torch.arange(4) < 2
    members = {"step": lambda self, x, k, h, g: Reading(x.where(~k, torch.nan)), "binary": True}
    own = type("Own", (Stays,), members)()
    own.store(ROWS.sign())
    state = own.retrieve(ROWS.sign(), known=known).state
    assert torch.equal(state[:, :2], ROWS.sign()[:, :2])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_energies_are_finite(value):
    infinite = torch.full((5,), value)
    own = type("Own", (Stays,), {"energy_of": lambda self, state: infinite})()
    own.store(ROWS)
    for call in (own.retrieve, own.energy):
        with pytest.raises(DomainError, match=r"Own.energy_of must return finite energies"):
            call(ROWS)
    with pytest.raises(DomainError, match=r"Own.step must return finite energies"):
        reading(energy=infinite).retrieve(ROWS)


@pytest.mark.parametrize(
    ("pair", "found"),
    [
        ("dot", "'dot'"),
        ((dot,), r"\(a hopfield"),
        (("dot", Softmax(1.0)), r"\('dot', a hopfield"),
        ((Softmax(1.0), dot), r"\(a hopfield"),
        ((dot, Softmax), r"the class Softmax\)"),
    ],
    ids=str,
)
def test_value_weights_and_scoring_are_pairs(pair, found):
    own = type("Own", (Stays,), {"value_weights": pair})()
    own.store(ROWS, values=ROWS[:, 0])
    for call in (own.retrieve, own.energy, own.update):
        with pytest.raises(InputTypeError, match=rf"Own.value_weights must be a pair .*{found}"):
            call(ROWS)
    own = type("Own", (Stays,), {"scoring": pair})()
    own.store(ROWS)
    with pytest.raises(InputTypeError, match=rf"Own.scoring must be a pair .*or None.*{found}"):
        own.nearest(ROWS, 2)


def test_a_config_is_a_dict():
    own = type("Own", (Stays,), {"config": lambda self: None})()
    with pytest.raises(InputTypeError, match=r"Own.config must return a dict .* returned None"):
        repr(own)


class Sized(Stays):
    """A network with one argument."""

    def __init__(self, size, *, store=None):
        self.size = size

    def config(self):
        return {"size": self.size}


@pytest.mark.parametrize("value", [object(), [object()], {1, 2}], ids=["object", "list", "set"])
def test_an_argument_that_no_file_can_hold_is_named_with_config(value, tmp_path):
    with pytest.raises(InputTypeError, match=r"^size, which Sized.config returns, must hold what"):
        Sized(value).save(tmp_path / "sized.hop")


@pytest.mark.parametrize("value", [3, "chebyshev"])
def test_what_is_no_similarity_may_be_meant_as_a_function(value):
    with pytest.raises(
        OptionError, match=r"'manhattan', but is .*a function \(rows, state, known\)"
    ):
        ModernHopfield(similarity=value)
