"""The β that fits the stored patterns: `beta="auto"`.

At pattern x_i, let Δ_iν be the lead of the best score over that of pattern ν. A damaged cue keeps
only a share c of these leads. Softmax then gives the best pattern the weight 1/(1 + ε) if

    Σ_ν w_ν exp(−β c Δ_iν) = ε w_best.

The sum falls as β grows, so every pattern has a least β_i. The β that fits is the 95 % quantile of
the β_i. Data × a have scores × a^degree, and so the β that fits is divided by a^degree.
"""

import math
from functools import partial
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import short_repr
from ..errors import InputTypeError
from ..ranks import join
from ..separation import Separation, with_parameters
from ..similarity import ScoreFunction, Similarity
from ..stores import Store
from .gaps import common_scores
from .options import blocks_of
from .query import computing_dtype

AUTO = "auto"
"""The value of `beta=` that lets the patterns decide."""

LEAD_KEPT = 0.25
"""c: the share of a lead that a cue keeps, as if only a quarter of its entries were known."""
OTHERS = 0.01
"""ε: the weight of all other patterns together, relative to that of the best one."""
QUANTILE = 0.95
"""Share of the patterns whose β_i is reached; more would let few near-duplicates decide for all."""

SAMPLE, LEAST_SAMPLE = 256, 32
"""The most patterns, and the fewest of a large memory, that are compared with all others."""
SAMPLE_SCORES = 2**19
"""Scores up to which more patterns than `LEAST_SAMPLE` are compared."""
OTHER_ROUNDING = 8.0
"""Rounding of other than affine scores, in units of eps and of the largest score."""
MOST_STEPS = 200
"""The most steps of Newton's method, which ends after about ten."""


def is_auto(beta: object, separation: object) -> bool:
    """Return whether the patterns decide β: for "auto", and where nothing is given."""
    if isinstance(beta, str) and beta != AUTO:
        raise InputTypeError(f"beta must be a number or {AUTO!r}, but is {short_repr(beta)}.")
    return isinstance(beta, str) or (beta is None and separation is None)


def fitted_separation(store: Store, similarity: Similarity, separation: Separation) -> Separation:
    """Return the separation with the β that fits the stored patterns, computed once per version."""

    def fit() -> Separation:
        with torch.no_grad():
            beta = fitted_beta(store, similarity, separation)
        return with_parameters(separation, beta=beta)

    return store.cached("fitted separation", fit, similarity, separation)


def fitted_beta(store: Store, similarity: Similarity, separation: Separation) -> float:
    """Return the β that fits; 1 if no score differs by more than rounding."""
    lead, prior = leads(store, similarity, sample_of(store)), store.prior
    weights = torch.ones_like(lead) if prior is None else prior.expand_as(lead)
    best = torch.where(lead == 0, weights, 0.0).sum(-1)
    others = torch.where((lead > 0) & lead.isfinite(), weights, 0.0)
    with_lead = others.sum(-1) > OTHERS * best
    if not bool(with_lead.any()):
        return 1.0
    lead, others, best = lead[with_lead], others[with_lead], best[with_lead]
    least = torch.where(others > 0, lead, torch.inf).amin(-1) * LEAD_KEPT
    sharp = with_parameters(separation, beta=1.0)
    window, width = sharp.score_window(len(store)), sharp.inverse_width() or 1.0
    if window is not None and window * width <= 1:  # scores below the window have no weight
        betas = window / least
    else:
        betas = softmax_betas(LEAD_KEPT * lead, others / best[:, None]) / width
    return float(torch.quantile(betas, QUANTILE))


def softmax_betas(lead: Float[Tensor, "k n"], others: Float[Tensor, "k n"]) -> Float[Tensor, " k"]:
    """Solve Σ_ν v_ν exp(−β Δ_ν) = ε for β; v_ν = 0 leaves a pattern out."""
    # log Σ is convex in β: from β = 0 on, Newton's method approaches the root from below.
    lead = torch.where(others > 0, lead, 0.0)
    unit = lead.amax(-1, keepdim=True)
    lead, log_others = lead / unit, others.log()
    beta = torch.zeros_like(lead[:, :1])
    for _ in range(MOST_STEPS):
        exponent = log_others - beta * lead
        excess = torch.logsumexp(exponent, -1, keepdim=True)
        slope = (torch.exp(exponent - excess) * lead).sum(-1, keepdim=True)
        step = (excess - math.log(OTHERS)) / slope
        beta = (beta + step).clamp_min(0.0)
        if bool((step.abs() <= 1e-13 * beta).all()):
            break
    return (beta / unit)[:, 0]


def sample_of(store: Store) -> Int[Tensor, " k"]:
    """Return indices of the patterns to compare with all others: at equal ranks of a projection.

    The choice depends neither on the order of storage nor on the unit of the data.
    """
    count = len(store)
    size = max(LEAST_SAMPLE, min(SAMPLE, SAMPLE_SCORES // count))
    if count <= size:
        return torch.arange(count, device=store.device)
    source = torch.Generator().manual_seed(0)
    direction = torch.randn(store.dim, generator=source, dtype=torch.float64).to(store.device)
    projections = join(blocks_of(store, 1), lambda block: block.scores(direction[None])[0])
    ranks = (torch.arange(size, device=store.device) + 0.5) * (count / size)
    return projections.argsort(stable=True)[ranks.long()]


def leads(
    store: Store, similarity: Similarity, sample: Int[Tensor, " k"]
) -> Float[Tensor, "distinct n"]:
    """Return Δ of all patterns at the distinct ones of a sample.

    Δ is 0 within rounding, and ∞ for a pattern with gaps that has no entry in common.
    """
    rows, known = store.take(sample).double(), None
    score: ScoreFunction = similarity.function
    if store.has_gaps:
        score = partial(common_scores, similarity)
        masks = cast(Tensor, store.take_known(sample))
        rows, known = torch.cat([rows, masks], -1).unique(dim=0).chunk(2, -1)
        known = known > 0
    else:
        rows = rows.unique(dim=0)
    store.summary()  # first: blocks then carry the norms
    blocks = blocks_of(store, len(sample))
    scores = join(blocks, lambda block: score(block, rows, known).double())
    lead = scores.amax(-1, keepdim=True) - scores
    size = OTHER_ROUNDING * scores.abs().amax(-1, keepdim=True)
    if similarity.is_affine:
        norms = join(blocks, lambda block: block.squares(None).double())
        size = (rows.square().sum(-1, keepdim=True) + norms) / 2
    rounding = torch.finfo(computing_dtype(store.dtype)).eps
    lead = torch.where(lead > rounding * size, lead, 0.0)
    return torch.where(scores > torch.finfo(scores.dtype).min / 16, lead, torch.inf)
