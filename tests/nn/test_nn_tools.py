"""Layers under the tools of torch: compile, export, transforms, training in parallel, saving."""

import copy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_model, save_model
from torch.export import Dim
from torch.nn.parallel import DistributedDataParallel

from hopfield import Softmax, Sparsemax
from hopfield.nn import (
    HopfieldAssociation,
    HopfieldLookup,
    Iteration,
    ProductKeyLookup,
    from_hflayers,
    functional,
)
from nn_layers import (
    CASES,
    COMPILED,
    DIM,
    ENERGIES,
    GRADIENTS,
    PRODUCT_KEYS,
    STATE,
    Case,
    draw,
    every_case,
    output_and_gradients,
    seeded,
)
from two_processes import run_in_two_processes


@pytest.fixture
def exporter():
    """Ignore the deprecation warnings of torch, and its random draws, during an export."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        yield


def test_layers_compile_as_one_graph():
    """In a separate process: torch cannot compile the shape checks of the tests."""
    script = Path(__file__).parents[1] / "support" / "compiled_layers.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    differences = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert differences.keys() == COMPILED.keys()
    assert max(map(float, differences.values())) < 1e-5


MASKED_LOOKUP = {
    "lookup, masked": Case(
        lambda: HopfieldLookup(HopfieldAssociation(DIM, 2), memories=6),
        (STATE,),
        {"padding_mask": draw(2, 6, seed=8) > 0.5},
    )
}


class Together(torch.nn.Module):
    """One layer per case, called with the inputs and masks of all cases in a row."""

    def __init__(self, cases: list[Case]):
        super().__init__()
        self.layers = torch.nn.ModuleList(seeded(case.make) for case in cases)
        self.inputs = [len(case.inputs) for case in cases]
        self.masks = [list(case.masks) for case in cases]

    def forward(self, *given: torch.Tensor) -> list[torch.Tensor]:
        left, outputs = list(given), []
        for layer, count, names in zip(self.layers, self.inputs, self.masks, strict=True):
            inputs = [left.pop(0) for _ in range(count)]
            outputs.append(layer(*inputs, **{name: left.pop(0) for name in names}))
        return outputs


def at_other_sizes(tensor: torch.Tensor) -> torch.Tensor:
    """Replace the batch of 2, the 4 states and the 5 patterns of the cases by 3, 6 and 7."""
    shape = [{2: 3, 4: 6, 5: 7}.get(size, size) for size in tensor.shape]
    other = draw(*shape, seed=7)
    return other > 0.5 if tensor.dtype == torch.bool else other


def test_exported_layers_compute_the_same_in_torch_and_onnx_at_other_sizes(exporter, tmp_path):
    """One export for all: much of its time does not depend on the number of layers."""
    cases = COMPILED | MASKED_LOOKUP
    layers = Together(list(cases.values())).eval()
    given = [tensor for case in cases.values() for tensor in (*case.inputs, *case.masks.values())]
    sizes = {2: Dim("batch"), 4: Dim("m"), 5: Dim("n", min=3)}  # top-2 needs more than 2 patterns
    open_axes = [
        {axis: sizes[size] for axis, size in enumerate(tensor.shape) if size in sizes}
        for tensor in given
    ]
    program = torch.export.export(layers, tuple(given), dynamic_shapes=(tuple(open_axes),))
    given = [at_other_sizes(tensor) for tensor in given]
    expected = [output.detach() for output in layers(*given)]
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "layers.onnx"
    torch.onnx.export(program, tuple(given), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    names = [one.name for one in session.get_inputs()]
    fed = dict(zip(names, (tensor.numpy() for tensor in given), strict=True))
    outputs = session.run(None, fed)
    for name, output, again, other in zip(
        cases, expected, program.module()(*given), outputs, strict=True
    ):
        torch.testing.assert_close(again, output, rtol=1e-5, atol=1e-6, msg=name)
        np.testing.assert_allclose(other, output.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


@every_case
def test_vmap(case):
    layer = seeded(case.make)
    given = (*case.inputs, *case.masks.values())

    def call(*one):
        inputs, masks = one[: len(case.inputs)], one[len(case.inputs) :]
        return layer(*inputs, **dict(zip(case.masks, masks, strict=True)))

    many = [torch.stack([tensor, tensor.flip(0)]) for tensor in given]
    output = torch.func.vmap(call)(*many)
    expected = torch.stack([call(*one) for one in zip(*many, strict=True)])
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-6)


@every_case
def test_gradients_per_sample(case):
    """vmap over grad, as for differential privacy."""
    layer = seeded(case.make)
    weights = dict(layer.named_parameters())
    inputs = [tensor[:1] for tensor in (*case.inputs, *case.masks.values())]

    def loss(weights, *one):
        given, masks = one[: len(case.inputs)], one[len(case.inputs) :]
        named = dict(zip(case.masks, masks, strict=True))
        return torch.func.functional_call(layer, weights, given, named).square().sum()

    many = [torch.stack([tensor, tensor.flip(-2)]) for tensor in inputs]
    axes = (None, *[0] * len(many))
    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=axes)(weights, *many)
    for i in range(2):
        total = loss(weights, *(tensor[i] for tensor in many))
        expected = torch.autograd.grad(total, list(weights.values()))
        for one, other in zip(gradients.values(), expected, strict=True):
            torch.testing.assert_close(one[i], other, rtol=1e-4, atol=1e-5)


@every_case
def test_forward_mode_is_the_backward_pass(case, exporter):
    """The product of a random direction with the Jacobian, from both sides."""
    layer = seeded(case.make)
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    along = {name: draw(*weight.shape, seed=i) for i, (name, weight) in enumerate(weights.items())}

    def call(weights):
        return torch.func.functional_call(layer, weights, case.inputs, case.masks)

    output, tangent = torch.func.jvp(call, (weights,), (along,))
    seed = draw(*output.shape, seed=99)
    slopes = torch.func.grad(lambda weights: (call(weights) * seed).sum())(weights)
    expected = sum((slopes[name] * along[name]).sum() for name in weights)
    torch.testing.assert_close((tangent * seed).sum(), expected, rtol=1e-4, atol=1e-4)


@every_case
def test_second_derivatives_by_differences(case):
    layer = seeded(case.make).double()
    inputs = [tensor.double().requires_grad_() for tensor in case.inputs]
    wanted = [*inputs, *layer.parameters()]
    generator = torch.Generator().manual_seed(0)
    along = [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in wanted]

    def derivative() -> torch.Tensor:
        loss = layer(*inputs, **case.masks).square().sum()
        first = torch.autograd.grad(loss, wanted, create_graph=True)
        return sum((one * way).sum() for one, way in zip(first, along, strict=True))

    second = torch.autograd.grad(derivative(), wanted, materialize_grads=True)
    result = sum((one * way).sum() for one, way in zip(second, along, strict=True))
    near = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for one, way in zip(wanted, along, strict=True):
                one.add_(step * way)
        near.append(derivative().item())
    torch.testing.assert_close(result.item(), (near[0] - near[1]) / 2e-5, rtol=1e-3, atol=1e-4)


@every_case
def test_autocast(case):
    layer = seeded(case.make)
    expected = case.call(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = case.call(layer)
        loss = output.float().square().sum()
    loss.backward()
    # Energies, and logits that are differences of energies, stay in at least float32, and so do
    # sums of an embedding.
    wide = [*ENERGIES.values(), *PRODUCT_KEYS.values()]
    assert output.dtype == (torch.float32 if case in wide else torch.bfloat16)
    scale = expected.abs().max().item()
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.05 * scale)
    assert all(p.grad.isfinite().all() and p.grad.dtype == p.dtype for p in layer.parameters())


@pytest.mark.parametrize("separation", [Softmax(0.5), Sparsemax(0.5)])
@pytest.mark.parametrize("order", ["first", "second"])
def test_autocast_without_projections(separation, order):
    """float32 comes in and bfloat16 goes out: from the second step on, the two meet."""
    given = [draw(2, rows, DIM, seed=rows).requires_grad_() for rows in (4, 5)]

    def gradients(**how) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        output = functional.association(*given, separation=separation, iteration=Iteration(3))
        return torch.autograd.grad(output.float().square().sum(), given, **how), output

    expected, _ = gradients(create_graph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result, output = gradients(create_graph=order == "second", retain_graph=True)
    if order == "second":
        expected, result = (
            torch.autograd.grad(sum(s.square().sum() for s in first), given)
            for first in (expected, result)
        )
    else:
        result = torch.autograd.grad(output.float().square().sum(), given)
    for one, other in zip(result, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0, atol=0.1 * other.abs().max().item())


SPARSE = {"sparse": Case(lambda: ProductKeyLookup(DIM, 9, 2, 4, sparse=True), (STATE,), {})}
TRAINED = CASES | GRADIENTS | SPARSE


def _train(rank: int, folder: str) -> None:
    """Train in one of two processes: half of each batch, and the mean of their gradients."""
    for name, case in TRAINED.items():
        layer = seeded(case.make)
        half = [tensor.chunk(2)[rank] for tensor in case.inputs]
        masks = {mask: tensor.chunk(2)[rank] for mask, tensor in case.masks.items()}
        parallel = DistributedDataParallel(layer, find_unused_parameters=name in GRADIENTS)
        parallel(*half, **masks).square().sum().backward()
        if rank == 0:
            torch.save([p.grad for p in layer.parameters()], f"{folder}/{name}")
        del parallel, layer


def test_two_processes_train_as_one(tmp_path):
    run_in_two_processes(_train, tmp_path)
    for name, case in TRAINED.items():
        gradients = torch.load(tmp_path / name, weights_only=True)
        _, *expected = output_and_gradients(case, seeded(case.make))
        learned = [other for other in expected if other is not None]
        assert len(learned) == len(expected) - 2 * (name in GRADIENTS) > 0
        for one, other in zip(gradients, expected, strict=True):
            assert (one is None) == (other is None), name
            if one is not None:
                assert one.is_sparse == other.is_sparse
                one, other = one.to_dense(), other.to_dense()
                torch.testing.assert_close(2 * one, other, rtol=1e-4, atol=1e-5)


def shift(layer: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.5)


def differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() > 1e-3)


@every_case
def test_weights_survive_state_dict_copy_and_safetensors(case, tmp_path):
    layer, other = seeded(case.make), seeded(case.make)
    expected = case.call(layer)
    copied = copy.deepcopy(layer)
    torch.testing.assert_close(case.call(copied), expected)
    assert repr(copied) == repr(layer)
    shift(copied)
    assert differ(case.call(copied), expected), "premise: the shift shows"
    torch.testing.assert_close(case.call(layer), expected)
    shift(other)
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(case.call(other), expected)
    save_model(layer, tmp_path / "layer.safetensors")
    shift(other)
    load_model(other, tmp_path / "layer.safetensors")
    torch.testing.assert_close(case.call(other), expected)


@every_case
def test_float64_and_bfloat16(case):
    layer = seeded(case.make).double()
    inputs = [tensor.double() for tensor in case.inputs]
    output = layer(*inputs, **case.masks)
    assert output.dtype == torch.float64
    layer = layer.bfloat16()
    half = layer(*(tensor.bfloat16() for tensor in inputs), **case.masks)
    assert half.dtype == torch.bfloat16
    scale = output.abs().max().item()
    torch.testing.assert_close(half.double(), output, rtol=0, atol=0.1 * scale)


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
