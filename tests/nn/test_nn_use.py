"""Layers in use: states of any shape, masks of several entries, checkpointing."""

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

from hopfield.nn import HopfieldAssociation, HopfieldLookup, Iteration
from hopfield.separation import NAMED
from nn_layers import DIM, draw, seeded

HEADS, MEMORIES = 2, 6


def lookup() -> HopfieldLookup:
    """Return a layer whose states stop at different steps."""
    steps = Iteration(6, tol=0.05)
    memories = draw(MEMORIES, DIM, seed=2)
    return seeded(
        lambda: HopfieldLookup(HopfieldAssociation(DIM, HEADS, iteration=steps), memories)
    )


@pytest.mark.parametrize("shape", [(), (8,), (1,), (2, 4), (2, 2, 2), (4, 1, 2)], ids=str)
def test_lookup_describes_states_of_every_shape(shape):
    layer, states = lookup(), 3 * draw(*shape, DIM, seed=1)
    rows = states.reshape(-1, 1, DIM)  # each an entry of a batch, so that it is alone
    stored = layer.memories.expand(len(rows), -1, -1), layer.values.expand(len(rows), -1, -1)
    alone = layer.association.describe(rows, *stored)
    assert len(rows) < 8 or alone.steps.unique().numel() > 1, "premise: states stop apart"
    found = layer.describe(states)
    assert found.weights.shape == (*shape[:-1], HEADS, *shape[-1:], MEMORIES)
    assert found.steps.shape == found.energies.shape[1:] == found.weights.shape[:-1]
    torch.testing.assert_close(found.output, layer(states))
    for i, place in enumerate(np.ndindex(shape)):
        of_one = (*place[:-1], slice(None), *place[-1:])
        torch.testing.assert_close(found.weights[of_one], alone.weights[i, :, 0])
        torch.testing.assert_close(found.energies[:, *of_one], alone.energies[:, i, :, 0])
        assert torch.equal(found.steps[of_one], alone.steps[i, :, 0])


@pytest.mark.parametrize("shape", [(0,), (0, 4), (2, 0), (2, 0, 3)], ids=str)
def test_lookup_describes_an_empty_batch(shape):
    layer, states = lookup(), draw(*shape, DIM)
    assert layer(states).shape == layer.describe(states).output.shape == (*shape, DIM)
    assert layer.describe(states).weights.shape == (*shape[:-1], HEADS, shape[-1], MEMORIES)


def test_one_batch_entry_under_masks_of_several():
    layer, states = lookup(), draw(1, 4, DIM)
    hidden = torch.tensor([[False] * MEMORIES, [True] + [False] * (MEMORIES - 1)])
    found = layer(states, padding_mask=hidden)
    described = layer.describe(states, padding_mask=hidden)
    torch.testing.assert_close(found, described.output)
    torch.testing.assert_close(found[:1], layer(states))
    assert described.weights.shape == (2, HEADS, 4, MEMORIES)
    assert bool(((described.weights == 0) == hidden[:, None, None]).all())


@pytest.mark.parametrize("separation", NAMED)
@pytest.mark.parametrize("gradient", ["unrolled", "implicit", "last"])
def test_checkpointing_changes_no_gradient(separation, gradient):
    layer = seeded(
        lambda: HopfieldAssociation(DIM, HEADS, separation, iteration=Iteration(3, 0.0, gradient))
    )
    slopes = []
    for again in (False, True):
        states = draw(2, 5, DIM).requires_grad_()
        found = checkpoint(layer, states, use_reentrant=False) if again else layer(states)
        by = [states, *layer.parameters()]
        slopes.append(torch.autograd.grad(found.square().sum(), by, materialize_grads=True))
    for once, twice in zip(*slopes, strict=True):
        torch.testing.assert_close(once, twice)
