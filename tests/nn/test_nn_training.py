"""Layers trained from their initial weights: lookups, decay of β, and several steps."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.layer_tasks.starts import recall
from hopfield import Softmax
from hopfield.nn import HopfieldAssociation, HopfieldLookup, Projections
from nn_layers import draw, seeded

UNCHANGED = Projections(*[nn.Identity() for _ in range(4)])


def digits_read_back(separation, projections, rows=None) -> tuple[float, int]:
    """Train six memories on six digits; return the loss, and how many memories are read."""
    digits = torch.tensor(load_digits().data[:6] / 16, dtype=torch.float32)
    memories = digits[torch.randperm(6)] if rows else 6
    association = HopfieldAssociation(64, separation=separation, projections=projections)
    layer = HopfieldLookup(association, memories, values=False)
    optimiser = torch.optim.Adam(layer.parameters(), 1e-2)
    for _ in range(800):
        loss = (layer(digits) - digits).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item(), len(layer.describe(digits).weights.argmax(-1).unique())


@pytest.mark.parametrize("projections", [UNCHANGED, Projections()], ids=["unchanged", "linear"])
def test_six_memories_hold_six_digits(projections):
    """The variance of the digits is .063; it remains if one memory is read for all."""
    loss, read = seeded(lambda: digits_read_back("softmax", projections))
    assert loss < 2e-3 and read >= 4


def test_given_rows_are_a_start_for_a_large_beta():
    loss, read = seeded(lambda: digits_read_back(Softmax(8.0), UNCHANGED, rows=True))
    assert loss < 1e-3 and read == 6


def test_the_spread_of_memories_and_values_at_the_start():
    layer = seeded(lambda: HopfieldLookup(HopfieldAssociation(256), 50))
    for rows, deviation in ((layer.memories, 0.25), (layer.values, 1.0)):
        assert rows.std().item() == pytest.approx(deviation, rel=0.05)
    seeded(layer.reset_parameters)
    assert layer.memories.std().item() == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("exempt", [False, True])
def test_weight_decay_moves_beta_to_one_unless_it_is_exempt(exempt):
    beta = torch.full((2,), 9.0, requires_grad=True)
    layer = seeded(lambda: HopfieldAssociation(8, 2, Softmax(beta)))
    matrices, others = ([p for p in layer.parameters() if (p.ndim > 1) == wide] for wide in (1, 0))
    decay = 0.0 if exempt else 0.1
    groups = [{"params": matrices}, {"params": others, "weight_decay": decay}]
    optimiser = torch.optim.AdamW(groups, 0.1, weight_decay=0.1)
    for _ in range(200):
        (0 * layer(draw(1, 3, 8)).sum()).backward()
        optimiser.step()
    found = layer.separation().beta.flatten()
    torch.testing.assert_close(found, beta if exempt else found.new_tensor(9.0**0.135).expand(2),
                               rtol=1e-2, atol=0)  # fmt: skip
    assert layer.query.weight.norm() < 2


def test_several_steps_train_from_a_small_beta_and_not_from_a_large_one():
    """Each step multiplies gradients by β times the covariance of the keys it reads: 0 if sharp."""
    with torch.random.fork_rng(devices=[]):
        soft, sharp = (recall(3, beta, seed=0) for beta in ("1/√d", "4, learned"))
    assert soft["accuracy"] > 0.95 and soft["entropy"] > 1.9 and soft["slope"] > 1e-3
    assert sharp["accuracy"] < 0.5 and sharp["entropy"] < 0.01 and sharp["slope"] < 1e-9
