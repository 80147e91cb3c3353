"""Ways to call a layer: each returns the largest difference from the plain call."""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap

from .cases import FIRST, OPEN, OTHER, Case

ALLOWED = 1e-5
"""Largest difference in float32 that is rounding, relative to the largest entry."""

Inputs = dict[str, Tensor]


def difference(results: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to the largest entry of all; shapes are equal."""
    scale = max(float(tensor.detach().abs().max()) for tensor in expected)
    return max(_distance(*pair) for pair in zip(results, expected, strict=True)) / scale


def _distance(result: Tensor, expected: Tensor) -> float:
    if result.shape != expected.shape:
        raise ValueError(f"shape {tuple(result.shape)} for {tuple(expected.shape)}")
    if not result.isfinite().all():
        raise ValueError("not finite")
    return float((result - expected).abs().max())


def eager(case: Case) -> float:
    """Return the difference between a whole batch and its entries one by one."""
    layer, inputs = case.layer(), case.draw(FIRST)
    whole = layer(**inputs)
    parts = []
    for i in range(FIRST["batch"]):
        one = {
            name: tensor[i : i + 1] if case.shapes[name].startswith("batch") else tensor
            for name, tensor in inputs.items()
        }
        parts.append(layer(**one))
    return difference([torch.cat(parts)], [whole])


def _compiled(case: Case, backend: str) -> float:
    torch.compiler.reset()
    layer = case.layer()
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend=backend)
    worst = 0.0
    for sizes in (FIRST, OTHER):
        inputs = case.draw(sizes)
        result, *slopes = _gradients(layer, compiled, inputs)
        output, *gradients = _gradients(layer, layer, inputs)
        worst = max(worst, difference([result], [output]), difference(slopes, gradients))
    return worst


def _gradients(layer: nn.Module, call: Callable[..., Tensor], inputs: Inputs) -> list[Tensor]:
    output = call(**inputs)
    loss = output.square().sum()
    return [output.detach(), *torch.autograd.grad(loss, list(layer.parameters()))]


def aot_eager(case: Case) -> float:
    """Compile to one graph, forward and backward, without code for a processor."""
    return _compiled(case, "aot_eager")


def inductor(case: Case) -> float:
    """Compile to code for this processor."""
    return _compiled(case, "inductor")


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        yield


def _exported(case: Case) -> Any:
    sizes = {name: torch.export.Dim(name, min=case.least if name == "n" else 1) for name in OPEN}
    shapes = {
        argument: {i: sizes[axis] for i, axis in enumerate(axes.split()) if axis in sizes}
        for argument, axes in case.shapes.items()
    }
    layer, inputs = case.layer(), case.draw(FIRST)
    with _quiet():
        return torch.export.export(layer, (), inputs, dynamic_shapes=shapes)


def export(case: Case) -> float:
    """Export with batch, states and patterns open, and call at other sizes."""
    program, inputs = _exported(case), case.draw(OTHER)
    return difference([program.module()(**inputs)], [case.layer()(**inputs)])


def onnx(case: Case) -> float:
    """Write the open export as ONNX, and run it with onnxruntime at other sizes."""
    import onnxruntime

    program, inputs = _exported(case), case.draw(OTHER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        with _quiet():
            torch.onnx.export(program, (), path, kwargs=case.draw(FIRST), dynamo=True,
                              verbose=False)  # fmt: skip
        session = onnxruntime.InferenceSession(path)
        names = [one.name for one in session.get_inputs()]
        given = {name: inputs[name].numpy() for name in names}
        (output,) = session.run(None, given)
    return difference([torch.from_numpy(output)], [case.layer()(**inputs).detach()])


def vmapped(case: Case) -> float:
    """vmap over a stack of calls."""
    layer, first = case.layer(), case.draw(FIRST)
    many = {name: torch.stack([tensor, tensor.flip(-1)]) for name, tensor in first.items()}
    together = vmap(lambda inputs: layer(**inputs))(many)
    apart = [layer(**{name: tensor[i] for name, tensor in many.items()}) for i in range(2)]
    return difference([together], [torch.stack(apart)])


def gradient(case: Case) -> float:
    """torch.func.grad of all weights, against autograd."""
    layer, inputs = case.layer(), case.draw(FIRST)
    weights: dict[str, Tensor] = dict(layer.named_parameters())

    def loss(weights: dict[str, Tensor]) -> Tensor:
        output: Tensor = functional_call(layer, weights, (), inputs)
        return output.square().sum()

    result = grad(loss)(weights)
    expected = torch.autograd.grad(loss(weights), list(weights.values()))
    return difference(list(result.values()), expected)


def forward_mode(case: Case) -> float:
    """torch.func.jvp along all weights, against the backward pass."""
    layer, inputs = case.layer(), case.draw(FIRST)
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    generator = torch.Generator().manual_seed(2)
    along = {name: torch.randn(w.shape, generator=generator) for name, w in weights.items()}

    def call(weights: dict[str, Tensor]) -> Tensor:
        output: Tensor = functional_call(layer, weights, (), inputs)
        return output

    output, tangent = jvp(call, (weights,), (along,))[:2]
    seed = torch.randn(output.shape, generator=generator)
    slopes = grad(lambda weights: (call(weights) * seed).sum())(weights)
    expected = sum((slopes[name] * along[name]).sum() for name in weights)
    scale = (tangent * seed).abs().sum()  # the sum may cancel
    return float(((tangent * seed).sum() - expected).abs() / scale)


WAYS = {
    "eager": eager,
    "compile, aot_eager": aot_eager,
    "compile, inductor": inductor,
    "export": export,
    "ONNX": onnx,
    "vmap": vmapped,
    "grad": gradient,
    "jvp": forward_mode,
}
