"""The memory that an experiment tests, with its patterns, the damage of cues, and the measure."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from .. import data
from ..checks import LARGEST_INTEGER, call_given, check_integer, short_repr
from ..corruption import flip, occlude_half
from ..cue import Cue, damage_patterns
from ..errors import CapacityWarning, InputTypeError, OptionError, ShapeError
from ..memories import Memory
from ..metrics import recalled
from ..separation.prior import arguments
from ..similarity import as_similarity
from ..synthetic import random_binary
from ..typed import typed
from .records import Record, mean_and_sd

Measure = Callable[[Tensor, Tensor], Tensor]
PLAIN_VALUES = (type(None), bool, int, float, str)
"""Types of parameters that records hold as they are; of others they hold the text."""
LONGEST_TEXT = 80
"""Most letters of a setting in the name of a memory; longer ones, such as tensors, are left out."""
RECALLED = "recalled"
"""Field of records that holds the mean of a setup's measure, if it has only one."""


@dataclass(frozen=True)
class Setup:
    """A memory to test, and how. To run in several processes, the functions must be picklable.

    Args:
        name: name of the memory in records, tables and legends.
        make: `make()` returns an empty memory: a class of the library, `partial(class, …)`, or your
            own with `store(patterns)` and `retrieve(cue)`, whose result has a `state`. Experiments
            on energies also call `energy(state)`, those on dynamics `update(state)`. Experiments
            add the argument they vary, such as `temperature=` or `beta=`. Keywords of a `partial`
            are fields of the records, which distinguish setups of one name.
        patterns: `patterns(n, dim, generator=…)` returns rows. Functions of `synthetic` do.
        corrupt: `corrupt(rows, amount, generator=…)` returns a `Cue`, or the states. Functions of
            `corruption` do. An argument `generator` is optional, as for `retrieve` and `update`.
        measure: `measure(originals, states)` returns one number per state, from 0 to 1. Its mean is
            the field `recalled` of records. Several are a mapping of fields to such functions; the
            first decides in `capacity`.
        options: further arguments of `retrieve`, such as `{"steps": 1}`.
    """

    name: str
    make: Callable[..., Any]
    patterns: Callable[..., Tensor] = random_binary
    corrupt: Callable[..., Cue] = flip
    measure: Measure | Mapping[str, Measure] = recalled
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
        for measure in self._measures.values():
            check_callable("measure", measure, "hopfield.metrics.recalled")
        if not isinstance(self.options, Mapping):
            raise InputTypeError(
                "options must be a mapping of names to values, but is "
                f"{short_repr(self.options)}. Use for instance options={{'steps': 1}}."
            )

    @property
    def _measures(self) -> Mapping[str, Measure]:
        return self.measure if isinstance(self.measure, Mapping) else {RECALLED: self.measure}

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
        check_methods(memory, "store", "retrieve")
        with warnings.catch_warnings():
            # Experiments measure loads beyond the capacity too.
            warnings.simplefilter("ignore", CapacityWarning)
            memory.store(rows)
        return memory

    def draw_patterns(self, n: int, units: int, generator: torch.Generator) -> Tensor:
        """Return n patterns of `units` entries."""
        form, shape = "n, dim, generator=…", (n, units)
        rows = call_given("patterns", form, self.patterns, *shape, generator=generator)
        if not isinstance(rows, Tensor) or rows.shape != shape:
            raise ShapeError(
                f"{name_of(self.patterns)} must return patterns of shape {shape}, but returned "
                f"{short_repr(rows)}."
            )
        return rows

    def damaged(self, rows: Tensor, amount: float, generator: torch.Generator) -> Cue:
        """Return the cues that `corrupt` makes of the rows."""
        is_half = getattr(self.corrupt, "func", self.corrupt) is occlude_half
        return damage_patterns(
            self.corrupt, rows, None if is_half else amount, generator, "corrupt"
        )

    def final_states(self, memory: Any, cue: Tensor | Cue, generator: torch.Generator) -> Tensor:
        """Return the states that the memory retrieves."""
        options = {**_generator_argument(memory.retrieve, generator), **self.options}
        with warnings.catch_warnings():
            # Some rules learn, and warn of patterns that they lose, at the first use.
            warnings.simplefilter("ignore", CapacityWarning)
            result = memory.retrieve(cue, **options)
        state = getattr(result, "state", None)
        if not isinstance(state, Tensor) or state.shape != cue.shape:
            raise InputTypeError(
                f"{type(memory).__name__}.retrieve must return an object whose `state` is a tensor "
                f"of shape {tuple(cue.shape)}, but its state is {short_repr(state)}."
            )
        return state

    def measured(self, originals: Tensor, states: Tensor) -> dict[str, float]:
        """Return the mean of each measure over these states, by the name of its field."""
        means = {}
        for name, measure in self._measures.items():
            values = call_given("measure", "originals, states", measure, originals, states)
            if not isinstance(values, Tensor) or values.shape != states.shape[:-1]:
                raise ShapeError(
                    f"{name_of(measure)} must return one number per state, a tensor of shape "
                    f"{tuple(states.shape[:-1])}, but returned {short_repr(values)}."
                )
            means[name] = values.double().mean().item()
            mean_and_sd(name_of(measure), [means[name]])  # raises unless it is finite
        return means

    def facts(self) -> Record:
        """Return the fields that describe this setup in records."""
        measures = [f"{name}={name_of(measure)}" for name, measure in self._measures.items()]
        facts = {
            "case": self.name,
            "memory": memory_name(self.make),
            "patterns": name_of(self.patterns),
            "damaged_by": name_of(self.corrupt),
            "measure": measures if isinstance(self.measure, Mapping) else name_of(self.measure),
            "options": [f"{name}={value!r}" for name, value in self.options.items()],
        }
        given = self.make.keywords if isinstance(self.make, partial) else {}
        parameters = {
            name: value if isinstance(value, PLAIN_VALUES) else _argument(value)
            for name, value in given.items()
            if name not in {*facts, "experiment", "parameters"}
        }
        return facts | parameters | ({"parameters": list(parameters)} if parameters else {})


