"""Networks of one coupling W, which patterns decide by a rule, or which is given.

Binary units and graded ones have this in common: W with or without its diagonal, thresholds b, and
the field h = Wx − b.
"""

from dataclasses import replace
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor

from ..checks import check_flag, check_norms, check_tensor
from ..coupling import Coupling, FullCoupling, check_square, check_symmetric, check_thresholds
from ..errors import OptionError, ShapeError
from ..inputs import Given, check_labels, numbers_from
from ..rules import GROWING, WEIGHTED, Rule, grown, with_rounding_slack
from ..rules.functions import Learned
from ..stores import Block, Store
from .contents import Contents
from .learning import learn
from .options import check_convertible
from .query import check_state, given_state

GIVEN = "given"
"""The `rule` of a network whose coupling was given."""


class Coupled(Contents):
    """The part of a memory that has a coupling; the class that inherits it sets the attributes.

    Attributes:
        rule: the learning rule, "given" without one.
        diagonal: whether W_ii belongs to W.
    """

    rule: Rule
    diagonal: bool
    _given_thresholds: Tensor | None
    _derived: dict[str, Any]

    @classmethod
    def from_coupling(
        cls,
        coupling: Given,
        thresholds: Given | None = None,
        *,
        symmetric: bool = True,
        **options: Any,
    ) -> Self:
        """Make a network of a given coupling, which has no patterns and takes none.

        Args:
            coupling: W, `(dim, dim)`: W_ij is the weight of unit j in the field of unit i. A
                floating point tensor, or an array, list or DataFrame. With `diagonal=False`, the
                default, W_ii counts as 0.
            thresholds: b, `(dim,)`; None is 0.
            symmetric: W = Wᵀ is checked, up to rounding, and the network has an energy. False
                allows any W: there is no energy, and synchronous updates may end in long cycles.
            options: other arguments of the constructor, such as `schedule` and `temperature`.

        Raises:
            ShapeError, InputTypeError, DeviceError, DomainError, OptionError: saying what was
                expected.
        """
        for name in ("rule", "store"):
            if name in options:
                raise OptionError(f"{name} must be left out, because the coupling is given.")
        check_labels("coupling", coupling, thresholds)
        weights = check_norms(
            "coupling", check_square("coupling", numbers_from("coupling", coupling))
        )
        if check_flag("symmetric", symmetric):
            check_symmetric("coupling", weights)
        bias = checked_thresholds(thresholds, weights)
        memory = cls(**{**options, "thresholds": bias})
        memory.rule, memory.storage = GIVEN, GivenCoupling(weights, symmetric)
        return memory

    @property
    def constructor(self) -> str:
        """Return "from_coupling" for a network of a given coupling."""
        return "__init__" if self.storage.holds_patterns else "from_coupling"

    @property
    def takes_prior(self) -> bool:
        """Return True for rules that are sums over patterns."""
        return isinstance(self.rule, str) and self.rule in WEIGHTED

    @property
    def why_no_energy(self) -> str:
        """Return the reason: the coupling was declared not symmetric."""
        return ": its coupling was declared not symmetric"

    @property
    def thresholds(self) -> Tensor | None:
        """b, `(dim,)`: those that were given, else those that the rule learns; None is 0."""
        if self._given_thresholds is not None or not len(self):
            return self._given_thresholds
        with self.storage.lock.reading:
            return self._learned().thresholds

    @thresholds.setter
    def thresholds(self, thresholds: Tensor | None) -> None:
        self._given_thresholds = thresholds

    @property
    def coupling(self) -> Tensor:
        """W, `(dim, dim)`, built at each access."""
        with self.storage.lock.reading:
            self._require_network()
            return self._coupling().matrix()

    def field(self, state: Tensor) -> Tensor:
        """h = Wx − b, the field on each unit, without the part of W that updates leave out."""
        with self.storage.lock.reading:
            self._require_network()
            state, shape = given_state("state", state, self.storage, self.binary)
            exact, coupling = check_state(state, self.storage, self.binary), self._acting_coupling()
        exact = exact.to(torch.promote_types(exact.dtype, coupling.dtype))
        field, bias = coupling.field_from(coupling.products(exact), exact), self._bias(exact)
        field = field if bias is None else field - bias
        return field.reshape(shape or field.shape)

    def check_new(self, patterns: Tensor, before: int) -> None:
        """Raise unless there is one threshold per unit."""
        if self._given_thresholds is not None and len(self._given_thresholds) != patterns.shape[-1]:
            raise ShapeError(
                f"patterns must have {len(self._given_thresholds)} entries, one per threshold, "
                f"but have shape {tuple(patterns.shape)}."
            )

    def _learning(self) -> dict[str, Any]:
        # The part of `config` that decides the coupling.
        if self.storage.holds_patterns:
            return {"rule": self.rule}
        given = cast(GivenCoupling, self.storage)
        return {"coupling": given.weights, "symmetric": given.is_symmetric}

    def _acting_coupling(self) -> Coupling:
        """Return the coupling that moves the units; by default all of W."""
        return self._coupling()

    def _coupling(self) -> Coupling:
        return self._learned().coupling

    def _learned(self) -> Learned:
        # W and b of what is stored now, grown from an earlier W where the rule allows.
        epoch, count, storage = self.storage.epoch, len(self), self.storage
        old: tuple[int, int, Learned] | None = self._derived.get("coupling")
        if old is not None and old[:2] == (epoch, count):
            return old[2]
        may_grow = old is not None and old[0] == epoch and self.rule in GROWING
        with torch.inference_mode(False):  # it is used outside as well
            if isinstance(storage, GivenCoupling):
                learned = Learned(storage.coupling(self.diagonal, self._given_thresholds))
            elif old is not None and may_grow and storage.resident and storage.prior is None:
                rule, rows = cast(str, self.rule), storage.rows
                learned = Learned(grown(rule, old[2].coupling, rows, old[1], self.diagonal))
            else:
                learned = learn(self.rule, storage, self.diagonal)
        self._derived["coupling"] = (epoch, count, learned)
        return learned

    def _bias(self, state: Tensor) -> Tensor | None:
        given = self._given_thresholds
        thresholds = self._learned().thresholds if given is None else given
        return None if thresholds is None else thresholds.to(state)


