"""Layers whose weights are divided among processes by `fully_shard`."""

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from hopfield import Entmax
from hopfield.nn import HopfieldAssociation, HopfieldEncoderLayer
from nn_layers import CASES, DIM, GRADIENTS, STORED, Case, learned, seeded
from two_processes import run_in_two_processes

RATE = 0.1

BLOCKS = {
    **CASES,
    **GRADIENTS,
    "encoder": Case(
        lambda: HopfieldEncoderLayer(
            DIM, 2, 16, 0.0, batch_first=True, steps=2, separation="entmax", beta=learned(0.5)
        ),
        (STORED,),
        {},
    ),
}


def _step(layer: torch.nn.Module, case: Case, rate: float) -> None:
    """Make one step of an optimiser down the sum of squares."""
    case.call(layer).square().sum().backward()
    torch.optim.SGD(layer.parameters(), rate).step()


def _train(rank: int, folder: str) -> None:
    """Train in one of two processes: half of each batch, and half of the weights."""
    mesh = init_device_mesh("cpu", (2,))
    for name, case in BLOCKS.items():
        layer = fully_shard(seeded(case.make), mesh=mesh)
        masks = {mask: tensor.chunk(2)[rank] for mask, tensor in case.masks.items()}
        inputs = tuple(tensor.chunk(2)[rank] for tensor in case.inputs)
        _step(layer, Case(case.make, inputs, masks), RATE)  # down the mean of both gradients
        trained = {key: weight.full_tensor() for key, weight in layer.named_parameters()}
        # Weights on no device first: divided, then placed and drawn.
        empty = fully_shard(case.make().to("meta"), mesh=mesh).to_empty(device="cpu")
        empty.reset_parameters()
        drawn = {key: weight.full_tensor() for key, weight in empty.named_parameters()}
        if rank == 0:
            torch.save((trained, drawn), f"{folder}/{name}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sharded")
    run_in_two_processes(_train, path)
    return path


@pytest.mark.parametrize("name", BLOCKS)
def test_a_step_in_two_processes_is_that_of_one(name, folder):
    trained, drawn = torch.load(folder / name, weights_only=True)
    layer = seeded(BLOCKS[name].make)
    first = {key: weight.detach().clone() for key, weight in layer.named_parameters()}
    _step(layer, BLOCKS[name], RATE / 2)
    assert any((first[key] - trained[key]).abs().max() > 1e-3 for key in first), "premise: a step"
    torch.testing.assert_close(trained, dict(layer.named_parameters()), rtol=1e-4, atol=1e-5)
    for key, weight in drawn.items():
        assert weight.isfinite().all() and weight.shape == first[key].shape, key
        if key.endswith("raw"):  # β and α as they were given
            torch.testing.assert_close(weight, first[key])


def test_beta_of_a_layer_without_weights_must_be_known():
    with torch.device("meta"):
        beta = torch.full((2,), 0.5)
        with pytest.raises(ValueError, match=r"beta must hold numbers.*device='cpu'"):
            HopfieldAssociation(DIM, 2, Entmax(1.5, beta))