Draw = tuple[Tensor, Any, torch.Generator]
"""Patterns, the memory that stores them, and the generator that drew them."""


def draw(config: Any, setup: Setup, *stream: int, **options: Any) -> Draw:
    """Draw the config's number of patterns, and store them in a new memory."""
    source = generator(config.seed, config.n, *stream)
    rows = setup.draw_patterns(config.n, config.units, source)
    return rows, setup.build(rows, **options), source


@typed
def draws(config: Any, setup: Setup, **options: Any) -> Iterator[Draw]:
    """Yield patterns, memory and generator of the config's `draws`, one after the other.

    Args:
        config: has `seed`, `n` and `units`: n patterns of `units` entries each.
        setup: draws the patterns, and makes the memory that stores them.
        **options: further arguments of the setup's `make`, such as `beta=config.beta`.
    """
    missing = [name for name in ("units", "n", "draws", "seed") if not hasattr(config, name)]
    if missing:
        raise InputTypeError(
            f"config must have units, n, draws and seed, but {short_repr(config)} lacks "
            f"{', '.join(missing)}. Add them to its dataclass."
        )
    check_counts(config, units=1, n=1, draws=1)
    return (draw(config, setup, index, **options) for index in range(config.draws))


def check_callable(name: str, value: object, example: str) -> None:
    """Raise InputTypeError unless the value can be called."""
    if not callable(value):
        raise InputTypeError(
            f"{name} must be a function or a class, but is {short_repr(value)}. Give it one such "
            f"as {example}."
        )


def check_methods(memory: Any, *names: str) -> None:
    """Raise InputTypeError unless the memory has these methods."""
    missing = [name for name in names if not callable(getattr(memory, name, None))]
    if missing:
        raise InputTypeError(
            f"a memory must have {', '.join(names)} here, but {type(memory).__name__} lacks "
            f"{', '.join(missing)}. Add them, or use a memory of the library."
        )


def check_counts(config: Any, **minima: int) -> None:
    """Raise unless these fields of a config are whole numbers ≥ their minima, and the seed ≥ 0."""
    for name, low in {**minima, "seed": 0}.items():
        check_integer(name, getattr(config, name), low=low)


def update(memory: Any, state: Tensor, generator: torch.Generator) -> Tensor:
    """Return the state after one step of the memory."""
    check_methods(memory, "update")
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


@cache
def memory_name(make: Callable[..., Any]) -> str:
    """Return the name of a callable that makes memories; of a function, the memory it makes.

    Two functions of one name, such as lambdas, differ by the settings of their memories.
    """
    if not isinstance(make, FunctionType):
        return name_of(make)
    try:
        memory = make()
        settings = memory.config() if isinstance(memory, Memory) else vars(memory)
    except Exception:  # needs arguments, or raises whatever it likes: a run will report it
        return name_of(make)
    texts = {name: _argument(value) for name, value in settings.items() if name[:1] != "_"}
    shown = [
        f"{name}={text}"
        for name, text in texts.items()
        if len(text) <= LONGEST_TEXT and "\n" not in text and " at 0x" not in text
    ]
    return f"{type(memory).__name__}({', '.join(shown)})"


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


def _generator_argument(method: Any, source: torch.Generator) -> dict[str, torch.Generator]:
    return {"generator": source} if "generator" in inspect.signature(method).parameters else {}
