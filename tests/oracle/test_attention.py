"""`attention` and one update of the modern network are torch's scaled dot-product attention."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from cases import seeded
from hopfield import ModernHopfield, attention

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
SIZES = [(1, 1, 1), (7, 5, 3), (64, 33, 64), (300, 20, 128)]


def given(n: int, batch: int, dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Patterns and queries, as attention meets them: normal numbers."""
    generator = seeded(n)
    patterns = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    return patterns.to(dtype), torch.randn(batch, dim, generator=generator).to(dtype)


@each_dtype
@pytest.mark.parametrize(("n", "batch", "dim"), SIZES)
def test_attention_is_scaled_dot_product_attention(dtype, n, batch, dim):
    patterns, queries = given(n, batch, dim, dtype)
    values = torch.randn(n, 6, generator=seeded(9)).to(dtype)
    beta = 1 / math.sqrt(dim)
    for read in (None, values):
        expected = scaled_dot_product_attention(
            queries, patterns, patterns if read is None else read
        )
        found = attention(queries, patterns, beta, read)
        assert (found - expected).abs().max() <= TOLERANCE[dtype]
        assert found.dtype == dtype


@each_dtype
@pytest.mark.parametrize(("n", "batch", "dim"), SIZES)
def test_one_update_is_scaled_dot_product_attention(dtype, n, batch, dim):
    patterns, queries = given(n, batch, dim, dtype)
    values = torch.randn(n, 6, generator=seeded(9)).to(dtype)
    memory = ModernHopfield(1 / math.sqrt(dim))
    memory.store(patterns, values=values)
    expected = scaled_dot_product_attention(queries, patterns, patterns)
    assert (memory.update(queries) - expected).abs().max() <= TOLERANCE[dtype]
    assert (memory.retrieve(queries, steps=1, tol=0.0).state - expected).abs().max() <= TOLERANCE[
        dtype
    ]
    read = scaled_dot_product_attention(queries, patterns, values)
    assert (memory.retrieve(queries, steps=0).value - read).abs().max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("beta", [0.0, 0.3, 5.0, 1e4])
def test_attention_at_any_beta_and_batch_shape(beta):
    patterns, queries = given(9, 6, 8, torch.float64)
    expected = scaled_dot_product_attention(queries, patterns, patterns, scale=beta)
    found = attention(queries.reshape(2, 3, 8), patterns, beta)
    assert (found.reshape(6, 8) - expected).abs().max() <= 1e-12
    assert attention(queries[0], patterns, beta).shape == (8,)
    assert torch.equal(
        attention(queries, patterns, math.inf), patterns[(queries @ patterns.T).argmax(-1)]
    )


def test_attention_has_the_gradients_of_scaled_dot_product_attention():
    patterns, queries = given(9, 6, 8, torch.float64)
    values = torch.randn(9, 4, generator=seeded(1), dtype=torch.float64)
    inputs = [each.requires_grad_() for each in (queries, patterns, values)]
    weighing = torch.randn(6, 4, generator=seeded(2), dtype=torch.float64)
    ours = torch.autograd.grad(
        (attention(queries, patterns, 8**-0.5, values) * weighing).sum(), inputs
    )
    theirs = torch.autograd.grad((scaled_dot_product_attention(*inputs) * weighing).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)