def checked_thresholds(thresholds: object, weights: Tensor | None = None) -> Tensor | None:
    """Return a copy of thresholds of one axis, which fit W if it is known."""
    if thresholds is None:
        return None
    dtype = torch.float32 if weights is None else weights.dtype
    bias = check_tensor("thresholds", numbers_from("thresholds", thresholds, dtype))
    if weights is not None:
        check_thresholds(bias, weights)
    elif bias.ndim != 1:
        shape = tuple(bias.shape)
        raise ShapeError(f"thresholds must have shape (dim,), one per unit, but have {shape}.")
    with torch.inference_mode(False):  # they are used outside as well
        return check_norms("thresholds", bias).detach().clone()


class GivenCoupling(Store):
    """The store of a network whose coupling was given: it has no rows, and W instead.

    Attributes:
        weights: W, `(dim, dim)`.
        is_symmetric: whether W = Wᵀ, up to rounding.
    """

    resident: ClassVar[bool] = True
    holds_patterns: ClassVar[bool] = False

    def __init__(self, weights: Tensor, is_symmetric: bool) -> None:
        """Keep a copy of the weights."""
        self.is_symmetric, self.values = is_symmetric, None
        with torch.inference_mode(False):
            self._set(weights.detach().clone(memory_format=torch.contiguous_format))

    def _set(self, weights: Tensor) -> None:
        self.weights, self.rows = weights, weights.new_empty(0, len(weights))
        self.dim, self.dtype, self.device = len(weights), weights.dtype, weights.device

    def coupling(self, diagonal: bool, thresholds: Tensor | None) -> FullCoupling:
        """Return W, of which fields h = Wx − b count as 0 up to their rounding."""
        weights = self.weights.to(torch.promote_types(self.dtype, torch.float32))
        if self.is_symmetric:
            weights = (weights + weights.T) / 2
        if not diagonal:
            weights = weights.clone().fill_diagonal_(0)
        coupling = with_rounding_slack(weights, self.is_symmetric)
        if thresholds is None or not coupling.slack:
            return coupling
        extra = 8 * torch.finfo(weights.dtype).eps * float(thresholds.abs().max())
        return replace(coupling, slack=coupling.slack + extra)

    def append(self, rows: Tensor, values: Tensor | None = None) -> None:
        """Refuse the rows."""
        raise OptionError("a network of a given coupling takes no patterns.")

    def remove(self, indices: Tensor) -> None:
        """Remove nothing: there are no rows."""

    def take(self, indices: Tensor) -> Tensor:
        """Return the rows at `indices`, of which there are none."""
        return self.rows[indices]

    def blocks(self, size: int) -> list[Block]:
        """Return no blocks."""
        return []

    def __len__(self) -> int:
        """Return 0, the number of rows."""
        return 0

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "GivenCoupling":
        """Move the weights, and return self."""
        with torch.inference_mode(False):
            weights = check_convertible("coupling", self.weights, dtype or self.dtype)
            self._set(weights.to(device))
        return self
