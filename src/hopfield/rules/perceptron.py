"""Perceptron learning of a coupling: each unit learns its entry from those of the others."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..checks import check_flag, check_integer, check_number, check_patterns, has_only_signs
from ..errors import CapacityWarning, DomainError, OptionError, warn_caller
from ..theory import perceptron_load
from .precision import EXACT_INTEGERS


@dataclass(frozen=True)
class Perceptron:
    """Perceptron learning: x_μi h_μi > κ‖W_i‖ for every unit i of every pattern x_μ, W_ii = 0.

    A pass adds x_μi x_μj to W_ij for all patterns μ of which unit i has too small a field, from
    W = 0. The passes end, whatever the order of the patterns, if such a W exists: of n random
    patterns as N → ∞ up to n = 2N for κ = 0 (Gardner 1988). With `symmetric`, W_ji grows as W_ij
    does, and the limit is lower: 1.3 N patterns were learned at N = 160.

    W is scaled so that fields x_μi h_μi are about 1 on average, as Hebb's rule gives them.

    Args:
        margin: κ ≥ 0. Larger margins widen the basins and lower the limit.
        symmetric: learn W = Wᵀ, so that the network has an energy.
        passes: the most passes. If they do not suffice, a CapacityWarning says so.
    """

    margin: float = 0.0
    symmetric: bool = False
    passes: int = 1000

    def __new__(cls, *arguments: object, **options: object) -> "Perceptron":
        """Refuse options that it does not have."""
        names = [each.name for each in fields(cls)]
        for name in options:
            if name not in names:
                hint = " κ is margin=." if name in ("kappa", "κ") else ""
                raise OptionError(
                    f"Perceptron takes {', '.join(names)}, but got {name!r:.80}.{hint}"
                )
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_number("margin", self.margin, low=0.0, high=1e6)
        check_flag("symmetric", self.symmetric)
        check_integer("passes", self.passes, low=1)

    def __call__(self, patterns: Float[Tensor, "n dim"]) -> Float[Tensor, "dim dim"]:
        """Return W, in float32 if that holds it exactly, else in float64."""
        rows = check_patterns("patterns", patterns).detach().double()
        if not has_only_signs(rows):
            raise DomainError("patterns must be ±1, but have other entries. Use patterns.sign().")
        entries, failing = self._learn(rows)
        if bool(failing.any()):
            self._warn(failing)
        # A power of two, so that W holds the digits of whole numbers: ties are exact.
        mean = float(((rows @ entries.T) * rows).mean())
        scale = 2.0 ** -round(torch.tensor(max(mean, 1.0)).log2().item())
        is_short = float(entries.abs().sum(-1).max()) < EXACT_INTEGERS[torch.float32]
        dtype = torch.promote_types(patterns.dtype, torch.float32)
        return (scale * entries).to(dtype if is_short else torch.float64)

    def _learn(self, rows: Tensor) -> tuple[Tensor, Bool[Tensor, "n dim"]]:
        # Returns W in whole numbers, and the units of each pattern whose fields are too small.
        every = torch.arange(rows.shape[-1], device=rows.device)
        entries, failing = rows.new_zeros(len(every), len(every)), torch.ones_like(rows).bool()
        units = every
        for _ in range(self.passes):
            growth = (failing[:, units] * rows[:, units]).T @ rows
            growth[every[: len(units)], units] = 0
            entries[units] += growth
            if self.symmetric:
                entries[:, units] += growth.T
            changed = every if self.symmetric else units
            aligned = rows @ entries[changed].T * rows[:, changed]
            failing[:, changed] = aligned <= self.margin * entries[changed].norm(dim=-1)
            units = failing.any(0).nonzero().squeeze(-1)
            if not len(units):
                break
        return entries, failing

    def _warn(self, failing: Tensor) -> None:
        lost, units = int(failing.any(-1).sum()), int(failing.any(0).sum())
        limit = "1.3·N at margin 0, fewer at larger ones"
        if not self.symmetric:
            limit = f"{perceptron_load(self.margin):.2g}·N at this margin"
        warn_caller(
            f"{self} did not learn all patterns in {self.passes} passes: {units} of "
            f"{failing.shape[-1]} units have too small a field in {lost} of {len(failing)} "
            f"patterns. Use more passes or a smaller margin. Random patterns can be learned up to "
            f"about n = {limit}; of similar ones, fewer.",
            CapacityWarning,
        )
