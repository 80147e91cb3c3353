"""Layers trained from their initial weights: lookups, decay of β, and several steps."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from hopfield import Softmax
from hopfield.nn import HopfieldAssociation, HopfieldLookup, Iteration, Projections
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
    assert loss < 2e-3 and read >= 5


def test_given_rows_are_a_start_for_a_large_beta():
    loss, read = seeded(lambda: digits_read_back(Softmax(8.0), UNCHANGED, rows=True))
    assert loss < 1e-3 and read == 6


def test_memories_start_with_norms_near_one():
    layer = seeded(lambda: HopfieldLookup(HopfieldAssociation(256), 50))
    for rows, norm in ((layer.memories, 1.0), (layer.values, 16.0)):
        assert rows.norm(dim=-1).mean().item() == pytest.approx(norm, rel=0.05)
    seeded(layer.reset_parameters)
    assert layer.memories.norm(dim=-1).mean().item() == pytest.approx(1.0, rel=0.05)


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


class Recall(nn.Module):
    """Read the value that belongs to a key, from 8 pairs of 16 keys and 16 values."""

    def __init__(self, steps: int, separation: Softmax | str) -> None:
        super().__init__()
        self.keys, self.values = nn.Embedding(16, 32), nn.Embedding(16, 32)
        iteration = Iteration(steps)
        self.read = HopfieldAssociation(32, separation=separation, iteration=iteration)
        self.out = nn.Linear(32, 16)

    def forward(self, query, keys, values):
        read = self.read(self.keys(query)[:, None], self.keys(keys), self.values(values))
        return self.out(read[:, 0])

    def loss(self, generator) -> tuple[torch.Tensor, float]:
        """Return the cross entropy of 64 queries, and the share that is right."""
        order = torch.rand(64, 16, generator=generator).argsort(-1)
        values = torch.randint(16, (64, 8), generator=generator)
        logits = self(order[:, 0], order[:, :8], values)
        wanted = values[:, 0]
        return cross_entropy(logits, wanted), (logits.argmax(-1) == wanted).float().mean().item()


def recalled(steps: int, beta: float | None) -> tuple[float, float, float]:
    """Train 400 steps; return the share recalled, the last loss, and its slope by the query."""
    separation = "softmax" if beta is None else Softmax(torch.tensor(beta, requires_grad=True))
    model, generator = Recall(steps, separation), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(400):
        loss, right = model.loss(generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return right, loss.item(), model.read.query.weight.grad.norm().item()


def test_several_steps_train_from_a_small_beta_and_not_from_a_large_one():
    """Each step multiplies gradients by β times the covariance of the keys it reads: 0 if sharp."""
    right, loss, slope = seeded(lambda: recalled(3, None))
    assert right > 0.95 and loss < 0.1
    right, loss, slope = seeded(lambda: recalled(3, 4.0))
    assert right < 0.5 and loss > 1.5 and slope < 1e-4
