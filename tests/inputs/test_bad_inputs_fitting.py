"""Bad places of values, β for patterns to decide, and thresholds: each is refused by name."""

from decimal import Decimal

import numpy as np
import torch

from bad_inputs import Bad, cases, judge
from hopfield import (
    DenseHopfield,
    ModernHopfield,
    Polynomial,
    Separation,
    Softmax,
    Sparsemax,
)
from hopfield.errors import (
    DomainError,
    EmptyMemoryError,
    InputTypeError,
    OptionError,
    ShapeError,
)

ROWS = torch.eye(4) + 0.1


def filled():
    memory = ModernHopfield()
    memory.store(ROWS, values=torch.arange(4.0))
    return memory


class WithoutBeta(Separation):
    """Softmax at β = 1."""

    def potential(self, scores):
        return torch.logsumexp(scores, -1)

    def __call__(self, scores):
        return torch.softmax(scores, -1)


PLACES = {
    "None": None, "True": True, "1": 1, "nan": float("nan"), "''": "", "'both'": "both",
    "'CUE'": "CUE", "'cue '": "cue ", "'pattern'": "pattern", "'fixed point'": "fixed point",
    "bytes": b"cue", "list": ["cue"], "tuple": ("cue", "state"), "dict": {"cue": 1}, "set": {"cue"},
    "tensor": torch.tensor(1), "array": np.array(["cue"]), "class": str, "function": len,
    "long": "cue" * 10_000,
}  # fmt: skip
VALUES_AT = [
    Bad(f"values_at: {name}", lambda value=value: filled().retrieve(ROWS, values_at=value),
        OptionError, ("values_at must be one of 'cue', 'state'",))
    for name, value in PLACES.items()
]  # fmt: skip

TEXTS = [
    "Auto",
    "AUTO",
    "auto ",
    " auto",
    "automatic",
    "",
    "8",
    "1e3",
    "inf",
    "nan",
    "β",
    "a" * 500,
]
TYPES = {
    "bytes": b"auto", "True": True, "complex": 1j, "list": [1.0], "tuple": (8.0,), "dict": {},
    "set": {1.0}, "object": object(), "function": len, "class": float, "decimal": Decimal(8),
    "array": np.ones(1), "list of words": ["auto"],
}  # fmt: skip
NUMBERS = {"negative": -1.0, "-inf": -torch.inf, "nan": torch.nan, "negative tensor":
           torch.tensor(-1.0), "NaN tensor": torch.tensor(torch.nan)}  # fmt: skip
BETAS = [
    *[Bad(f"beta: text {text[:20]!r}", lambda text=text: ModernHopfield(text), InputTypeError,
          ("beta must be a number or 'auto'",)) for text in TEXTS],
    *[Bad(f"beta: {name}", lambda value=value: ModernHopfield(value), InputTypeError,
          ("beta must be a number",)) for name, value in TYPES.items()],
    *[Bad(f"beta: {name}", lambda value=value: ModernHopfield(beta=value), DomainError, ("beta",))
      for name, value in NUMBERS.items()],
    Bad("beta: two numbers", lambda: ModernHopfield(torch.ones(2)), OptionError,
        ("beta must be one number", "(2,)")),
    Bad("beta: a separation", lambda: ModernHopfield(Sparsemax()), InputTypeError,
        ("separation=Sparsemax(…)",)),
    Bad("beta: a number and a separation", lambda: ModernHopfield(1.0, separation=Softmax()),
        OptionError, ("beta= and separation= must not both be given",)),
    Bad("auto: another text and a separation", lambda: ModernHopfield("fit", separation=Softmax()),
        InputTypeError, ("'auto'", "'fit'")),
    Bad("auto: in a separation", lambda: Sparsemax("auto"), InputTypeError, ("beta", "'auto'")),
    Bad("auto: dense", lambda: DenseHopfield("auto"), InputTypeError, ("beta", "'auto'")),
]  # fmt: skip
SETTINGS = [
    *[Bad(f"auto and separation: {name}",
          lambda value=value: ModernHopfield("auto", separation=value), InputTypeError,
          ("separation must be one of",))
      for name, value in {"text": "Softmax", "class": Softmax, "number": 5, "list": []}.items()],
    Bad("auto and separation: without β", lambda: ModernHopfield("auto", separation=WithoutBeta()),
        OptionError, ("beta='auto' needs a separation with an attribute beta", "WithoutBeta")),
    Bad("auto and separation: no simplex", lambda: ModernHopfield("auto", separation=Polynomial(3)),
        OptionError, ("sum to one", "Polynomial")),
    Bad("auto and separation: certified",
        lambda: ModernHopfield("auto", separation=Sparsemax(), precision="certified"),
        OptionError, ("certified", "Sparsemax")),
    *[Bad(f"auto and similarity: {name}", lambda value=value: ModernHopfield(similarity=value),
          OptionError, ("similarity must be one of",))
      for name, value in {"text": "euclid", "number": 2, "empty": "", "class": Softmax}.items()],
    Bad("auto and similarity: certified",
        lambda: ModernHopfield(similarity="cosine", precision="certified"), OptionError,
        ("certified", "'cosine'")),
    Bad("auto: no patterns", lambda: ModernHopfield().retrieve(ROWS), EmptyMemoryError, ("empty",)),
    Bad("auto: patterns of another length", lambda: filled().store(torch.ones(1, 3)), ShapeError,
        ("(1, 3)",)),
]  # fmt: skip


