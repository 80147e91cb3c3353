"""Rules by name, and the coupling that a name or a function learns."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from ..checks import check_choice, check_flag, check_patterns, short_repr
from ..coupling import Coupling, FullCoupling, LowRankCoupling
from ..errors import InputTypeError
from ..separation.prior import check_prior
from .functions import Function, learned_by
from .perceptron import Perceptron
from .precision import upcast, with_rounding_slack
from .projection import projection
from .storkey import storkey
from .sums import covariance_coupling, hebbian_coupling

Rule = str | Function
"""A learning rule: its name, or a function."""


LOW_RANK: dict[str, Callable[[Tensor, bool], LowRankCoupling]] = {
    "hebbian": hebbian_coupling,
    "covariance": covariance_coupling,
    "pseudo_inverse": projection,
}
WEIGHTED: dict[str, Callable[[Tensor, bool, Tensor], LowRankCoupling]] = {
    "hebbian": hebbian_coupling,
    "covariance": covariance_coupling,
}
"""The rules that are sums over patterns: these can count a pattern w times."""

FUNCTIONS: dict[str, Function] = {"perceptron": Perceptron()}
"""The rules that are objects, which other arguments change."""

OBJECTS: dict[str, type] = {kind.__name__: kind for kind in (Perceptron,)}
"""The classes of rules with arguments, by the name that files have."""

RULES = (*LOW_RANK, "storkey", *FUNCTIONS)
"""Every learning rule by name."""

GROWING = ("hebbian", "pseudo_inverse", "storkey")
"""The rules that continue from the coupling of earlier patterns."""


def coupling(
    rule: str,
    patterns: Float[Tensor, "n dim"],
    diagonal: bool,
    prior: Float[Tensor, " n"] | None = None,
) -> Coupling:
    """Return the coupling of `patterns` by `rule`: low rank below dim/2, else W.

    Rules that are sums over patterns, `WEIGHTED`, take a prior w > 0 of each.
    """
    check_patterns("patterns", patterns)
    check_flag("diagonal", diagonal)
    if prior is not None:
        check_choice("rule of patterns with priors", rule, WEIGHTED)
        prior = check_prior(prior, len(patterns), patterns.device)
        return _cheapest(WEIGHTED[rule](upcast(patterns), diagonal, prior))
    if check_choice("rule", rule, RULES) == "storkey":
        return with_rounding_slack(storkey(patterns, diagonal))
    if rule in FUNCTIONS:
        return learned_by(FUNCTIONS[rule], patterns, diagonal).coupling
    return _cheapest(LOW_RANK[rule](upcast(patterns), diagonal))


def grown(
    rule: str, old: Coupling, patterns: Float[Tensor, "n dim"], learned: int, diagonal: bool
) -> Coupling:
    """Return the coupling of all `patterns`, from that of the first `learned` if possible."""
    added = upcast(patterns)[learned:]
    if rule == "storkey" and isinstance(old, FullCoupling):
        return with_rounding_slack(storkey(added, diagonal, start=old.entries))
    if rule == "hebbian" and isinstance(old, FullCoupling) and old.entries.dtype == added.dtype:
        new = hebbian_coupling(added, diagonal)
        return FullCoupling(old.entries + new.unscaled(), old.scale)
    if rule == "pseudo_inverse" and isinstance(old, LowRankCoupling):
        return _cheapest(projection(added, diagonal, basis=old.right))
    return coupling(rule, patterns, diagonal)


def check_rule(rule: object, hint: str = "") -> Rule:
    """Return `rule` if it is a name or a function of patterns; `hint` is added to the error."""
    if isinstance(rule, type):
        raise InputTypeError(
            f"rule must be a name or a function, but is {short_repr(rule)}. "
            f"Use rule={rule.__name__}()."
        )
    if not callable(rule):
        is_matrix = len(getattr(rule, "shape", ())) == 2 or isinstance(rule, list)
        hint = " A matrix W goes to from_coupling(W), patterns to store." if is_matrix else hint
        return check_choice("rule", rule, RULES, hint=hint)
    check_flag("rule.symmetric", getattr(rule, "symmetric", True))
    return rule


def _cheapest(low_rank: LowRankCoupling) -> Coupling:
    if 2 * len(low_rank.right) < low_rank.right.shape[-1]:
        return low_rank
    return FullCoupling(low_rank.unscaled(), low_rank.scale, low_rank.slack)
