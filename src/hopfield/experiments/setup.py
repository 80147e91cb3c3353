"""The memory that an experiment tests, with its patterns, the damage of cues, and the measure."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from .. import data
from ..checks import LARGEST_INTEGER, check_integer, short_repr
from ..corruption import flip
from ..cue import Cue
from ..errors import CapacityWarning, InputTypeError, OptionError, ShapeError
from ..memories import Memory
from ..metrics import recalled
from ..separation.prior import arguments
from ..similarity import as_similarity
from ..synthetic import random_binary
from ..typed import typed
from .records import Record

METHODS = ("store", "retrieve", "energy", "update")
"""Methods that a tested memory must have, though an experiment may call only some of them."""


@dataclass(frozen=True)
class Setup:
    """A memory to test, and how. To run in several processes, the functions must be picklable.

    Args:
        name: name of the memory in records, tables and legends.
        make: `make(**options)` returns an empty memory: a class of the library, `partial(class,
            …)`, or your own with `store(patterns)`, `retrieve(cue)` whose result has a `state`,
            `energy(state)` and `update(state)`. Experiments pass the option they vary, such as
            `temperature=` or `beta=`.
        patterns: `patterns(n, dim, generator=…)` returns rows. Functions of `synthetic` do.
        corrupt: `corrupt(rows, amount, generator=…)` returns a `Cue`. Functions of `corruption` do.
        measure: `measure(originals, states)` returns one number per state, from 0 to 1.
        options: further arguments of `retrieve`, such as `{"steps": 1}`.
    """

    name: str
    make: Callable[..., Any]
    patterns: Callable[..., Tensor] = random_binary
    corrupt: Callable[..., Cue] = flip
    measure: Callable[[Tensor, Tensor], Tensor] = recalled
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the arguments here: errors would else come late in a run."""
        if not isinstance(self.name, str):
            raise InputTypeError(
                f"name must be text, but is {short_repr(self.name)}. Use for instance name='mine'."
            )
        check_callable("make", self.make, "hopfield.ClassicalHopfield")
        check_callable("patterns", self.patterns, 'from_data("digits")')
        check_callable("corrupt", self.corrupt, "hopfield.corruption.flip")
        check_callable("measure", self.measure, "hopfield.metrics.recalled")

    def build(self, rows: Tensor, **options: Any) -> Any:
        """Return a new memory, made with `options`, that has stored these rows."""
        try:
            inspect.signature(self.make).bind(**options)
        except TypeError:
            raise OptionError(
                f"{self.name} must be made with {', '.join(options)}=, but {name_of(self.make)} "
                "takes no such argument. Give the Setup a memory that does."
            ) from None
        except ValueError:  # some functions written in C have no signature
            pass
        memory = self.make(**options)
        missing = [name for name in METHODS if not callable(getattr(memory, name, None))]
        if missing:
            raise InputTypeError(
                f"a memory must have {', '.join(METHODS)}, but {type(memory).__name__} lacks "
                f"{', '.join(missing)}. Add them, or use a memory of the library."
            )
        with warnings.catch_warnings():
            # Experiments measure loads beyond the capacity too.
            warnings.simplefilter("ignore", CapacityWarning)
            memory.store(rows)
        return memory

    def final_states(self, memory: Any, cue: Tensor | Cue, generator: torch.Generator) -> Tensor:
        """Return the states that the memory retrieves."""
        options = {**_generator_argument(memory.retrieve, generator), **self.options}
        state: Tensor = memory.retrieve(cue, **options).state
        return state

    def facts(self) -> Record:
        """Return the fields that describe this setup in records."""
        return {
            "case": self.name,
            "memory": name_of(self.make),
            "patterns": name_of(self.patterns),
            "damaged_by": name_of(self.corrupt),
            "measure": name_of(self.measure),
            "options": [f"{name}={value!r}" for name, value in self.options.items()],
        }


Draw = tuple[Tensor, Any, torch.Generator]
"""Patterns, the memory that stores them, and the generator that drew them."""


def draw(config: Any, setup: Setup, *stream: int, **options: Any) -> Draw:
    """Draw the config's number of patterns, and store them in a new memory."""
    source = generator(config.seed, config.n, *stream)
    rows = setup.patterns(config.n, config.units, generator=source)
    return rows, setup.build(rows, **options), source