@cases(VALUES_AT, BETAS, SETTINGS, at_least=60)
def test_what_cannot_be_is_refused_by_name(case):
    judge(case)


@cases([
    Bad("NaN", lambda memory: memory.store(torch.full((1, 4), torch.nan)), DomainError, ()),
    Bad("another dtype", lambda memory: memory.store(ROWS.double()), InputTypeError, ()),
    Bad("no values", lambda memory: memory.store(ROWS), OptionError, ()),
    Bad("an index", lambda memory: memory.remove(9), DomainError, ()),
    Bad("a place", lambda memory: memory.retrieve(ROWS, values_at="x"), OptionError, ()),
])  # fmt: skip
def test_a_call_that_fails_leaves_beta_as_it_was(case):
    memory = filled()
    before = repr(memory), memory.storage.version
    judge(case, memory)
    assert (repr(memory), memory.storage.version) == before


def alike():
    memory = ModernHopfield()
    memory.store(torch.cat([ROWS, ROWS[:1]]))
    return memory


def with_a_gap():
    memory = ModernHopfield()
    memory.store(ROWS, known=ROWS > 1)
    return memory


NO_NUMBERS = {"None": None, "True": True, "text": "near", "list": [0.2], "complex": 1j,
              "tensor": torch.tensor([0.1, 0.2]), "class": float,
              "decimal": Decimal(1)}  # fmt: skip
DUPLICATES = [
    *[Bad(f"threshold: {name}", lambda value=value: alike().duplicates(value), InputTypeError,
          ("threshold must be a number",)) for name, value in NO_NUMBERS.items()],
    *[Bad(f"threshold: {value}", lambda value=value: alike().duplicates(value), DomainError,
          ("threshold",)) for value in (-1.0, -1e-9, torch.nan, torch.inf, 1e10)],
    *[Bad(f"most: {name}", lambda value=value: alike().duplicates(most=value), InputTypeError,
          ("most must be a whole number",)) for name, value in
      {**NO_NUMBERS, "1.5": 1.5, "nan": torch.nan, "inf": torch.inf}.items()],
    *[Bad(f"most: {value}", lambda value=value: alike().duplicates(most=value), DomainError,
          ("most",)) for value in (0, -1, -(10**20))],
    Bad("duplicates: empty", lambda: ModernHopfield().duplicates(), EmptyMemoryError, ("empty",)),
    Bad("duplicates: gaps", lambda: with_a_gap().duplicates(), OptionError, ("complete patterns",)),
    Bad("duplicates: another name", lambda: alike().duplicates(distance=1.0), OptionError,
        ("takes no argument 'distance'", "threshold")),
]  # fmt: skip


@cases(DUPLICATES)
def test_duplicates_refuses(case):
    judge(case)
