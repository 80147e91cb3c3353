"""What torch does with layers: compile, export, transform, train in parallel, copy, save."""

import copy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_model, save_model
from torch.nn.parallel import DistributedDataParallel

from hopfield import Softmax, Sparsemax
from hopfield.nn import Iteration, from_hflayers, functional
from nn_layers import (
    CASES,
    DIM,
    ENERGIES,
    GRADIENTS,
    LAYERS,
    SEPARATIONS,
    draw,
    every_case,
    seeded,
    slopes,
)


@pytest.fixture
def exporter():
    """What torch deprecates of itself, or draws while it exports, is not the layers'."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        yield


def test_compiled_whole():
    """In a process of its own: the shape checks of the tests are no code that torch compiles."""
    script = Path(__file__).parents[1] / "support" / "compiled_layers.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert found.keys() == CASES.keys()
    assert max(map(float, found.values())) < 1e-5


class Inputs(torch.nn.Module):
    """A layer whose masks have places, as exported programs want them."""

    def __init__(self, layer: torch.nn.Module, masks: list[str]):
        super().__init__()
        self.layer, self.masks, self.count = layer, masks, len(masks)

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        inputs = given[: len(given) - self.count]
        return self.layer(*inputs, **dict(zip(self.masks, given[len(inputs) :], strict=True)))


@every_case
def test_exported(case, exporter):
    layer = Inputs(seeded(case.make), list(case.masks)).eval()
    given = (*case.inputs, *case.masks.values())
    program = torch.export.export(layer, given)
    torch.testing.assert_close(program.module()(*given), layer(*given), rtol=1e-5, atol=1e-6)


@every_case
def test_onnx_computes_the_same(case, exporter, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    layer = Inputs(seeded(case.make), list(case.masks)).eval()
    given = (*case.inputs, *case.masks.values())
    path = tmp_path / "layer.onnx"
    torch.onnx.export(layer, given, path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    names = [one.name for one in session.get_inputs()]
    fed = dict(zip(names, (tensor.numpy() for tensor in given), strict=True))
    (found,) = session.run(None, fed)
    np.testing.assert_allclose(found, layer(*given).detach().numpy(), rtol=1e-4, atol=1e-5)


@every_case
def test_vmap(case):
    layer = seeded(case.make)
    given = (*case.inputs, *case.masks.values())

    def call(*one):
        inputs, masks = one[: len(case.inputs)], one[len(case.inputs) :]
        named = dict(zip(case.masks, masks, strict=True))
        return layer(*inputs, **named)

    many = [torch.stack([tensor, tensor.flip(0)]) for tensor in given]
    found = torch.func.vmap(call)(*many)
    expected = torch.stack([call(*one) for one in zip(*many, strict=True)])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@every_case
def test_gradients_of_each_sample(case):
    """vmap over grad, as private training takes it."""
    layer = seeded(case.make)
    weights = dict(layer.named_parameters())
    inputs = [tensor[:1] for tensor in (*case.inputs, *case.masks.values())]

    def loss(weights, *one):
        given, masks = one[: len(case.inputs)], one[len(case.inputs) :]
        named = dict(zip(case.masks, masks, strict=True))
        return torch.func.functional_call(layer, weights, given, named).square().sum()

    many = [torch.stack([tensor, tensor.flip(-2)]) for tensor in inputs]
    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, *[0] * len(many)))(weights, *many)
    for i in range(2):
        total = loss(weights, *(tensor[i] for tensor in many))
        expected = torch.autograd.grad(total, list(weights.values()))
        for one, other in zip(found.values(), expected, strict=True):
            torch.testing.assert_close(one[i], other, rtol=1e-4, atol=1e-5)


@every_case
def test_second_derivatives(case):
    """Of the layer as it is, whose heads lie side by side in memory."""
    layer = seeded(case.make).double()
    inputs = [tensor.double().requires_grad_() for tensor in case.inputs]
    wanted = [*inputs, *layer.parameters()]
    generator = torch.Generator().manual_seed(0)
    along = [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in wanted]

    def slope() -> torch.Tensor:
        found = layer(*inputs, **case.masks).square().sum()
        first = torch.autograd.grad(found, wanted, create_graph=True)
        return sum((one * way).sum() for one, way in zip(first, along, strict=True))

    second = torch.autograd.grad(slope(), wanted, materialize_grads=True)
    found = sum((one * way).sum() for one, way in zip(second, along, strict=True))
    near = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for one, way in zip(wanted, along, strict=True):
                one.add_(step * way)
        near.append(slope().item())
    torch.testing.assert_close(found.item(), (near[0] - near[1]) / 2e-5, rtol=1e-3, atol=1e-4)


@every_case
def test_autocast(case):
    layer = seeded(case.make)
    expected = case.call(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = case.call(layer)
        loss = found.float().square().sum()
    loss.backward()
    # Energies, and what they fall by, are never less exact than float32.
    assert found.dtype == (torch.float32 if case in ENERGIES.values() else torch.bfloat16)
    scale = expected.abs().max().item()
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05 * scale)
    assert all(p.grad.isfinite().all() and p.grad.dtype == p.dtype for p in layer.parameters())


@pytest.mark.parametrize("separation", [Softmax(0.5), Sparsemax(0.5)])
@pytest.mark.parametrize("again", ["the same", "second"])
def test_autocast_of_what_is_not_projected(separation, again):
    """float32 goes in and bfloat16 comes back, so that from the second step on both meet."""
    given = [draw(2, rows, DIM, seed=rows).requires_grad_() for rows in (4, 5)]

    def by_both(**how) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        read = functional.association(*given, separation=separation, iteration=Iteration(3))
        return torch.autograd.grad(read.float().square().sum(), given, **how), read

    expected, _ = by_both(create_graph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, read = by_both(create_graph=again == "second", retain_graph=True)
    if again == "second":
        expected, found = (
            torch.autograd.grad(sum(s.square().sum() for s in first), given)
            for first in (expected, found)
        )
    else:
        found = torch.autograd.grad(read.float().square().sum(), given)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0, atol=0.1 * other.abs().max().item())


TRAINED = LAYERS | ENERGIES | GRADIENTS | {name: CASES[name] for name in SEPARATIONS}


def _train(rank: int, folder: str) -> None:
    """One of two processes: half of each batch, and the mean of their gradients."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for name, case in TRAINED.items():
        layer = seeded(case.make)
        half = [tensor.chunk(2)[rank] for tensor in case.inputs]
        masks = {mask: tensor.chunk(2)[rank] for mask, tensor in case.masks.items()}
        parallel = DistributedDataParallel(layer, find_unused_parameters=name in GRADIENTS)
        parallel(*half, **masks).square().sum().backward()
        if rank == 0:
            torch.save([p.grad for p in layer.parameters()], f"{folder}/{name}")
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_train_as_one(tmp_path):
    mp.spawn(_train, args=(str(tmp_path),), nprocs=2)
    for name, case in TRAINED.items():
        found = torch.load(tmp_path / name, weights_only=True)
        _, *whole = slopes(case, seeded(case.make))
        learned = [other for other in whole if other is not None]
        assert len(learned) == len(whole) - 2 * (name in GRADIENTS) > 0
        for one, other in zip(found, whole, strict=True):
            assert (one is None) == (other is None), name
            if one is not None:
                torch.testing.assert_close(2 * one, other, rtol=1e-4, atol=1e-5)