def draws(config: Any, setup: Setup, **options: Any) -> Iterator[Draw]:
    """Yield the config's number of draws, one after the other."""
    return (draw(config, setup, index, **options) for index in range(config.draws))


def check_callable(name: str, value: object, example: str) -> None:
    """Raise InputTypeError unless the value can be called."""
    if not callable(value):
        raise InputTypeError(
            f"{name} must be a function or a class, but is {short_repr(value)}. Give it one such "
            f"as {example}."
        )


def check_counts(config: Any, **minima: int) -> None:
    """Raise unless these fields of a config are whole numbers ≥ their minima, and the seed ≥ 0."""
    for name, low in {**minima, "seed": 0}.items():
        check_integer(name, getattr(config, name), low=low)


def update(memory: Any, state: Tensor, generator: torch.Generator) -> Tensor:
    """Return the state after one step of the memory."""
    following: Tensor = memory.update(state, **_generator_argument(memory.update, generator))
    return following


def pattern_weights(memory: Any, state: Tensor) -> Tensor:
    """Return the weight of every stored pattern at each state, `(*batch, n)`.

    Raises:
        OptionError: for a memory without weights (classical, or your own without `weights(state)`).
    """
    method = getattr(memory, "weights", None)
    if callable(method):
        weights: Tensor = method(state)
        return weights
    if not isinstance(memory, Memory) or not hasattr(memory, "separation"):
        raise OptionError(
            "weights need ModernHopfield, DenseHopfield, or a memory with weights(state), but "
            f"got {type(memory).__name__}. Use one of these."
        )
    similarity: Callable[..., Tensor] = as_similarity(getattr(memory, "similarity", "dot"))
    scores = similarity(memory.patterns, state, None)
    separation: Callable[..., Tensor] = memory.separation
    return separation(*arguments(scores, memory.storage.prior))


@typed
def from_data(name: str, *, binary: bool = False) -> Callable[..., Tensor]:
    """Return a function for `Setup.patterns` that draws rows of a data set.

    Args:
        name: as for `hopfield.data.load`.
        binary: take the rows as ±1. The config's `units` must be the length of a row.
    """
    return partial(_rows_of, name, binary)


def _rows_of(name: str, binary: bool, n: int, dim: int, *, generator: torch.Generator) -> Tensor:
    rows = _all_rows(name, binary)
    if rows.shape[1] != dim or n > len(rows):
        raise ShapeError(
            f"units must be {rows.shape[1]} and n at most {len(rows)} for {name}, but they are "
            f"{dim} and {n}."
        )
    return rows[torch.randperm(len(rows), generator=generator)[:n]]


@cache
def _all_rows(name: str, binary: bool) -> Tensor:
    dataset = data.load(name)
    return dataset.binary(dataset.threshold()) if binary else dataset.patterns


def name_of(function: Any) -> str:
    """Return the name of a callable, with the arguments it was bound to."""
    if not isinstance(function, partial):
        return str(getattr(function, "__name__", type(function).__name__))
    arguments = [_argument(value) for value in function.args]
    arguments += [f"{name}={_argument(value)}" for name, value in function.keywords.items()]
    return f"{name_of(function.func)}({', '.join(arguments)})"


def _argument(value: Any) -> str:
    # The repr of a function holds its address, which differs from run to run.
    return name_of(value) if callable(value) and hasattr(value, "__name__") else repr(value)


@typed
def generator(seed: int, *stream: int) -> torch.Generator:
    """Return a generator of random numbers for one stream of a seed.

    Streams are independent: the draws of one experiment do not depend on other experiments.
    """
    mixed = check_integer("seed", seed, low=-LARGEST_INTEGER)
    for part in stream:
        mixed = (mixed * 1_000_003 + part + 1) % 2**63
    return torch.Generator().manual_seed(mixed)


def load_of(n: int, units: int) -> float:
    """Return the load n/N, rounded to 12 decimals so that equal loads are equal numbers."""
    return round(n / units, 12)


def _generator_argument(
    method: Callable[..., Any], generator: torch.Generator
) -> dict[str, torch.Generator]:
    parameters = inspect.signature(method).parameters
    return {"generator": generator} if "generator" in parameters else {}
