"""What every memory is: rows that are stored, one primitive `_read`, and everything built on it."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from os import PathLike
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from .. import readout
from ..checks import (
    check_dense,
    check_device,
    check_dim,
    check_dtype,
    check_finite_norms,
    check_flag,
    check_float,
    check_generator,
    check_integer,
    check_norms,
    check_number,
    check_patterns,
    check_tensor,
)
from ..cue import Cue
from ..errors import CapacityWarning, EmptyMemoryError, InputTypeError, OptionError, ShapeError
from ..iteration import Reading, Retrieval, iterate, usual_tolerance
from ..separation import Separation
from ..similarity import Similarity
from ..stores import Store
from .options import check_convertible, check_place
from .query import Query, check_indices, computing_dtype, fitting, make_query

MEMORIES: dict[str, type["Memory"]] = {}
"""Every memory class by name, as files name them."""


class Memory(ABC):
    """An associative memory: store patterns, retrieve them from damaged cues, read the energy.

    A pattern is a row, always: patterns `(n, dim)`, cues and states `(*batch, dim)`. Each query of
    a batch stands alone. What is stored is copied; cues are never modified.
    """

    evidences: ClassVar[tuple[str, ...]] = ("known",)
    _store: Store

    def __init_subclass__(cls) -> None:
        """Make the class known to `hopfield.load`."""
        MEMORIES.setdefault(cls.__name__, cls)

    def store(self, patterns: Tensor, values: Tensor | None = None) -> None:
        """Add patterns, and values to be recalled with them: all of them or, on an error, none.

        Args:
            patterns: `(n, dim)`, floating point; ±1 for binary networks. The first call decides
                dim, dtype and device.
            values: `(n, *)`, anything to be returned as `Retrieval.value`; given with every call
                or with none.

        Raises:
            ShapeError, InputTypeError, DeviceError, DomainError: saying what was expected.
        """
        warning = self._check(patterns, values)
        if warning is not None:
            warnings.warn(warning, CapacityWarning, stacklevel=2)
        self._store.append(patterns, values)

    def remove(self, indices: "int | Iterable[int] | Tensor") -> None:
        """Take stored patterns away by their numbers; those behind them move up."""
        self._require()
        self._store.remove(check_indices(indices, len(self)))

    def retrieve(
        self,
        cue: Tensor | Cue,
        known: Tensor | None = None,
        *,
        clamp: bool | None = None,
        evidence: str = "known",
        steps: int = 100,
        tol: float | None = None,
        trace: bool = False,
        generator: torch.Generator | None = None,
    ) -> Retrieval:
        """Iterate from a damaged or partial cue until it settles.

        Args:
            cue: `(*batch, dim)`, or a `Cue`, which brings its own mask.
            known: None where every entry is evidence but none certain; a bool mask broadcastable
                to the cue where entries are missing: only known entries are evidence.
            clamp: hold known entries at the cue; the default where `known` is given.
            evidence: "known": known entries count throughout. "all" (ModernHopfield): one read by
                known entries, then by all of them until it settles.
            steps: at most so many reads or sweeps; thermal dynamics makes exactly so many.
            tol: settled means max|x' − x| ≤ tol·max(1, max|x|); default 1e-4 (1e-2 for half
                precision). Binary networks settle when a whole sweep changes nothing.
            trace: keep the energies of all steps.
            generator: source of random orders and thermal noise; None is a fresh one, seed 0.

        Returns:
            A `Retrieval`, in the shape, dtype and on the device of the cue.
        """
        like = self._require()
        query = make_query(cue, known, clamp, evidence, like, self.evidences)
        steps = check_integer("steps", steps)
        check_flag("trace", trace)
        if tol is None:
            tol = usual_tolerance(query.dtype)
        tol = check_number("tol", tol, low=0.0)
        with torch.no_grad():
            found = self._solve(query, steps, tol, trace, check_generator(generator))
            return self._shaped(found, self._value(found, query), query)

    def energy(self, state: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """The energy of each state, all entries counting."""
        found = self._energy(self._wide_state(state))
        return fitting("state", found, computing_dtype(state.dtype))

    def update(
        self, state: Float[Tensor, "*batch dim"], *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """One step of the dynamics (one sweep, in binary networks)."""
        wide = self._wide_state(state)
        flat = wide.reshape(-1, wide.shape[-1])
        following = self._next(flat, check_generator(generator))
        return _narrowed("state", following.reshape(state.shape), state.dtype)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Memory":
        """Move the patterns (and floating values) to a device or dtype, and return the memory."""
        if isinstance(device, torch.dtype):
            raise OptionError(
                f"to() takes a device first, but got a dtype. Use to(dtype={device})."
            )
        place = check_place("device", device)
        if dtype is not None:
            check_dtype("dtype", dtype)
            if len(self):
                rows = check_convertible("patterns", self._store.rows, dtype)
                self._check_new(check_norms("patterns", rows), 0)
            if self.values is not None and self.values.is_floating_point():
                check_convertible("values", self.values, dtype)
        self._store.to(place, dtype)
        return self

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the memory to a file that `hopfield.load` reads; atomically, and without pickle."""
        from .io import save

        save(self, path)

    def __len__(self) -> int:
        """How many patterns are stored."""
        return len(self._store)

    @property
    def patterns(self) -> Float[Tensor, "n dim"]:
        """The stored patterns: a view, never write to it."""
        self._require()
        return self._store.rows

    @property
    def values(self) -> Tensor | None:
        """What was stored with the patterns, or None: a view, never write to it."""
        return self._store.values

    def __repr__(self) -> str:
        """The class, its parameters and what it holds."""
        given = ", ".join(f"{name}={_say(value)}" for name, value in self._config().items())
        held = "empty"
        if len(self):
            like = self._store.like
            dtype = str(like.dtype).removeprefix("torch.")
            held = f"{len(self)} patterns of {like.shape[-1]} entries, {dtype}"
        return f"{type(self).__name__}({given}) <{held}>"

    @abstractmethod
    def _read(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Describe flat states by the evidence of `known`, and say where they go.

        `held` entries must not change; continuous networks may leave that to the caller.
        """

    @abstractmethod
    def _next(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Where flat states go, all entries counting: what `_read` says, and no more."""

    @abstractmethod
    def _energy(self, state: Tensor) -> Tensor:
        """Energy of states in the computing precision."""

    @abstractmethod
    def _config(self) -> dict[str, Any]:
        """The constructor's arguments: plain values, tensors and separations."""

    @abstractmethod
    def _check_new(self, patterns: Tensor, before: int) -> str | None:
        """Raise if the network cannot store these beside `before` others; what to warn of."""

    @abstractmethod
    def _solve(
        self, query: Query, steps: int, tol: float, trace: bool, generator: torch.Generator
    ) -> Retrieval:
        """Iterate a flat batch."""

    @abstractmethod
    def _check_state(self, name: str, state: Tensor) -> Tensor:
        """Return the state if the network is defined on it."""

    @property
    @abstractmethod
    def _weighing(self) -> tuple[Similarity, Separation] | None:
        """What weighs float values; None where the network has no weights that sum to one."""

    def _blocks(self, state: Tensor, copied: bool = True) -> Iterable[readout.ValuedBlock]:
        """Blocks for so many states; `copied` where reading them makes copies of their rows."""
        return self._store.blocks(readout.block_rows(state.numel() // state.shape[-1], copied))

    def _require(self) -> Tensor:
        """An empty tensor like the stored rows, if there are any."""
        if not len(self._store):
            raise EmptyMemoryError(
                "this needs at least one pattern, but the memory is empty. "
                "Call store(patterns) first."
            )
        return self._store.like

    def _wide_state(self, state: object) -> Tensor:
        """A checked state in the computing precision; differentiable."""
        like = self._require()
        checked = check_dim("state", check_float("state", state), like.shape[-1])
        check_device("state", checked, like.device)
        wide = checked.to(computing_dtype(checked.dtype, like.dtype))
        return self._check_state("state", check_finite_norms("state", wide))

    def _iterate(
        self,
        query: Query,
        generator: torch.Generator,
        *,
        once: bool = False,
        last: Callable[[Tensor], Reading] | None = None,
        **options: Any,
    ) -> Retrieval:
        """`iterate` with `_read` under the query's masks.

        `once`: a second read says the same. `last`: describes states after the last step, which
        need not be read where none can settle.
        """
        both = query.evidence == "all"
        first: list[Reading] = []

        def read(state: Tensor, active: Tensor, step: int) -> Reading:
            if once and step:
                return first[0].at(active, state)
            if last is not None and step == options["steps"]:
                return last(state)
            known, held = query.known_of(active), query.held_of(active)
            counted = known if not both or step == 0 else None
            reading = self._read(state, counted, held, generator)
            following = reading.next
            if both and step == 0:  # one read by known entries, but energies of all
                reading = self._read(state, None, held, generator)
            if held is not None:
                following = torch.where(held, state, following)
            if following is not reading.next:
                reading = replace(reading, next=following)
            if reading.energy is None and options["trace"]:
                reading = replace(reading, energy=self._energy(state))
            first[:] = [reading] if once else []
            return reading

        return iterate(read, query.state, earliest=int(both), **options)

    def _value(self, found: Retrieval, query: Query) -> Tensor | None:
        values = self._store.values
        if values is None:
            return None
        if self._weighing is None or not values.is_floating_point():
            return values[found.index]
        similarity, separation = self._weighing
        known = query.known if found.objective == "known" else None
        blocks = [readout.Values(block) for block in self._blocks(found.state)]
        flat = readout.read(blocks, found.state, similarity, separation, known).state
        return flat.reshape(len(flat), *values.shape[1:]).to(values.dtype)

    def _shaped(self, found: Retrieval, value: Tensor | None, query: Query) -> Retrieval:
        """The flat results, and values, in the cue's batch shape and dtype."""
        wide = computing_dtype(query.dtype)

        def shaped(flat: Tensor) -> Tensor:
            batch = query.batch
            return flat if len(batch) == 1 else flat.reshape(batch + flat.shape[1:])

        trace, state = found.trace, _narrowed("cue", shaped(found.state), query.dtype)
        if trace is not None:
            trace = fitting("cue", trace.reshape(len(trace), *query.batch), wide)
        return Retrieval(
            state=state,
            steps=shaped(found.steps),
            converged=shaped(found.converged),
            energy=fitting("cue", shaped(found.energy), wide),
            index=shaped(found.index),
            weight=shaped(found.weight).to(wide),
            entropy=None if found.entropy is None else shaped(found.entropy).to(wide),
            value=None if value is None else shaped(value),
            objective=found.objective,
            trace=trace,
            bound=None if found.bound is None else found.bound.shaped(state, wide),
        )

    def _check(self, patterns: Tensor, values: object) -> str | None:
        """Raise unless these can be stored; return what to warn of."""
        count = len(self._store)
        check_patterns("patterns", patterns, self._store.like.shape[-1] if count else None)
        check_norms("patterns", patterns)
        if count:
            self._check_like("patterns", patterns, self._store.like)
        self._check_values(patterns, values)
        return self._check_new(patterns, count)

    def _check_values(self, patterns: Tensor, values: object) -> None:
        """Raise unless `values` fit the patterns, and what has been stored before."""
        before = self._store.values if len(self._store) else None
        if len(self._store) and (before is None) != (values is None):
            here, way = "values, earlier ones brought none", "Leave them out"
            if values is None:
                here, way = "no values, earlier ones brought some", "Give values= here too"
            raise OptionError(
                f"values must come with every store or with none, but this call brings {here}. "
                f"{way}, or begin a new memory."
            )
        if values is None:
            return
        values = check_dense("values", values)
        if values.ndim == 0 or len(values) != len(patterns):
            turned = values.ndim == 2 and values.shape[1] == len(patterns)
            raise ShapeError(
                f"values must have one row a pattern, {len(patterns)}, but have shape "
                f"{tuple(values.shape)}. "
                + ("Did you mean values.T?" if turned else "Give each pattern its own.")
            )
        check_device("values", values, patterns.device)
        if values.is_floating_point():
            check_tensor("values", values)
        if before is not None:
            self._check_like("values", values, before)
            if values.shape[1:] != before.shape[1:]:
                shape = "".join(f", {size}" for size in before.shape[1:]) or ","
                raise ShapeError(
                    f"values must have shape (n{shape}) as before, but have shape "
                    f"{tuple(values.shape)}. Give all patterns values of one shape."
                )

    @staticmethod
    def _check_like(name: str, new: Tensor, old: Tensor) -> None:
        check_device(name, new, old.device)
        if new.dtype != old.dtype:
            raise InputTypeError(
                f"{name} must be {old.dtype} like those stored before, but are {new.dtype}. "
                f"Use {name}.to({old.dtype})."
            )


def _narrowed(name: str, state: Tensor, dtype: torch.dtype) -> Tensor:
    """A state in its dtype: no larger than the patterns, so that only narrowing can lose it."""
    return state if state.dtype == dtype else fitting(name, state, dtype)


def _say(value: object) -> str:
    if isinstance(value, Tensor):
        return f"<tensor of shape {tuple(value.shape)}>"
    return repr(value)
