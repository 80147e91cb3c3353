"""The weights of α-entmax, with exact derivatives of any order, and its potential."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import kernels
from ..checks import is_traced, is_transformed
from .prior import multiplicities

ALPHA_RANGE = (1.01, 10.0)
"""Smallest and largest α. Closer to 1, exp(log t/(α−1)) loses its digits; softmax is the limit."""

BLOCK = 2**17
"""Number of scores whose threshold τ is searched at a time.

More do not stay in the cache of a processor.
"""

MOST_STEPS = 60
"""Largest number of Newton's steps. The search converges long before."""

LARGEST_SERIES_D = 1e-8
"""Largest deviation d of a weight n·p from 1 for which potentials are expanded in d.

The relative error of the expansion is d². Above, the exact formula is used.
"""

KERNEL_SECONDS = 2e-9
"""Rough time per score in a kernel, in seconds: it decides the number of threads."""


def tsallis_weights(
    scores: Tensor, alpha: Tensor, beta: Tensor, prior: Tensor | None = None
) -> Tensor:
    """Return α-entmax(βs) over the last axis; α and β have a trailing axis of length 1.

    With a prior w, `(*batch | (), n)`, the weights are those in which pattern μ counts w_μ times.
    """
    n = scores.shape[-1]
    # Not broadcast_shapes, which imports sympy: 0.4 s, 58 MB.
    alpha, beta, first = torch.broadcast_tensors(alpha, beta, scores[..., :1])
    scores = scores.expand(*first.shape[:-1], n)
    prior = None if prior is None else prior.to(scores).expand(scores.shape)
    forward_mode = is_transformed() and not torch.compiler.is_compiling()
    function = _WeightsWithForwardMode if forward_mode else _Weights
    weights: Tensor = function.apply(scores, alpha, beta, prior)
    return weights


class _Weights(torch.autograd.Function):
    """The weights p of α-entmax, with derivatives with respect to scores, α and β.

    p = w[(α − 1)βs − τ]₊^r, with r = 1/(α − 1), τ such that Σp = 1, and w = 1 without priors. Let g
    be the gradient with respect to p, q = p/w, S = w q^(2−α) where p > 0, and ḡ = g − (S·g)/ΣS. The
    gradients are

        ∂/∂s = βSḡ,    ∂/∂β = Σ Sḡs,    ∂/∂α = r(β Σ Sḡs − Σ ḡ p log q)

    (for the last, Correia et al. 2019, appendix B). As functions of p they are differentiable
    again, to any order.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, alpha: Tensor, beta: Tensor, prior: Tensor | None) -> Tensor:
        if prior is not None:
            return _weights_with_prior(scores, alpha, beta, prior)
        return _weights(scores, alpha, beta)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Save p, and the scores if α or β is learned."""
        scores, alpha, beta, prior = inputs
        learned = any(ctx.needs_input_grad[1:])
        ctx.save_for_backward(output, scores if learned else None, alpha, beta, prior)
        ctx.save_for_forward(output, scores, alpha, beta, prior)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_output,) = grad_outputs
        weights, scores, alpha, beta, prior = ctx.saved_tensors
        if prior is None and not torch.is_grad_enabled():
            kernel = _kernel(weights, alpha, scores is not None)
            if kernel is not None:
                return *_vjp_by_kernel(kernel, grad_output, (weights, scores, alpha, beta)), None
        inside, times = weights > 0, 1.0 if prior is None else prior
        safe = torch.where(inside, weights / times, 1.0)  # q
        factors = torch.where(inside, times * safe ** (2 - alpha), 0.0)
        mean = (factors * grad_output).sum(-1, keepdim=True) / factors.sum(-1, keepdim=True)
        centred = grad_output - mean
        gradient = factors * centred
        if scores is None:
            return beta * gradient, None, None, None
        gap = torch.where(inside, scores - scores.detach().amax(-1, keepdim=True), 0.0)
        grad_beta = (gradient * gap).sum(-1, keepdim=True)
        entropy_term = (centred * (times * safe * safe.log())).sum(-1, keepdim=True)
        return beta * gradient, (beta * grad_beta - entropy_term) / (alpha - 1), grad_beta, None


class _WeightsWithForwardMode(_Weights):
    """The weights with forward mode, which torch.compile takes in no function of its graphs."""

    generate_vmap_rule = True

    @staticmethod
    def jvp(
        ctx: Any,
        scores_tangent: Tensor | None,
        alpha_tangent: Tensor | None,
        beta_tangent: Tensor | None,
        *_: Any,
    ) -> Tensor:
        """Return dp = Sc̄ for c = β ds + s dβ + (βs − q^(α−1) log q)/(α − 1) dα."""
        weights, scores, alpha, beta, prior = ctx.saved_tensors
        inside, times = weights > 0, 1.0 if prior is None else prior
        safe = torch.where(inside, weights / times, 1.0)  # q
        factors = torch.where(inside, times * safe ** (2 - alpha), 0.0)
        gap = torch.where(inside, scores - scores.amax(-1, keepdim=True), 0.0)
        change = torch.zeros_like(weights)
        if scores_tangent is not None:
            change = change + beta * scores_tangent
        if beta_tangent is not None:
            change = change + gap * beta_tangent
        if alpha_tangent is not None:
            by_alpha = (beta * gap - safe ** (alpha - 1) * safe.log()) / (alpha - 1)
            change = change + by_alpha * alpha_tangent
        mean = (factors * change).sum(-1, keepdim=True) / factors.sum(-1, keepdim=True)
        return factors * (change - mean)


