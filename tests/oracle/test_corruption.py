"""Corruption: exact counts, masks of the hidden entries, and untouched inputs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from draws import generator as seeded
from draws import signs
from hopfield import corruption, synthetic
from hopfield.cue import Cue
from hopfield.errors import DomainError, InputTypeError, OptionError, ShapeError

DAMAGE = {
    "flip": lambda x, **kw: corruption.flip(x, 0.25, **kw),
    "gaussian_noise": lambda x, **kw: corruption.gaussian_noise(x, 0.5, **kw),
    "salt_and_pepper": lambda x, **kw: corruption.salt_and_pepper(x, 0.25, **kw),
    "occlude_half": lambda x, generator=None: corruption.occlude_half(x, shape=(4, 6)),
    "occlude_block": lambda x, **kw: corruption.occlude_block(x, 0.25, shape=(4, 6), **kw),
    "occlude_random": lambda x, **kw: corruption.occlude_random(x, 0.25, **kw),
}
DRAWN = [name for name in DAMAGE if name != "occlude_half"]
every = pytest.mark.parametrize("name", DAMAGE)
every_drawn = pytest.mark.parametrize("name", DRAWN)


# What all have in common


@every
@pytest.mark.parametrize("batch", [(), (5,), (0,), (2, 3)], ids=str)
def test_any_batch_shape_and_the_input_is_untouched(name, batch):
    patterns = signs(*batch, 24)
    before = patterns.clone()
    cue = DAMAGE[name](patterns)
    assert isinstance(cue, Cue) and cue.shape == patterns.shape
    assert torch.equal(patterns, before)
    if patterns.numel():
        assert not torch.equal(cue.state, patterns), "premise: something was damaged"


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtype_is_kept_and_the_draws_do_not_depend_on_it(name, dtype):
    patterns = signs(7, 24)
    cue, plain = DAMAGE[name](patterns.to(dtype)), DAMAGE[name](patterns)
    assert cue.state.dtype == dtype
    torch.testing.assert_close(cue.state.float(), plain.state, rtol=1e-2, atol=1e-2)


@every_drawn
def test_rows_have_draws_of_their_own(name):
    cue = DAMAGE[name](torch.ones(40, 24))
    shown = cue.state if cue.known is None else cue.known.float()
    assert len(shown.unique(dim=0)) > 1


@every_drawn
def test_same_generator_same_bits(name):
    patterns = signs(9, 24)
    once = DAMAGE[name](patterns, generator=seeded(3)).state
    again = DAMAGE[name](patterns, generator=seeded(3)).state
    other = DAMAGE[name](patterns, generator=seeded(4)).state
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert torch.equal(
        DAMAGE[name](patterns).state, DAMAGE[name](patterns, generator=seeded(1)).state
    )


@every_drawn
def test_a_generator_moves_on(name):
    generator = seeded(1)
    first, second = (DAMAGE[name](signs(9, 24), generator=generator).state for _ in range(2))
    assert not torch.equal(first, second)


@every
def test_non_contiguous_patterns(name):
    patterns = signs(24, 7).T
    assert not patterns.is_contiguous(), "premise"
    assert torch.equal(DAMAGE[name](patterns).state, DAMAGE[name](patterns.contiguous()).state)


@every
@pytest.mark.parametrize(
    ("patterns", "error"),
    [
        ([[1.0, -1.0]], InputTypeError),
        (torch.ones(2, 24, dtype=torch.int64), InputTypeError),
        (torch.ones(2, 24) * math.nan, DomainError),
        (torch.ones(2, 0), ShapeError),
        (torch.tensor(1.0), ShapeError),
    ],
    ids=["list", "integers", "nan", "empty rows", "scalar"],
)
def test_bad_patterns(name, patterns, error):
    with pytest.raises(error, match="patterns"):
        DAMAGE[name](patterns)


BY_SHARE = {
    "flip": corruption.flip,
    "salt_and_pepper": corruption.salt_and_pepper,
    "occlude_block": corruption.occlude_block,
    "occlude_random": corruption.occlude_random,
}


@pytest.mark.parametrize("name", BY_SHARE)
@pytest.mark.parametrize("amount", [-0.1, 1.01, 3, math.nan, math.inf])
def test_amounts_outside_0_to_1(name, amount):
    with pytest.raises(DomainError, match=r"amount must be .* count / dim"):
        BY_SHARE[name](signs(2, 8), amount)


@pytest.mark.parametrize("name", [*BY_SHARE, "gaussian_noise"])
@pytest.mark.parametrize("amount", ["0.1", None, True])
def test_amounts_that_are_no_number(name, amount):
    with pytest.raises(InputTypeError, match="amount must be a number"):
        getattr(corruption, name)(signs(2, 8), amount)


@every_drawn
def test_a_seed_is_no_generator(name):
    with pytest.raises(InputTypeError, match="manual_seed"):
        DAMAGE[name](signs(2, 24), generator=0)


# Exact numbers


def halves_up(amount, dim):
    return math.floor(amount * dim + 0.5)


@given(dim=st.integers(1, 60), n=st.integers(1, 6), amount=st.floats(0, 1), seed=st.integers(0, 99))
def test_the_number_hit_is_exact_in_every_row(dim, n, amount, seed):
    patterns, count = signs(n, dim, seed=seed), halves_up(amount, dim)
    flipped = corruption.flip(patterns, amount, generator=seeded(seed)).state
    assert ((flipped != patterns).sum(-1) == count).all()
    assert torch.equal(flipped.abs(), patterns.abs())
    hidden = corruption.occlude_random(patterns, amount, generator=seeded(seed)).known
    assert ((~hidden).sum(-1) == count).all()
    grey = torch.full((n, dim), 0.5)
    noisy = corruption.salt_and_pepper(grey, amount, generator=seeded(seed)).state
    assert ((noisy != grey).sum(-1) == count).all()
    block = corruption.occlude_block(patterns, amount, generator=seeded(seed)).known
    assert ((~block).sum(-1) == count).all()


@given(dim=st.integers(1, 800), data=st.data())
def test_count_over_dim_is_exactly_that_count(dim, data):
    count = data.draw(st.integers(0, dim))
    flipped = corruption.flip(torch.ones(1, dim), count / dim).state
    assert int((flipped < 0).sum()) == count


def test_halves_are_rounded_up():
    assert int((corruption.flip(torch.ones(1, 6), 0.25).state < 0).sum()) == 2  # 1.5
    assert int((corruption.flip(torch.ones(1, 10), 0.25).state < 0).sum()) == 3  # 2.5, not to even


def test_all_places_are_hit_alike():
    flipped = corruption.flip(torch.ones(20_000, 10), 0.3).state
    assert ((flipped < 0).float().mean(0) - 0.3).abs().max() < 0.02  # 6 standard errors


# Noise


def test_flip_asks_for_plus_minus_one():
    with pytest.raises(DomainError, match=r"2 \* patterns - 1"):
        corruption.flip(torch.tensor([[0.0, 1.0]]), 0.5)


def test_gaussian_noise_has_the_standard_deviation_asked_for():
    noise = corruption.gaussian_noise(torch.ones(400, 100), 0.3).state - 1
    assert abs(noise.std().item() - 0.3) < 0.005 and abs(noise.mean().item()) < 0.01
    assert corruption.gaussian_noise(torch.ones(3, 4), 2.0).known is None
    assert torch.equal(corruption.gaussian_noise(torch.ones(3, 4), 0.0).state, torch.ones(3, 4))


@pytest.mark.parametrize("amount", [-1.0, math.inf, math.nan])
def test_gaussian_noise_needs_a_standard_deviation(amount):
    with pytest.raises(DomainError, match="amount must be"):
        corruption.gaussian_noise(torch.ones(3, 4), amount)


def test_extremes_follow_the_patterns():
    def values(patterns, **options):
        return sorted(corruption.salt_and_pepper(patterns, 1.0, **options).state.unique().tolist())

    grey = torch.full((20, 10), 0.5)
    assert values(grey) == [0.0, 1.0]
    assert values(signs(20, 10)) == [-1.0, 1.0]
    assert values(grey, low=-2.0, high=3.0) == [-2.0, 3.0]
    with pytest.raises(DomainError, match="low must be below high"):
        corruption.salt_and_pepper(grey, 0.5, low=1.0)


def test_extremes_and_fill_keep_the_precision_of_the_patterns():
    grey = torch.full((2, 6), 0.5, dtype=torch.float64)
    assert corruption.salt_and_pepper(grey, 1.0, low=0.1, high=0.7).state.unique().tolist() == [
        0.1,
        0.7,
    ]
    assert (corruption.occlude_random(grey, 1.0, fill=0.1).state == 0.1).all()


def test_salt_is_as_frequent_as_pepper():
    state = corruption.salt_and_pepper(torch.full((100, 100), 0.5), 1.0).state
    assert abs(state.mean().item() - 0.5) < 0.02


# Occlusion


OCCLUSIONS = {name: DAMAGE[name] for name in DAMAGE if name.startswith("occlude")}
FILLED = {
    "occlude_half": lambda x, fill: corruption.occlude_half(x, shape=(4, 6), fill=fill),
    "occlude_block": lambda x, fill: corruption.occlude_block(x, 0.25, shape=(4, 6), fill=fill),
    "occlude_random": lambda x, fill: corruption.occlude_random(x, 0.25, fill=fill),
}


@pytest.mark.parametrize("name", OCCLUSIONS)
def test_hidden_entries_are_unknown_and_0(name):
    patterns = signs(5, 24)
    cue = OCCLUSIONS[name](patterns)
    assert (~cue.known).any(-1).all() and cue.known.any(-1).all()
    assert torch.equal(cue.state, patterns * cue.known)


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("fill", [1.0, -1.0, 0.0, 0.25])
def test_filled_entries_count_as_evidence(name, fill):
    patterns = torch.full((5, 24), 0.5)
    hidden, filled = OCCLUSIONS[name](patterns), FILLED[name](patterns, fill)
    assert filled.known is None
    assert torch.equal(filled.state, torch.where(hidden.known, 0.5, fill))


@pytest.mark.parametrize("fill", [math.nan, math.inf])
def test_fill_is_finite(fill):
    with pytest.raises(DomainError, match="fill must be finite"):
        corruption.occlude_random(signs(2, 8), 0.5, fill=fill)


HALVES = {
    "bottom": "111 111 111 000 000",
    "top": "000 000 111 111 111",
    "right": "110 110 110 110 110",
    "left": "011 011 011 011 011",
}


@pytest.mark.parametrize("side", HALVES)
def test_half_of_an_image_and_the_middle_line_stays(side):
    cue = corruption.occlude_half(torch.ones(2, 15), shape=(5, 3), side=side)
    wanted = torch.tensor([c == "1" for c in HALVES[side].replace(" ", "")])
    assert torch.equal(cue.known, wanted.expand(2, 15))


@pytest.mark.parametrize("shape", [None, (5,)])
@pytest.mark.parametrize("side", HALVES)
def test_half_of_a_vector(side, shape):
    known = corruption.occlude_half(torch.ones(5), side=side, shape=shape).known
    later = side in ("bottom", "right")
    assert known.tolist() == ([True] * 3 + [False] * 2 if later else [False] * 2 + [True] * 3)


def test_one_mask_for_all_is_no_copy():
    cue = corruption.occlude_half(torch.ones(1000, 16), shape=(4, 4))
    assert cue.known.stride(0) == 0 and cue.known.shape == (1000, 16)


@pytest.mark.parametrize(
    "shape", [(6, 5, 3), (3, 6, 5), (6, 5, 1), (2, 6, 4), (2, 3, 6, 5)], ids=str
)
@pytest.mark.parametrize("side", HALVES)
def test_all_channels_lose_the_same_half(shape, side):
    """Images of Pillow and matplotlib have their channels last, those of torchvision first."""
    known = corruption.occlude_half(torch.ones(math.prod(shape)), shape, side=side).known.view(
        shape
    )
    planes = known.movedim(-1, 0) if shape[0] == 6 else known.flatten(0, -3)
    size = planes.shape[-2:]
    wanted = corruption.occlude_half(torch.ones(size.numel()), tuple(size), side=side).known
    assert size[0] == 6 and all(torch.equal(plane.flatten(), wanted) for plane in planes)


def test_the_lower_half_of_a_colour_photograph():
    known = corruption.occlude_half(torch.ones(64 * 64 * 3), shape=(64, 64, 3)).known
    assert known.view(64, 64, 3)[:32].all() and not known.view(64, 64, 3)[32:].any()
    block = corruption.occlude_block(torch.ones(64 * 64 * 3), 0.25, (64, 64, 3)).known
    assert (~block).view(64, 64, 3).all(2).sum() == (~block).view(64, 64, 3).any(2).sum() == 32 * 32


def test_there_must_be_something_to_halve():
    with pytest.raises(ShapeError, match="at least 2 rows"):
        corruption.occlude_half(torch.ones(2, 8), shape=(1, 8))
    with pytest.raises(ShapeError, match="at least 2 columns"):
        corruption.occlude_half(torch.ones(2, 1))


@pytest.mark.parametrize("side", ["botom", "", None, 3])
def test_a_mistyped_side(side):
    with pytest.raises(OptionError, match="side must be one of 'bottom', 'top', 'left', 'right'"):
        corruption.occlude_half(torch.ones(2, 16), shape=(4, 4), side=side)


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((4, 5), ShapeError),
        ((), ShapeError),
        (16, InputTypeError),
        ((4, 4.0), InputTypeError),
        ((-4, -4), DomainError),
    ],
    ids=str,
)
@pytest.mark.parametrize("damage", [corruption.occlude_half, corruption.occlude_block])
def test_a_wrong_shape(damage, shape, error):
    amount = (0.5,) if damage is corruption.occlude_block else ()
    with pytest.raises(error, match="shape"):
        damage(torch.ones(2, 16), *amount, shape=shape)


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    amount=st.floats(0, 1),
    seed=st.integers(0, 50),
)
def test_a_block_is_a_rectangle_of_the_size_documented(height, width, amount, seed):
    patterns = torch.ones(4, height * width)
    cue = corruption.occlude_block(patterns, amount, shape=(height, width), generator=seeded(seed))
    hidden = ~cue.known.view(4, height, width)
    tall, wide = (halves_up(math.sqrt(amount), size) for size in (height, width))
    for one in hidden:
        lines, columns = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        assert one.sum() == tall * wide == len(lines) * len(columns)
        if tall * wide:
            assert lines[-1] - lines[0] == tall - 1 and columns[-1] - columns[0] == wide - 1


def test_blocks_reach_every_corner():
    known = corruption.occlude_block(torch.ones(2000, 36), 0.25, shape=(6, 6)).known
    share = (~known).view(2000, 6, 6).float().mean(0)
    corners = share[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners - 1 / 16).abs().max() < 0.03 and (share[2:4, 2:4] > 0.5).all()


@pytest.mark.parametrize(
    ("draw", "damage"),
    [
        (synthetic.random_binary, lambda x: corruption.flip(x, 0.3).state != x),
        (synthetic.random_binary, lambda x: ~corruption.occlude_random(x, 0.3).known),
        (synthetic.unit_sphere, lambda x: corruption.gaussian_noise(x, 0.3).state - x),
        (synthetic.unit_sphere, lambda x: corruption.salt_and_pepper(x, 0.3).state.abs() == 1),
    ],
)
def test_damage_does_not_follow_the_patterns(draw, damage):
    """Drawn without generators, patterns and damage are independent of each other."""
    patterns = draw(40, 250)
    both = torch.stack([patterns, damage(patterns).float()]).flatten(1)
    correlation = torch.corrcoef(both)[0, 1].item()
    assert abs(correlation) < 4 / 10_000**0.5, "four standard deviations"


@pytest.mark.parametrize("fill", [None, 0.5])
def test_shapes_may_come_by_place(fill):
    rows = torch.randn(3, 24, generator=seeded(0))
    for one, other in (
        (
            corruption.occlude_half(rows, (4, 6), fill=fill),
            corruption.occlude_half(rows, shape=(4, 6), fill=fill),
        ),
        (
            corruption.occlude_block(rows, 0.25, (4, 6), fill=fill),
            corruption.occlude_block(rows, 0.25, shape=(4, 6), fill=fill),
        ),
    ):
        assert torch.equal(one.state, other.state)
        assert (one.state != rows).any()
