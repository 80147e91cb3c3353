"""Nasty values by name: of wrong types, shapes, dtypes and sizes, or that answer no question."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy
import torch
from torch import Tensor

import hopfield
from draws import normal, signs

COUNT, DIM = 3, 8
ROWS, SIGNS = normal(COUNT, DIM, seed=1), signs(COUNT, DIM, seed=1)


class Hostile:
    """An object that answers nothing."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __array__(self, dtype: object = None, copy: object = None) -> numpy.ndarray:
        raise RuntimeError("no array")


def _quiet(make: Callable[[], Any]) -> Callable[[], Any]:
    def made() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls some of these prototypes
            return make()

    return made


def _filled(like: Tensor, value: float) -> Tensor:
    tensor = like.clone()
    tensor.view(-1)[-1] = value
    return tensor


NASTY: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "−1": lambda: -1,
    "0": lambda: 0,
    "7": lambda: 7,
    "huge int": lambda: 10**400,
    "above int64": lambda: 2**64,
    "0.5": lambda: 0.5,
    "−0.5": lambda: -0.5,
    "NaN": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "complex": lambda: 1j,
    "text": lambda: "text",
    "no text": lambda: "",
    "bytes": lambda: b"\xff",
    "list": lambda: [1.0, 2.0],
    "no list": list,
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "tuple": lambda: (2, 4),
    "negative tuple": lambda: (-2, -4),
    "dict": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "object": object,
    "hostile": Hostile,
    "class": lambda: Tensor,
    "function": lambda: len,
    "function of rows": lambda: lambda rows: rows,
    "array": lambda: ROWS.numpy(),
    "array of text": lambda: numpy.array(["a", "b"]),
    "array of objects": lambda: numpy.array([None, "x"]),
    "numpy float": lambda: numpy.float32(1.0),
    "numpy int": lambda: numpy.int64(2),
    "memory": hopfield.ModernHopfield,
    "module": lambda: torch.nn.Linear(3, 3),
    "separation": lambda: hopfield.Softmax(torch.tensor([1.0, 2.0])),
    "cue": lambda: hopfield.Cue(ROWS, ROWS > 0),
    "dtype": lambda: torch.int32,
    "rows": lambda: ROWS.clone(),
    "signs": lambda: SIGNS.clone(),
    "float64": lambda: ROWS.double(),
    "float16": lambda: ROWS.half(),
    "int rows": lambda: SIGNS.int(),
    "bool rows": lambda: SIGNS > 0,
    "complex rows": lambda: ROWS + 0j,
    "float8": lambda: ROWS.to(torch.float8_e4m3fn),
    "turned": lambda: ROWS.T,
    "one row": lambda: ROWS[0],
    "number tensor": lambda: torch.tensor(1.0),
    "image": lambda: ROWS.view(3, 2, 4),
    "no rows": lambda: ROWS[:0],
    "no entries": lambda: ROWS[:, :0],
    "NaN entry": lambda: _filled(ROWS, torch.nan),
    "inf entry": lambda: _filled(ROWS, torch.inf),
    "1e30 entry": lambda: _filled(ROWS, 1e30),
    "zeros": lambda: torch.zeros(COUNT, DIM),
    "with gradient": lambda: ROWS.clone().requires_grad_(),
    "negative stride": lambda: ROWS.flip(1),
    "expanded": lambda: ROWS[:1].expand(COUNT, DIM),
    "sparse": lambda: SIGNS.to_sparse(),
    "nested": _quiet(lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])),
    "jagged": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)],
                                                  layout=torch.jagged),
    "meta": lambda: torch.empty(COUNT, DIM, device="meta"),
    "lazy": torch.nn.UninitializedParameter,
    "quantised": _quiet(lambda: torch.quantize_per_tensor(ROWS, 0.1, 0, torch.quint8)),
}  # fmt: skip