@every_case
def test_state_dict_comes_back(case):
    layer = seeded(case.make)
    other = seeded(case.make)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.5)
    assert not torch.equal(case.call(layer), case.call(other)), "premise: they differ"
    other.load_state_dict(layer.state_dict())
    assert torch.equal(case.call(layer), case.call(other))


@every_case
def test_deep_copies_stand_alone(case):
    layer = seeded(case.make)
    other = copy.deepcopy(layer)
    before = case.call(layer)
    assert torch.equal(case.call(other), before) and repr(other) == repr(layer)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.5)
    assert torch.equal(case.call(layer), before)
    assert not torch.equal(case.call(other), before)


@every_case
def test_saved_without_pickle(case, tmp_path):
    layer = seeded(case.make)
    save_model(layer, tmp_path / "layer.safetensors")
    other = seeded(case.make)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    load_model(other, tmp_path / "layer.safetensors")
    assert torch.equal(case.call(layer), case.call(other))


@every_case
def test_double_and_half(case):
    layer = seeded(case.make).double()
    inputs = [tensor.double() for tensor in case.inputs]
    found = layer(*inputs, **case.masks)
    assert found.dtype == torch.float64
    layer = layer.bfloat16()
    half = layer(*(tensor.bfloat16() for tensor in inputs), **case.masks)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), found, rtol=0, atol=0.1 * found.abs().max().item())


def test_shared_projections_stay_shared_in_copies():
    """The connected projection of hflayers: one matrix, used twice."""
    size = {"q": (8, 8), "k": (8, 8), "v": (8, 8)}
    weights = {
        f"association_core.{letter}_proj_weight": torch.eye(*shape)
        for letter, shape in size.items()
    }
    arguments = {"input_size": 8, "pattern_projection_as_connected": True, "input_bias": False}
    arguments |= {
        f"normalize_{name}{end}": False
        for name in ("stored_pattern", "state_pattern", "pattern_projection")
        for end in ("", "_affine")
    }
    layer = from_hflayers(weights, {**arguments, "disable_out_projection": True})
    assert layer.key[0] is layer.value[0]
    other = copy.deepcopy(layer)
    assert other.key[0] is other.value[0] and other.key[0] is not layer.key[0]
