"""Capabilities of separations agree with their weights: windows, widths and β."""

import pytest
import torch

from cases import seeded
from hopfield import Entmax, Polynomial, RectifiedPolynomial, Softmax, Sparsemax, TopK
from hopfield.errors import DomainError

EPS = torch.finfo(torch.float64).eps
EACH = torch.tensor([[0.2], [4.0]], dtype=torch.float64).squeeze(-1)  # one β a query
SHARP = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "entmax1.5": lambda beta: Entmax(1.5, beta),
    "entmax3": lambda beta: Entmax(3.0, beta),
    "topk": lambda beta: TopK(5, beta),
}
every_simplex = pytest.mark.parametrize("name", SHARP)


def outside(separation, gap: float, count: int = 20) -> float:
    """The largest weight that all but the best of `count` scores, all `gap` below it, have."""
    scores = torch.full((2, count), -gap, dtype=torch.float64)
    scores[:, 7] = 0.0
    return float(1 - separation(scores)[:, 7].min())


@every_simplex
@pytest.mark.parametrize("beta", [0.2, 4.0])
def test_beyond_the_window_nothing_has_weight_and_within_it_something_does(name, beta):
    separation = SHARP[name](beta)
    window = separation.score_window(20)
    assert outside(separation, 1.000001 * window) <= 2 * EPS
    assert outside(separation, 0.9 * window) > 4 * EPS


@every_simplex
def test_of_one_beta_a_query_the_widest_window_and_the_narrowest_width_count(name):
    separation = SHARP[name](EACH)
    assert separation.score_window(20) == SHARP[name](0.2).score_window(20)
    assert separation.inverse_width() == SHARP[name](4.0).inverse_width()


@every_simplex
@pytest.mark.parametrize("beta", [0.2, 4.0])
def test_differences_far_below_the_width_do_not_matter_and_larger_ones_do(name, beta):
    separation = SHARP[name](beta)
    noise = torch.rand(2, 20, generator=seeded(0), dtype=torch.float64)
    width = 1 / separation.inverse_width()
    even = separation(torch.zeros(2, 20, dtype=torch.float64))
    if name != "topk":  # which takes the best of whatever differs
        moved = separation(1e-7 * width * noise) - even
        assert moved.abs().max() < 1e-6  # entmax3 amplifies by p^(2 − α) = 20 at most
    uneven = separation(3 * width * noise)
    assert (uneven.amax(-1) > 2 * even.amax(-1)).all()


@every_simplex
def test_no_beta_no_window(name):
    assert SHARP[name](0.0).score_window(20) is None


@pytest.mark.parametrize("beta", [0.3, EACH])
@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax1.5", "topk"])
def test_beta_may_be_taken_out_of_a_potential(name, beta):
    separation = SHARP[name](beta)
    scores = torch.randn(2, 9, generator=seeded(1), dtype=torch.float64)
    unit, factor = separation.split_beta()
    times = torch.as_tensor(factor, dtype=torch.float64).reshape(-1, 1)
    again = unit.potential(times * scores) / times.squeeze(-1)
    torch.testing.assert_close(again, separation.potential(scores), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(unit(times * scores), separation(scores), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("separation", [Polynomial(3), RectifiedPolynomial(2)], ids=repr)
def test_where_there_is_no_beta_nothing_is_said(separation):
    assert separation.score_window(5) is None and separation.softmax_beta() is None
    assert separation.split_beta() == (separation, 1.0)
    assert not separation.simplex and not separation.shift_invariant
    scores = torch.randn(40, generator=seeded(2), dtype=torch.float64)
    single = scores[:, None]
    gain = separation.potential(single + 1) - separation.potential(single - 1)
    torch.testing.assert_close(separation.flip_gain(scores), gain, rtol=1e-12, atol=1e-12)


@every_simplex
def test_a_shift_of_all_scores_is_a_shift_of_the_potential_where_it_is_said(name):
    separation = SHARP[name](1.3)
    assert separation.simplex and separation.shift_invariant
    scores = torch.randn(2, 9, generator=seeded(3), dtype=torch.float64)
    shifted = separation.potential(scores + 8.0) - 8.0
    torch.testing.assert_close(shifted, separation.potential(scores), rtol=1e-12, atol=1e-12)


def test_only_softmax_over_all_patterns_has_a_softmax_beta():
    assert Softmax(2.5).softmax_beta() == 2.5
    assert all(SHARP[name](1.0).softmax_beta() is None for name in SHARP if name != "softmax")


def test_patterns_that_tie_for_the_last_place_of_top_k_share_it():
    scores = torch.tensor([3.0, 1.0, 1.0, 1.0, -2.0], dtype=torch.float64)
    power = torch.tensor(-2 * 0.7, dtype=torch.float64).exp()
    for places, share in ((2, power / 3), (3, 2 * power / 3), (4, power)):
        wanted = torch.tensor([1.0, share, share, share, 0.0], dtype=torch.float64)
        found = TopK(places, 0.7)(scores)
        torch.testing.assert_close(found, wanted / wanted.sum(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", SHARP)
def test_one_beta_out_of_range_among_many_is_refused(name):
    with pytest.raises(DomainError, match="every entry of beta"):
        SHARP[name](torch.tensor([0.5, -0.1, 2.0]))
    with pytest.raises(DomainError, match="beta"):
        SHARP[name](-0.1)
