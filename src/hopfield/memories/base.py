"""The base class of memories: a network defines three methods, and inherits the others."""

from collections.abc import Iterable
from os import PathLike
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..checks import (
    check_choice,
    check_dtype,
    check_generator,
    check_integer,
    check_number,
)
from ..cue import Cue
from ..errors import OptionError
from ..inputs import Given
from ..iteration import TOLERANCE, Reading, Retrieval, Trace
from ..overrides import check_overrides
from ..readout import ValuedBlock
from ..stores import RamStore
from ..stores.sending import move_when_unread
from .answer import VALUES_AT, answer
from .arguments import check_keywords, named_arguments
from .calibrating import CalibratedMemory, add_p_values, keep_calibration, without_recipe
from .contents import Contents
from .duplicates import MOST_PAIRS, NEAR_DUPLICATE, Duplicates, find_duplicates
from .hooks import energies, read_step, value_weights_of
from .nearest import Nearest, nearest
from .network import Network
from .options import (
    blocks_of,
    check_place,
    check_trace,
    float_dtype,
    resolve_unknown_units,
)
from .query import (
    cast_checked,
    check_binary_cue,
    check_bounded,
    check_state,
    computing_dtype,
    given_state,
    make_query,
)
from .run import run
from .sending import move_to_shared_memory
from .storing import check_conversion
from .text import memory_text

MEMORIES: dict[str, type["Memory"]] = {}
"""Every memory class by name, as files name them."""


