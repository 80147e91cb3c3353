"""Search for the settings that complete rows which are not stored: each row is left out."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import DomainError
from ..leave_one_out import beta_limits, left_out_losses
from .search import DamagedPatterns, Search
from .tuning_result import CompletionPoint, Setting, Tuning, best_of

RANGE_CUES = 64
"""Number of cues whose scores set the range of β."""


class CompletionSearch(Search[CompletionPoint]):
    """Search for the settings with the least error at hidden entries, the own row left out."""

    def points(
        self, settings: Sequence[Setting], betas: dict[str, list[float]], damaged: DamagedPatterns
    ) -> list[CompletionPoint]:
        """Return the errors of one read."""
        tried = [(setting, beta) for setting in settings for beta in betas[setting[0]]]
        squares = torch.cat([self._squares(each, betas[each[0]], damaged) for each in settings])
        hidden = self._hidden(damaged).sum(-1)
        errors = [root_mean_square(each, hidden) for each in squares]
        best = min(range(len(tried)), key=lambda i: errors[i][0])
        least, points = errors[best][0], []
        for place, (error, error_se), sums in zip(tried, errors, squares, strict=True):
            # a² − b² = (a − b)(a + b), for the paired difference of two roots.
            difference_se = _ratio(sums - squares[best], hidden)[1]
            deficit_se = difference_se / max(error + least, math.ulp(0))
            points.append(CompletionPoint(*place, error - least, deficit_se, error, error_se))
        return points

    def beta_range(self, similarity: str, damaged: DamagedPatterns) -> tuple[float, float]:
        """Return the range between nearly equal weights and the nearest row alone."""
        return beta_limits(self.scores(similarity, damaged[:RANGE_CUES]))

    def choose(
        self, curve: list[CompletionPoint], damaged: DamagedPatterns, held_back: DamagedPatterns
    ) -> Tuning:
        """Choose the β of least error, and measure it on the cues held back."""
        setting = curve[0].setting
        beta = best_of(curve, setting).beta
        hidden = self._hidden(held_back)
        error, error_se = root_mean_square(
            self._squares(setting, [beta], held_back)[0], hidden.sum(-1)
        )
        rows = self.block.rows.double()
        mean = (rows.sum(0) - rows[held_back.indices]) / (len(rows) - 1)
        away = (hidden * (mean - rows[held_back.indices]).square()).sum(-1)
        return Tuning(
            "completion", self.rows, *self.scoring(setting, beta), tuple(curve), len(hidden),
            error=error, error_se=error_se, mean_error=root_mean_square(away, hidden.sum(-1))[0],
        )  # fmt: skip

    def _squares(
        self, setting: Setting, betas: Sequence[float], damaged: DamagedPatterns
    ) -> Float[Tensor, "betas cues"]:
        """Sum of squared errors at the hidden entries of each cue."""
        hidden, rows = self._hidden(damaged), self.block.rows

        def loss(predicted: Tensor, place: Tensor) -> Tensor:
            error = predicted - rows[damaged.indices[place]]
            return (hidden[place] * error.double().square()).sum(-1)

        separations = [self.scoring(setting, beta)[1] for beta in betas]
        return left_out_losses(self.scores(setting[0], damaged), separations, rows, loss)

    def _hidden(self, damaged: DamagedPatterns) -> Float[Tensor, "cues dim"]:
        """1 for each entry that is not known; without a mask, for all."""
        known = damaged.cue.known
        if known is None:
            return torch.ones_like(damaged.cue.state, dtype=torch.float64)
        if bool(known.all()):
            raise DomainError(
                "corrupt must hide entries, or return cues without a mask, but all entries are "
                "known. Choose a larger amount."
            )
        return (~known).double()


def root_mean_square(sums: Tensor, counts: Tensor) -> tuple[float, float]:
    """Return the square root of Σ sums / Σ counts, and its standard error."""
    mean, error = _ratio(sums, counts)
    root = math.sqrt(mean)
    return root, error / max(2 * root, math.ulp(0))


def _ratio(sums: Tensor, counts: Tensor) -> tuple[float, float]:
    # The ratio of two means, and its standard error to first order.
    ratio = float(sums.sum() / counts.sum())
    residual = (sums - ratio * counts) / counts.mean()
    return ratio, float(residual.std()) / math.sqrt(len(sums))
