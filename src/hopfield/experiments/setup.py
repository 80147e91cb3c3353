"""What is put to the test: a memory, the patterns it holds, how cues are damaged, what counts."""

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from .. import data
from ..checks import check_integer, say
from ..corruption import flip
from ..cue import Cue
from ..errors import CapacityWarning, InputTypeError, OptionError, ShapeError
from ..memories import Memory
from ..metrics import recalled
from ..similarity import as_similarity
from ..synthetic import random_binary
from .records import Record, plain

NEEDED = ("store", "retrieve", "energy", "update")
"""What a memory of one's own must have; a measurement calls only some of them."""


@dataclass(frozen=True)
class Setup:
    """A memory under test. The functions must be picklable to run in several processes.

    Args:
        name: what records, tables and legends call it.
        make: `make(**options)` gives an empty memory: a class of the library, `partial(class, …)`,
            or your own with `store(patterns)`, `retrieve(cue)` whose result has a `state`,
            `energy(state)` and `update(state)`. Scans give it what they vary: `temperature=`,
            `beta=`.
        patterns: `patterns(n, dim, generator=…)` → rows, such as those of `synthetic`.
        corrupt: `corrupt(rows, amount, generator=…)` → `Cue`, such as those of `corruption`.
        measure: `measure(originals, states)` → how well each came back, from 0 to 1.
        options: what `retrieve` is called with besides the cue, such as `{"steps": 1}`.
    """

    name: str
    make: Callable[..., Any]
    patterns: Callable[..., Tensor] = random_binary
    corrupt: Callable[..., Cue] = flip
    measure: Callable[[Tensor, Tensor], Tensor] = recalled
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could only fail once it is run."""
        if not isinstance(self.name, str):
            raise InputTypeError(
                f"name must be text, but is {say(self.name)}. Use name={str(self.name)!r}."
            )
        check_callable("make", self.make, "hopfield.ClassicalHopfield")
        check_callable("patterns", self.patterns, 'from_data("digits")')
        check_callable("corrupt", self.corrupt, "hopfield.corruption.flip")
        check_callable("measure", self.measure, "hopfield.metrics.recalled")

    def filled(self, rows: Tensor, **options: Any) -> Any:
        """A memory that holds these rows; past its capacity too, since that is what is measured."""
        memory = self._made(options)
        lacking = [name for name in NEEDED if not callable(getattr(memory, name, None))]
        if lacking:
            raise InputTypeError(
                f"a memory must have {', '.join(NEEDED)}, but {type(memory).__name__} lacks "
                f"{', '.join(lacking)}. Add them, or use a memory of the library."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CapacityWarning)
            memory.store(rows)
        return memory

    def _made(self, options: Mapping[str, Any]) -> Any:
        """An empty memory with what a scan varies."""
        try:
            inspect.signature(self.make).bind(**options)
        except TypeError:
            raise OptionError(
                f"{self.name} must be made with {', '.join(options)}=, but {describe(self.make)} "
                "takes no such argument. Give the Setup a memory that does."
            ) from None
        except ValueError:  # of some functions written in C nothing is known
            pass
        return self.make(**options)

    def ends(self, memory: Any, cue: Tensor | Cue, generator: torch.Generator) -> Tensor:
        """The states that the memory retrieves."""
        given = {**_source(memory.retrieve, generator), **self.options}
        state: Tensor = memory.retrieve(cue, **given).state
        return state

    def facts(self) -> Record:
        """What records say of it."""
        return {
            "case": self.name,
            "memory": describe(self.make),
            "patterns": describe(self.patterns),
            "damaged_by": describe(self.corrupt),
            "measure": describe(self.measure),
            "options": [f"{name}={value!r}" for name, value in self.options.items()],
        }


def check_callable(name: str, value: object, example: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise InputTypeError(
            f"{name} must be a function or a class, but is {say(value)}. Give it one such as "
            f"{example}."
        )


def check_whole(config: Any, **least: int) -> None:
    """Refuse a config whose numbers are no whole ones, or below the least; of the seed that is 0.

    Raises:
        DomainError: for a number below its least.
        InputTypeError: for what is no whole number.
    """
    for name, low in {**least, "seed": 0}.items():
        check_integer(name, getattr(config, name), low=low)


def measured(experiment: str, config: Any, setup: Setup, **results: Any) -> Record:
    """One flat record: the experiment, the setup, the config's fields, the results."""
    base = {"experiment": experiment, **setup.facts(), **asdict(config)}
    clash = sorted(set(base) & set(results))
    if clash:
        raise KeyError(f"results of {experiment!r} hide its config: {', '.join(clash)}")
    return {key: plain(value) for key, value in (base | results).items()}


def step(memory: Any, state: Tensor, generator: torch.Generator) -> Tensor:
    """One update."""
    following: Tensor = memory.update(state, **_source(memory.update, generator))
    return following


def weights(memory: Any, state: Tensor) -> Tensor:
    """The weight of every stored pattern at each state, `(*batch, n)`.

    Raises:
        OptionError: for a memory that has none (classical), or does not say.
    """
    own = getattr(memory, "weights", None)
    if callable(own):
        found: Tensor = own(state)
        return found
    if not isinstance(memory, Memory) or not hasattr(memory, "separation"):
        raise OptionError(
            "weights need ModernHopfield, DenseHopfield, or a memory with weights(state), but "
            f"got {type(memory).__name__}. Use one of these."
        )
    similarity: Callable[..., Tensor] = as_similarity(getattr(memory, "similarity", "dot"))
    separation: Callable[[Tensor], Tensor] = memory.separation
    return separation(similarity(memory.patterns, state, None))


def from_data(name: str, *, binary: bool = False) -> Callable[..., Tensor]:
    """Random rows of a data set, as `Setup.patterns`; `dim` must be the length of its rows."""
    return partial(_rows_of, name, binary)


def _rows_of(name: str, binary: bool, n: int, dim: int, *, generator: torch.Generator) -> Tensor:
    rows = _everything(name, binary)
    if rows.shape[1] != dim or n > len(rows):
        raise ShapeError(
            f"units must be {rows.shape[1]} and n at most {len(rows)} for {name}, but they are "
            f"{dim} and {n}."
        )
    return rows[torch.randperm(len(rows), generator=generator)[:n]]


@cache
def _everything(name: str, binary: bool) -> Tensor:
    dataset = data.load(name)
    return dataset.binary(dataset.threshold()) if binary else dataset.patterns


def describe(function: Any) -> str:
    """What a callable is called, with the arguments it was bound to."""
    if not isinstance(function, partial):
        return str(getattr(function, "__name__", type(function).__name__))
    bound = [_said(each) for each in function.args]
    bound += [f"{name}={_said(value)}" for name, value in function.keywords.items()]
    return f"{describe(function.func)}({', '.join(bound)})"


def _said(value: Any) -> str:
    """A bound argument, without the address that a function's repr has."""
    return describe(value) if callable(value) and hasattr(value, "__name__") else repr(value)


def generator(seed: int, *stream: int) -> torch.Generator:
    """A generator of its own for each stream of one seed, so that experiments can be reordered."""
    mixed = seed
    for part in stream:
        mixed = (mixed * 1_000_003 + part + 1) % 2**63
    return torch.Generator().manual_seed(mixed)


def per_unit(n: int, units: int) -> float:
    """The load n/N, without rounding noise in records."""
    return round(n / units, 12) if math.isfinite(n) else n


def _source(method: Callable[..., Any], generator: torch.Generator) -> dict[str, Any]:
    """`generator=`, for methods that take one."""
    named = inspect.signature(method).parameters
    return {"generator": generator} if "generator" in named else {}
