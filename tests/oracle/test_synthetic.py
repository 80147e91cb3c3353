"""Random patterns have the statistics that their documentation says."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from draws import generator as seeded
from hopfield import synthetic
from hopfield.errors import DomainError, InputTypeError

MAKERS = {
    "random_binary": lambda **kw: synthetic.random_binary(6, 40, **kw),
    "biased": lambda **kw: synthetic.biased(6, 40, 0.3, **kw),
    "hierarchical": lambda **kw: synthetic.hierarchical(2, 3, 40, 0.5, **kw),
    "sparse": lambda **kw: synthetic.sparse(6, 40, 0.1, **kw),
    "unit_sphere": lambda **kw: synthetic.unit_sphere(6, 40, **kw),
}
every = pytest.mark.parametrize("name", MAKERS)


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_shape_and_dtype_and_the_draws_do_not_depend_on_it(name, dtype):
    rows = MAKERS[name](dtype=dtype)
    assert rows.shape == (6, 40) and rows.dtype == dtype
    torch.testing.assert_close(rows.float(), MAKERS[name](), rtol=1e-2, atol=1e-3)


@every
def test_same_generator_same_bits(name):
    once, again = MAKERS[name](generator=seeded(5)), MAKERS[name](generator=seeded(5))
    assert torch.equal(once, again)
    assert not torch.equal(once, MAKERS[name](generator=seeded(6)))
    assert torch.equal(MAKERS[name](), MAKERS[name](generator=seeded(0)))
    assert len(once.unique(dim=0)) == len(once), "rows have draws of their own"


@every
def test_bad_dtypes_and_generators(name):
    for dtype in (torch.int64, torch.bool, "float32"):
        with pytest.raises(InputTypeError, match="float16, bfloat16, float32"):
            MAKERS[name](dtype=dtype)
    with pytest.raises(InputTypeError, match="manual_seed"):
        MAKERS[name](generator=0)


BAD = {
    "no patterns": lambda: synthetic.random_binary(0, 4),
    "no entries": lambda: synthetic.random_binary(4, 0),
    "negative": lambda: synthetic.unit_sphere(-1, 4),
    "no children": lambda: synthetic.hierarchical(2, 0, 4, 0.5),
    "no parents": lambda: synthetic.hierarchical(0, 2, 4, 0.5),
    "activity above 1": lambda: synthetic.biased(2, 4, 1.5),
    "activity below 0": lambda: synthetic.sparse(2, 4, -0.5),
    "activity nan": lambda: synthetic.biased(2, 4, float("nan")),
    "correlation above 1": lambda: synthetic.hierarchical(2, 2, 4, 1.1),
    "correlation below 0": lambda: synthetic.hierarchical(2, 2, 4, -0.1),
    "less than one entry": lambda: synthetic.sparse(2, 10, 0.01),
    "no activity": lambda: synthetic.sparse(2, 10, 0),
}


@pytest.mark.parametrize("case", BAD)
def test_values_outside_the_domain(case):
    with pytest.raises(DomainError, match="must"):
        BAD[case]()


@pytest.mark.parametrize("n", [2.0, "2", True, None])
def test_sizes_are_whole_numbers(n):
    with pytest.raises(InputTypeError, match="n must be a whole number"):
        synthetic.random_binary(n, 4)


def test_random_binary_is_plus_minus_one_without_bias():
    rows = synthetic.random_binary(100, 1000)
    assert sorted(rows.unique().tolist()) == [-1.0, 1.0]
    assert abs(rows.mean().item()) < 5 * 100_000**-0.5


@pytest.mark.parametrize("activity", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_biased_has_its_mean_and_overlap(activity):
    rows = synthetic.biased(100, 1000, activity)
    bias = 2 * activity - 1
    assert abs(rows.mean().item() - bias) < 0.02
    overlaps = rows @ rows.T / 1000
    assert abs(overlaps[0, 1:].mean().item() - bias**2) < 0.05
    if activity in (0.0, 1.0):
        assert (rows == bias).all()


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 1.0])
def test_hierarchical_overlaps_are_those_documented(correlation):
    families, each, dim = 12, 8, 2000
    children = synthetic.hierarchical(families, each, dim, correlation)
    parents = synthetic.hierarchical(families, each, dim, 1.0)
    assert sorted(children.unique().tolist()) == [-1.0, 1.0]
    assert len(parents.unique(dim=0)) == families, "premise: correlation 1 gives the parents"
    with_parent = (children * parents).mean(-1)
    overlaps = children @ children.T / dim
    same = torch.block_diag(*[torch.ones(each, each)] * families).bool()
    siblings = overlaps[same & ~torch.eye(len(same), dtype=torch.bool)]
    assert (with_parent - correlation).abs().max() < 0.11  # 5 standard deviations
    assert (siblings - correlation**2).abs().max() < 0.12
    assert overlaps[~same].abs().max() < 0.12


@given(n=st.integers(1, 5), dim=st.integers(1, 50), data=st.data())
def test_sparse_has_an_exact_number_of_ones(n, dim, data):
    count = data.draw(st.integers(1, dim))
    rows = synthetic.sparse(n, dim, count / dim)
    assert ((rows == 1).sum(-1) == count).all() and (rows.abs() == 1).all()


def test_sparse_uses_all_places_alike():
    rows = synthetic.sparse(20_000, 10, 0.2)
    assert ((rows == 1).float().mean(0) - 0.2).abs().max() < 0.02


def test_unit_sphere_is_uniform():
    rows = synthetic.unit_sphere(20_000, 3, dtype=torch.float64)
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(20_000, dtype=torch.float64))
    assert rows.mean(0).abs().max() < 0.03
    # On the sphere in three dimensions every coordinate is uniform on [−1, 1] (Archimedes).
    quartiles = rows.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64), dim=0)
    wanted = torch.tensor([[-0.5], [0.0], [0.5]], dtype=torch.float64)
    assert (quartiles - wanted).abs().max() < 0.03
