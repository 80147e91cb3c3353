"""The part of a memory that a network defines: three methods, and properties with defaults."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..iteration import Reading, StoppingRule
from ..separation import Separation
from ..similarity import Similarity, dot, euclidean
from ..stores import Store


class Network(ABC):
    """The methods and properties in which one memory differs from another."""

    binary: ClassVar[bool] = False
    """True if patterns and states are ±1, with 0 for unknown units."""

    bounded: ClassVar[bool] = False
    """True if patterns are ±1, and states lie between: a unit counts once it has been updated."""

    one_read_completes: ClassVar[bool] = False
    """True if one read settles every query whose known entries are held and alone determine it."""

    moves_on: ClassVar[bool] = False
    """True if a stored pattern leads to another one. `retrieve` then does not hold known entries
    unless `clamp=True`, and `diagnose` refuses: patterns are no fixed points."""

    storage: Store
    """The patterns; a `RamStore` unless the constructor sets another."""

    @abstractmethod
    def step(
        self,
        state: Float[Tensor, "batch dim"],
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Make one step from a flat batch of states; the `Reading` also describes these states.

        Args:
            state: `(batch, dim)`, in float32 at least: never write to it.
            known: mask of the entries that count, `(dim,)` or `(batch, dim)`; None: all.
            held: mask of the entries that keep their value, `(batch, dim)`, or None. The base class
                restores them after the step; sequential updates must not change them meanwhile.
            generator: the source of random numbers.
        """

    @abstractmethod
    def energy_of(self, state: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"] | None:
        """Return the energies of a flat batch of states; None if the network has no energy."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`: numbers, names, tensors, separations."""

    @property
    def constructor(self) -> str:
        """Return the name of the method that takes the arguments of `config`; by default the class.

        Another one is a classmethod, such as "from_coupling".
        """
        return "__init__"

    @property
    def why_no_energy(self) -> str:
        """Return the end of the sentence that the network has no energy; empty by default."""
        return ""

    def config_text(self) -> dict[str, str]:
        """Return texts in place of arguments, for those that patterns decide; none by default."""
        return {}

    @property
    def settles(self) -> bool:
        """Return True, the default, or False for thermal dynamics, which makes all `steps`."""
        return True

    @property
    def may_cycle(self) -> bool:
        """Return True if a query may end in a cycle, which then stops it; False by default."""
        return False

    @property
    def stores_gaps(self) -> bool:
        """Return True if patterns may have unknown entries; False by default."""
        return False

    @property
    def takes_prior(self) -> bool:
        """Return True if patterns may have a prior, `storage.prior`; False by default."""
        return False

    @property
    def value_weights(self) -> tuple[Similarity, Separation] | None:
        """Return what weighs float values; None, the default: the strongest pattern decides."""
        return None

    @property
    def updates_by_weighted_sum(self) -> bool:
        """Return True, the default, if an update is Xᵀ∇F(s) by the weights of `value_weights`.

        Theorems on fixed points and proved radii apply to such updates only.
        """
        return True

    @property
    def scoring(self) -> tuple[Similarity, Separation | None]:
        """Return what ranks patterns, and what weighs them; by default as for float values."""
        return self.value_weights or (dot if self.binary else euclidean, None)

    def stopping_rule(self, tol: float) -> StoppingRule | None:
        """Return the rule by which queries have settled; None, the default: by changes of entries.

        Changes are compared with the spread over patterns and the width of the weights.
        """
        return None

    @property
    def scans_rows(self) -> bool:
        """Return True if a copy of the rows in 8 bits may find the candidates; False by default."""
        return False

    def check_new(self, patterns: Tensor, before: int) -> None:
        """Raise if the network cannot store the patterns; the default accepts all."""
        return

    def implied_values(self, patterns: Tensor) -> Tensor | None:
        """Return the values of unchecked patterns that come without any; None by default."""
        return None

    def check_new_values(self, patterns: Tensor, values: Tensor | None) -> None:
        """Raise if the network cannot store these values; the default accepts all."""
        return

    def capacity_warning(self, patterns: Tensor, prior: Tensor | None = None) -> str | None:
        """Return a warning if storing these patterns too would lose some; None by default.

        The second argument is given only if these patterns have priors.
        """
        return None