def _weights(scores: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    # [(α − 1)β(s − max s) − τ]₊^r, summing to one. The scale must be finite: 0·∞ is NaN.
    scale = ((alpha - 1) * beta).clamp_max(torch.finfo(scores.dtype).max)
    top = scores.amax(-1, keepdim=True)
    kernel = _kernel(scores, alpha)
    if kernel is not None:
        weights = torch.empty_like(scores, memory_format=torch.contiguous_format)
        _run(kernel.weigh, _rows(scores), *map(_column, (top, scale, alpha)), _rows(weights))
        return weights
    z = (scale * (scores - top)).clamp_min(-2.0)  # no weight below −1
    power = 1 / (alpha - 1)
    if is_traced() or bool((power < 1).any()):
        return _normalised(z - _bisect(z, power), power)
    size = max(1, BLOCK // z.shape[-1])
    rows, powers = z.reshape(-1, z.shape[-1]), power.reshape(-1, 1)
    for start in range(0, len(rows), size):
        block, exponent = rows[start : start + size], powers[start : start + size]
        # One number as exponent is much faster than a tensor.
        one = float(exponent[0]) if bool((exponent == exponent[0]).all()) else exponent
        block.copy_(_normalised(block - _newton(block, one), one))
    return rows.reshape(z.shape)


def _weights_with_prior(scores: Tensor, alpha: Tensor, beta: Tensor, prior: Tensor) -> Tensor:
    # w [(α − 1)β(s − max s) − τ]₊^r, summing to one. In float64: w^(1 − α) has a wide range.
    exact, alpha, times = scores.double(), alpha.double(), prior.double()
    scale = ((alpha - 1) * beta.double()).clamp_max(torch.finfo(exact.dtype).max)
    z, power = scale * (exact - exact.amax(-1, keepdim=True)), 1 / (alpha - 1)
    if is_traced() or bool((power < 1).any()):
        tau = _bisect(z, power, times)
    else:  # at a lower τ a weight would exceed 1
        tau = _newton(z, power, (z - times ** (1 - alpha)).amax(-1, keepdim=True), times)
    return _normalised(z - tau, power, times).to(scores.dtype)


def _kernel(scores: Tensor, alpha: Tensor, learned: bool = False) -> Any:
    # The module whose kernel should be used, or None. `sparse` has α = 1.5 and 2 only, and no
    # gradients with respect to α and β; `entmax` has float32 only.
    if is_traced() or scores.dtype not in (torch.float32, torch.float64):
        return None
    if not scores.numel() or not kernels.large(scores.numel(), scores):
        return None
    lowest, highest = map(float, alpha.aminmax())
    if lowest == highest and lowest in (1.5, 2.0) and not learned:
        from ..kernels import sparse

        return sparse
    if scores.dtype == torch.float32:
        from ..kernels import entmax

        return entmax
    return None


def _vjp_by_kernel(
    kernel: Any, grad_output: Tensor, saved: tuple[Any, ...]
) -> tuple[Tensor | None, ...]:
    weights, scores, alpha, beta = saved
    grad_scores = torch.empty_like(weights, memory_format=torch.contiguous_format)
    grad_alpha, grad_beta = weights.new_empty(2, *weights.shape[:-1], 1)
    read = weights.new_empty(0, weights.shape[-1]) if scores is None else scores
    parameters = _rows(read), *map(_column, (read.amax(-1), grad_alpha, grad_beta))
    inputs = _rows(weights), _rows(grad_output), (_column(alpha), _column(beta)), parameters
    _run(kernel.vjp, *inputs, _rows(grad_scores))
    return (grad_scores, None, None) if scores is None else (grad_scores, grad_alpha, grad_beta)


def _run(kernel: Any, rows: Any, *arguments: Any) -> None:
    work = partial(kernel, rows, *arguments)
    kernels.in_parts(len(rows), rows.size * KERNEL_SECONDS, work)


def _rows(tensor: Tensor) -> Any:
    # Shares the memory of contiguous tensors, such as those that kernels write to.
    return tensor.detach().contiguous().view(-1, tensor.shape[-1]).numpy()


def _column(tensor: Tensor) -> Any:
    return tensor.detach().reshape(-1).numpy()


def _normalised(t: Tensor, power: Tensor | float, prior: Tensor | None = None) -> Tensor:
    weights = t.clamp_min(0) ** power
    weights = weights if prior is None else weights * prior
    return weights / weights.sum(-1, keepdim=True)


def _newton(
    z: Tensor,
    power: Tensor | float,
    lowest: Tensor | None = None,
    prior: Tensor | None = None,
) -> Tensor:
    # τ < 0 with Σ w[z − τ]₊^power = 1, for powers ≥ 1. The power-norm of [z − τ]₊ is convex in τ
    # and close to a line. Newton's steps from a lower bound (−1 for w = 1) therefore never pass τ,
    # and few are needed.
    tau = torch.full_like(z[..., :1], -1.0) if lowest is None else lowest
    for _ in range(MOST_STEPS):
        t = (z - tau).clamp_min_(0)
        terms = _lower_power(t, power)
        terms = terms if prior is None else terms * prior
        slope, total = terms.sum(-1, keepdim=True), torch.linalg.vecdot(terms, t)[..., None]
        step = (total - total ** (1 - 1 / power)) / slope
        tau = tau + step
        size = 1.0 if prior is None else tau.abs()
        if not bool((step > torch.finfo(z.dtype).eps * size).any()):
            break
    return tau


def _lower_power(t: Tensor, power: Tensor | float) -> Tensor:
    # t^(power − 1), but 0 at t = 0, also for power 1.
    if isinstance(power, float):
        return t ** (power - 1) if power > 1 else (t > 0).to(t.dtype)
    return torch.where(t > 0, t ** (power - 1), 0.0)


def _bisect(z: Tensor, power: Tensor, prior: Tensor | None = None) -> Tensor:
    # τ for any power, by operations that can be traced. −τ lies in [n^(−1/power), 1], with priors
    # in [(Σw)^(−1/power), (min w)^(−1/power)]. The interval is halved on a logarithmic scale: for
    # α > 2 weights are as sensitive to small −τ as to large ones.
    tiny, zero = torch.finfo(z.dtype).tiny, z[..., :1] * 0
    if prior is None:
        least, high = (zero + z.shape[-1]) ** (-1 / power), torch.ones_like(zero)
    else:
        least = prior.sum(-1, keepdim=True) ** (-1 / power)
        high = prior.amin(-1, keepdim=True) ** (-1 / power) * (1 + 2**-20) + zero
    low = (least * (1 - 2**-20) + zero).clamp_min(tiny)
    for _ in range(torch.finfo(z.dtype).bits):
        middle = low.sqrt() * high.sqrt()
        powers = (z + middle).clamp_min(0) ** power
        powers = powers if prior is None else powers * prior
        enough = powers.sum(-1, keepdim=True) >= 1
        low = torch.where(enough, low, middle)
        high = torch.where(enough, middle, high)
    return -high


def tsallis_potential(
    scores: Tensor,
    alpha: Tensor,
    beta: Tensor,
    prior: Tensor | None = None,
    total: float | None = None,
) -> Tensor:
    """Return the potential of α-entmax, max_p p·s + β⁻¹(H_α(p) − H_α(1/n)).

    Scores without weight may be left out: `total` is then n = Σw, with w = 1 without priors. As
    β → 0 the two entropies become equal, and their difference would lose its digits. It is
    therefore computed from the deviations d_μ in p_μ = w_μ(1 + d_μ)/n:

        −n^(−α)/(α(α − 1)) Σ w_μ φ(d_μ),    φ(d) = (1 + d)^α − 1 − αd.

    All terms of this sum are ≥ 0. Each pattern without weight adds φ(−1) = α − 1. If all d are
    below `LARGEST_SERIES_D`, the result is the expansion at β = 0 to second order.
    """
    times, n = multiplicities(scores, prior, total)
    top = scores.detach().amax(-1, keepdim=True)
    gap = scores - top
    weights = tsallis_weights(scores, alpha, beta, prior)
    d = n * (weights if prior is None else weights / times) - 1
    # Autograd gives NaN at d = −1: patterns of weight zero, even by rounding, are summed apart.
    positive = d > -1
    d = torch.where(positive, d, 0.0)
    phi = (1 + d) * torch.expm1((alpha - 1) * torch.log1p(d)) - (alpha - 1) * d
    zeros = torch.where(positive, 0.0, times).sum(-1, keepdim=True)
    if total is not None:
        zeros = zeros + n - times.sum(-1, keepdim=True)
    divergence = (times * phi).sum(-1, keepdim=True) + (alpha - 1) * zeros
    exact = (weights * gap).sum(-1, keepdim=True)
    exact = exact - n**-alpha * divergence / (alpha * (alpha - 1) * beta)
    curvature = (beta * n ** (alpha - 2)).clamp_max(torch.finfo(scores.dtype).max)
    small = curvature * n * gap.abs().amax(-1, keepdim=True) < LARGEST_SERIES_D
    small = small & (total is None)
    near = torch.where(small, gap, 0.0)  # no ∞·0 in the gradient where the series is not used
    mean = (times * near).sum(-1, keepdim=True) / times.sum(-1, keepdim=True)
    series = mean + curvature / 2 * (times * (near - mean).square()).sum(-1, keepdim=True)
    return (top + torch.where(small, series, exact)).squeeze(-1)