class Memory(CalibratedMemory, Contents):
    """An associative memory: store patterns, retrieve them from damaged cues, read the energy.

    A pattern is a row: patterns `(n, dim)`, cues and states `(*batch, dim)`. Each query of a batch
    stands alone. Patterns are copied; cues are never modified. Threads may share a memory: `store`
    and `remove` wait for the queries that are running.

    To write your own network, define `step`, `energy_of` and `config`, and override the properties
    of `Network` that differ from their defaults. Its patterns are in `self.storage`, a `Store`.
    """

    metadata: dict[str, Any]
    """Facts of your own, such as the size of pictures; `save` writes them, as JSON."""

    _derived: dict[str, Any]

    def __new__(cls, *args: object, **kwargs: object) -> "Memory":
        """Create a memory with an empty store, for constructors that set none."""
        check_keywords(cls, "__init__", kwargs)
        memory = object.__new__(cls)
        memory.storage, memory.metadata, memory._derived = RamStore(), {}, {}
        memory._calibrated = None
        return memory

    def __init_subclass__(cls) -> None:
        """Check the methods of the class, and register it, so that `hopfield.load` finds it."""
        check_overrides(cls, Network)
        MEMORIES.setdefault(cls.__name__, cls)
        move_when_unread(cls, lambda memory: memory.storage.lock, move_to_shared_memory)

    def describe(self, state: Tensor) -> Reading:
        """Return a `Reading` that describes these states; the default makes a step."""
        return read_step(self, state, None, None, check_generator(None))

    def next_state(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Return the next states, with all entries known; the default makes a step."""
        return read_step(self, state, None, None, generator).next

    @named_arguments
    def retrieve(  # noqa: PLR0913 options of one read, named in every call
        self,
        cue: Given | Cue,
        known: Given | None = None,
        *,
        clamp: bool | None = None,
        evidence: str = "known",
        steps: int = 100,
        tol: float | None = None,
        trace: Trace = False,
        values_at: str = "cue",
        generator: torch.Generator | None = None,
    ) -> Retrieval:
        """Iterate from a damaged or partial cue until it settles.

        Args:
            cue: `(*batch, dim)`; a floating point tensor, or an array, list, DataFrame or pictures,
                as `data.from_array` says. A `Cue` has a mask.
            known: None for a damaged cue: every entry counts, and may change. For a partial cue, a
                bool mask broadcastable to it: only known entries count.
            clamp: hold known entries at the cue; by default True if `known` is given, False in a
                network of sequences.
            evidence: "known": only known entries count at every read. "all" (continuous networks):
                only known entries count at the first read, and all entries from then on.
            steps: the most reads or sweeps; thermal dynamics makes exactly as many.
            tol: settled means that no entry changes by more than `tol` times its spread over the
                patterns, or times the width β^(−½) of the weights, up to rounding; default 1e-4.
                Binary networks settle when a whole sweep changes nothing.
            trace: keep the energies of all steps; "states" keeps the states of all steps too.
            values_at: float values are averaged by the weights at the "cue", as attention averages
                them, or at the final "state". Other values are those of `Retrieval.index`.
            generator: source of random orders and thermal noise; None is a fresh one, seed 0.

        Returns:
            A `Retrieval`, in the shape, dtype and on the device of the cue.
        """
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            self._require_network()
            weights = value_weights_of(self)
            clamp = False if clamp is None and self.moves_on else clamp
            query = make_query(cue, known, clamp, evidence, self.storage, self.binary, weights)
            if type(steps) is not int or steps < 0:
                steps = check_integer("steps", steps)
            check_trace(trace)
            check_choice("values_at", values_at, VALUES_AT)
            tol = TOLERANCE if tol is None else check_number("tol", tol, low=0.0)
            if self.bounded:
                check_bounded("cue", query.state)
            is_complete = not self.binary or check_binary_cue(query)
            outcome = run(self, query, steps, tol, trace, check_generator(generator))
            if not is_complete:
                outcome = resolve_unknown_units(outcome, self.describe)
            return add_p_values(self, answer(self, outcome, query, values_at), query)

    @named_arguments
    def nearest(
        self, cue: Given | Cue, k: int, known: Given | None = None, *, weights: bool = True
    ) -> Nearest:
        """Return the k patterns that score best at the cue, without a step of the dynamics.

        Args:
            cue: as in `retrieve`.
            k: patterns per query, at most as many as are stored.
            known: bool mask broadcastable to the cue; only known entries count.
            weights: whether to compute the weights too, for which all patterns are read.

        Returns:
            A `Nearest`: `index`, `name`, `score` and `weight`, each `(*batch, k)`, best first. It
            is that of all scores in float64; patterns of equal score follow in storage order.
        """
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            self._require_patterns("nearest")
            return nearest(self, cue, k, known, weights)

    @named_arguments
    def duplicates(
        self, threshold: float = NEAR_DUPLICATE, *, most: int = MOST_PAIRS
    ) -> Duplicates:
        """Return the pairs of patterns that are equal or nearly so, the nearest pair first.

        A pair is as near as `threshold` times the median distance of a pattern to the nearest other
        one, so that the unit of the patterns does not matter. A copy is paired only with the first
        of its kind, and near-duplicates only with first ones. Takes O(n²·dim) time.

        Args:
            threshold: the largest distance of a pair, over that median; 0 for equal patterns only.
                Where most patterns have a near-duplicate, the median is theirs: try 2.
            most: the number of pairs that are listed; all are counted.
        """
        with self.storage.lock.reading, torch.set_grad_enabled(False):
            self._require_patterns("duplicates")
            return find_duplicates(self.storage, threshold, most)

    @named_arguments
    def energy(self, state: Given) -> Float[Tensor, "*batch"]:
        """Return the energy of each state, over all entries.

        Raises:
            OptionError: if the network has no energy.
        """
        with self.storage.lock.reading:
            self._require_network()
            state, _ = given_state("state", state, self.storage, self.binary)
            states = check_state(state, self.storage, self.binary, value_weights_of(self))
            if self.bounded:
                check_bounded("state", states)
            energy = energies(self, states.reshape(-1, states.shape[-1]))
        if energy is None:
            raise OptionError(f"{type(self).__name__} has no energy{self.why_no_energy}.")
        return cast_checked(
            "state", energy.reshape(states.shape[:-1]), computing_dtype(state.dtype)
        )

    @named_arguments
    def update(
        self, state: Given, *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """Make one step of the dynamics (one sweep, in binary networks)."""
        with self.storage.lock.reading:
            self._require_network()
            state, shape = given_state("state", state, self.storage, self.binary)
            states = check_state(state, self.storage, self.binary, value_weights_of(self))
            if self.bounded:
                check_bounded("state", states)
            flat = states.reshape(-1, states.shape[-1])
            flat = flat.detach() if self.binary else flat
            following = self.next_state(flat, check_generator(generator)).reshape(
                shape or states.shape
            )
        if following.dtype == state.dtype:
            return following
        return cast_checked("state", following, state.dtype)

    @named_arguments
    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Memory":
        """Move the patterns (and floating values) to a device or dtype, and return the memory."""
        named = float_dtype(device)
        if isinstance(device, torch.dtype) or named is not None:
            own = check_dtype("dtype", device if named is None else named)
            raise OptionError(f"to() takes a device first, but got a dtype. Use to(dtype={own}).")
        place = check_place("device", device)
        with self.storage.lock.writing:
            if dtype is not None:
                check_conversion(self, check_dtype("dtype", dtype))
            version = self.storage.version
            self.storage.to(place, dtype)
            keep_calibration(self, version, dtype)
        return self

    @named_arguments
    def save(self, path: "str | PathLike[str]") -> None:
        """Write the memory to a file that `hopfield.load` reads; atomically, and without pickle.

        A path that ends in .lance is a table on disk, see `DiskStore`. Into the table of its own
        rows, a memory writes how it answers: network, metadata and calibration.
        """
        from .io import save

        save(self, path)

    def __repr__(self) -> str:
        """Return the class, its parameters and the size of its store."""
        return memory_text(self)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle everything but results computed from the patterns."""
        return vars(self) | {"_derived": {}, "_calibrated": without_recipe(self._calibrated)}

    def _blocks(self, states: int) -> Iterable[ValuedBlock]:
        return blocks_of(self.storage, states)
